/** The structure model of one version: scores a segment, matches it, and gives back the lines it is made of. */
import type { Finding } from '../../schemas/log/verdict.ts';
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Symbols } from '../../traces/segment.ts';
import { createMatcher, type Matched } from '../match/index.ts';
import { type CoverageRow, type Evidence, JudgementStage, NO_FINDINGS, type StructureModel } from '../model.ts';
import { type PackedEntries, packEntries } from '../packed-entries.ts';
import { linesToEntries, type StructureLines } from './entries.ts';
import type { Feature } from './feature.ts';
import { toFindings, unlistedFindings } from './findings.ts';
import { mix } from './hash.ts';
import { createOrderResult, judgeOrder, MAX_ORDER_FEATURES } from './judge-order.ts';
import { addWholeTree, createLocalResult, createLocalSpace, judgeLocally, MAX_FEATURES, wholeTreeP } from './local.ts';
import { clearTable, createNumberTable, insert, lookUp } from './number-table.ts';
import { buildTables, edgeOf, type Tables } from './tables.ts';
import { createTree, keyTree, readTree, type Tree } from './tree.ts';

/** Scores of trees that fit are remembered by their exact key; forgotten together, as they only save time. */
const MEMO = 16_384;

/** An operation below it is entered now and then because a caller's span got lost, not from outside. */
const MIN_ENTRY_SHARE = 0.5;

/** Labels, in the model's symbols, that segments begin with as a rule. */
function entryLabels(tables: Tables): Set<number> {
  const found = new Set<number>();
  for (const { label, count } of tables.root < 0 ? [] : tables.childrenOf[tables.root]!) {
    const { id, calls } = tables.labels[label]!;
    if (count >= MIN_ENTRY_SHARE * calls) found.add(id);
  }
  return found;
}

/** Where requests enter, and where they go on inside, by label ids. */
function entering(
  tables: Tables,
  entries: ReadonlySet<number>,
): Pick<StructureModel, 'mayEnter' | 'isEntered' | 'isCall'> {
  const { labels, symbols } = tables;
  const learned = new Map(labels.map(({ id }, index) => [id, index]));
  const services = new Set([...entries].map((label) => symbols.labelOf(label).service));
  return {
    mayEnter(label) {
      if (learned.has(label)) return entries.has(label);
      const { service, kind } = symbols.labelOf(label);
      return (kind === SpanKind.server || kind === SpanKind.unspecified) && services.has(service);
    },
    isEntered: (service) => services.has(service),
    isCall(parent, child) {
      const above = learned.get(parent);
      const below = learned.get(child);
      return above !== undefined && below !== undefined && edgeOf(tables, above, below) >= 0;
    },
  };
}

/** Severity, observed share, weighted 1/p of all but order. */
const MEMO_WIDTH = 3;

/**
 * Weights of the group's three questions: every call against its parent's models; the whole tree, by the rate of new trees
 * (high only where that is near nothing, DETECTION §1); the order of calls. A harmonic mean: each keeps its evidence but
 * for its weight, however many calls there are.
 */
const TREE_WEIGHT = 0.25;
const ORDER_WEIGHT = 0.25;
const HALF_WEIGHT_AT = 0.005;

const treeWeight = (p: number): number => (TREE_WEIGHT * HALF_WEIGHT_AT) / (HALF_WEIGHT_AT + p);

/** `from`: the entries that the lines were read from, if they were. */
export function createModel(lines: Readonly<StructureLines>, symbols: Symbols, from?: PackedEntries): StructureModel {
  const tables = buildTables(lines, symbols);
  const matcher = createMatcher(tables, lines.signatures);
  /** Written when they are asked for: models that only calibrate never are. */
  let pending = from === undefined ? lines : undefined;
  let kept = from;
  const entries = entryLabels(tables);
  const space = createLocalSpace(tables);
  const local = createLocalResult();
  const order = createOrderResult();
  const memoTable = createNumberTable(1_024);
  let memoValues = new Float64Array(1_024 * MEMO_WIDTH);
  const memoMatches: Matched[] = [];
  let tree: Tree | undefined;
  let lastMatch: Matched | undefined;
  /** Of the segment scored last. */
  let told: { readonly features: readonly Feature[]; readonly findings: readonly Finding[] } | undefined;

  const read = (segment: Parameters<StructureModel['score']>[0]): Tree => {
    tree ??= createTree(segment);
    readTree(tree, segment);
    return tree;
  };

  function remember(key: number, base: number, out: Evidence, match: Matched): void {
    if (memoMatches.length >= MEMO) {
      clearTable(memoTable);
      memoMatches.length = 0;
    }
    const at = memoMatches.length;
    if ((at + 1) * MEMO_WIDTH > memoValues.length) {
      const larger = new Float64Array(memoValues.length * 2);
      larger.set(memoValues);
      memoValues = larger;
    }
    memoValues[at * MEMO_WIDTH] = out.severity;
    memoValues[at * MEMO_WIDTH + 1] = out.observed;
    memoValues[at * MEMO_WIDTH + 2] = base;
    memoMatches.push(match);
    insert(memoTable, key, at);
  }

  function conclude(base: number, out: Evidence): void {
    out.surprise = Math.max(0, Math.log10(base + ORDER_WEIGHT / order.p));
    out.severity += order.severity;
    out.similarity = lastMatch!.similarity;
  }

  function tell(now: Tree, features: readonly Feature[], match: Matched, out: Evidence): void {
    out.findings = toFindings(tables, now, features, match.script);
    told = { features, findings: out.findings };
  }

  return {
    score(segment, stage, out) {
      out.findings = NO_FINDINGS;
      out.surprise = 0;
      out.severity = 0;
      out.similarity = 1;
      out.observed = 0;
      told = undefined;
      if (segment.spanCount === 0) return;
      const now = read(segment);
      // Where telemetry is missing, a missing call proves nothing.
      const absence = stage === JudgementStage.absence && !now.cut;
      const reason = segment.entryReason;
      const lostParent = reason === 'parent-missing' || reason === 'orphan';
      // Some systems' entries are always remote (a proxy starts the trace): then nothing is lost above them.
      const lostAbove = lostParent || (reason === 'remote' && !entryKnown(segment));
      const key = mix(now.exact, (absence ? 1 : 0) + (lostAbove ? 2 : 0));
      const at = lookUp(memoTable, key);
      judgeOrder(tables, now, absence, order);
      if (at >= 0) {
        const values = at * MEMO_WIDTH;
        out.severity = memoValues[values]!;
        out.observed = memoValues[values + 1]!;
        lastMatch = memoMatches[at]!;
        conclude(memoValues[values + 2]!, out);
        if (order.features.length > 0) {
          keyTree(now);
          tell(now, order.features, lastMatch, out);
        }
        return;
      }
      judgeLocally(tables, now, absence, lostAbove, space, local);
      keyTree(now);
      let match = matcher.match(now, absence);
      let treeP = 1;
      if (absence) {
        treeP = wholeTreeP(tables, now, match.hit ? matcher.countedP(now, match.signature) : undefined);
        addWholeTree(tables, now, treeP, match.hit, local);
      }
      const weight = treeWeight(treeP);
      const base = (1 - weight - ORDER_WEIGHT) / local.p + weight / treeP;
      if (local.hard > 0) match = brokenMatch(now, match);
      lastMatch = match;
      const size = matcher.size(match.signature);
      out.severity = local.severity + (match.hit ? 0 : (1 - match.similarity) * 2 * size);
      out.observed = local.observed;
      const plain = local.features.length === 0;
      if (plain) remember(key, base, out, match);
      conclude(base, out);
      if (plain && order.features.length === 0) return;
      tell(now, plain ? order.features : [...local.features, ...order.features], match, out);
    },

    unlisted(segment) {
      if (told === undefined) return NO_FINDINGS;
      // the features of a tree that deviates nearly everywhere are bounded themselves
      const orders = order.features.length;
      if (told.features.length - orders >= MAX_FEATURES || orders >= MAX_ORDER_FEATURES) return undefined;
      if (told.features.length <= told.findings.length) return NO_FINDINGS;
      const now = read(segment);
      keyTree(now);
      return unlistedFindings(tables, now, told.features, lastMatch?.script ?? '', told.findings);
    },

    match(segment, out) {
      const now = read(segment);
      if (lastMatch === undefined) return;
      matcher.describe(now, lastMatch, out);
    },

    chains(segment, stage, about) {
      const now = read(segment);
      keyTree(now);
      const absence = stage === JudgementStage.absence && !now.cut;
      return matcher.chains(now, lastMatch?.signature ?? -1, absence, about);
    },

    isEntry: (label) => entries.has(label),
    ...entering(tables, entries),
    leaveOneOut: (familyKey) => matcher.leaveOneOut(familyKey),
    entries() {
      kept ??= packEntries(linesToEntries(pending!));
      pending = undefined;
      return kept;
    },

    *coverage(): Iterable<CoverageRow> {
      for (const label of tables.labels) {
        if (label.id === 0) continue;
        const { service, operation } = symbols.labelOf(label.id);
        yield {
          group: 'structure',
          service: symbols.text(service),
          operation: symbols.text(operation),
          state: label.state,
          count: label.calls,
        };
      }
    },
  };

  function entryKnown(segment: Parameters<StructureModel['score']>[0]): boolean {
    const entry = tables.own(segment, segment.label[0]!);
    return entry >= 0 && tables.root >= 0 && edgeOf(tables, tables.root, entry) >= 0;
  }

  /**
   * A tree can be the shape of a learned abort and still break a rule, as its calls succeeded: then the match must say so
   * too. Each broken rule is worth one missing node.
   */
  function brokenMatch(now: Tree, match: Matched): Matched {
    const size = matcher.size(match.signature);
    const most = Math.max(0, 1 - local.hard / (2 * size - 1));
    if (match.similarity <= most) return match;
    const why = toFindings(tables, now, local.features)
      .filter((finding) => finding.hard)
      .map((finding) => finding.seen)
      .slice(0, 2)
      .join('; ');
    return { ...match, hit: false, similarity: most, script: match.script === '' ? why : match.script };
  }
}
