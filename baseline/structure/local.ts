/**
 * The local models of one segment: every call is held against what was learned of its parent (DETECTION §1). Gives one
 * probability for the group and the features that explain it.
 */
import type { FindingKind } from '../../schemas/log/verdict.ts';
import type { RuleLine } from './entries.ts';
import { lookUp } from './number-table.ts';
import { edgeOf, type Fan, type RuleRow, setKeyOf, type Tables } from './tables.ts';
import { cellOf } from './tally.ts';
import { childSetKey, groupChildren, type Tree } from './tree.ts';

/** What deviates at one node; turned into a finding only when somebody will read it. */
export interface Feature {
  readonly kind: FindingKind;
  readonly hard: boolean;
  readonly absence: boolean;
  /** Span the evidence is at. */
  readonly node: number;
  /** Its parent in the folded tree, −1 for the entry's. */
  readonly above: number;
  readonly p: number;
  readonly severity: number;
  /** Count seen, and the largest learned (fan-out). */
  readonly count: number;
  readonly max: number;
  readonly rule: RuleLine | null;
  /** Observations the expectation rests on. */
  readonly support: number;
}

export interface LocalResult {
  /** Harmonic mean over distinct parents of their least p. */
  p: number;
  severity: number;
  /** Share of the calls whose label is unknown or in state observe. */
  observed: number;
  /** Broken rules that are near-certain, and service pairs never seen. */
  hard: number;
  /** Distinct parents, the sum of their 1/p, and p of the parent of entries: to add the whole tree's. */
  parents: number;
  inverseSum: number;
  rootP: number;
  readonly features: Feature[];
}

/** What deviates this rarely is listed with the verdict though it is inside what was learned. */
const LISTED_P = 1e-3;
/** Unknown edges and operations are listed unless they are this common. */
const LISTED_UNSEEN_P = 0.05;
/** A fan-out is hard from this ratio to the maximum, and this many calls on (DETECTION §6). */
const HARD_RATIO = 8;
const HARD_COUNT = 30;
/** Evidence of one feature goes at most 0.3 decade beyond 1/(N+1) (DETECTION §1). */
const BEYOND = 0.3;
/** A tree that is no signature is listed where nothing else explains it, and such trees are this rare. */
const LISTED_TREE_P = 0.01;
/** An attacker's trace may deviate at every node: so many are put in words. */
const MAX_FEATURES = 64;
const MAX_HARD_FEATURES = 192;
/** A chain of calls is followed up this far for a required ancestor. */
const MAX_CLIMB = 256;

export interface LocalSpace {
  /** Label index of each node, −1 unknown. */
  own: Int32Array;
  /** Least p by label index, valid where `stamp` is the current mark. */
  least: Float64Array;
  stamp: Int32Array;
  childStamp: Int32Array;
  mark: number;
  childMark: number;
  parents: Int32Array;
  broken: { node: number; rule: RuleRow }[];
}

export const createLocalSpace = (tables: Tables): LocalSpace => ({
  own: new Int32Array(64),
  least: new Float64Array(tables.labels.length),
  stamp: new Int32Array(tables.labels.length),
  childStamp: new Int32Array(tables.labels.length),
  mark: 0,
  childMark: 0,
  parents: new Int32Array(tables.labels.length),
  broken: [],
});

export const createLocalResult = (): LocalResult => ({
  p: 1,
  severity: 0,
  observed: 0,
  hard: 0,
  parents: 0,
  inverseSum: 0,
  rootP: 1,
  features: [],
});

/**
 * `absence`: the absence grace is over, what is missing counts. `lostAbove`: the entry's parent was lost, so nothing is
 * known of what is above it.
 */
export function judgeLocally(
  tables: Tables,
  tree: Tree,
  absence: boolean,
  lostAbove: boolean,
  space: LocalSpace,
  out: LocalResult,
): void {
  const { segment, node, above, folds, failed } = tree;
  const { labels, root } = tables;
  const count = segment.spanCount;
  if (space.own.length < count) space.own = new Int32Array(Math.max(count, space.own.length * 2));
  const { own, least, stamp, childStamp, parents, broken } = space;
  const mark = ++space.mark;
  const features = out.features;
  features.length = 0;
  broken.length = 0;
  out.severity = 0;
  out.hard = 0;
  let distinct = 0;
  let nodes = 0;
  let observed = 0;
  let rulesTested = 0;

  const add = (feature: Feature): void => {
    if (feature.severity > out.severity) out.severity = feature.severity;
    if (feature.hard) out.hard++;
    if (features.length < (feature.hard ? MAX_HARD_FEATURES : MAX_FEATURES)) features.push(feature);
  };
  const lower = (label: number, p: number): void => {
    if (p < least[label]!) least[label] = p;
  };
  const begin = (label: number): void => {
    if (stamp[label] === mark) return;
    stamp[label] = mark;
    least[label] = 1;
    parents[distinct++] = label;
  };

  if (root >= 0) {
    begin(root);
    const entry = tables.own(segment, segment.label[0]!);
    if (entry < 0 || edgeOf(tables, root, entry) < 0) {
      // A known operation whose parent was lost is no new entry operation: that is missing telemetry.
      if (!(lostAbove && entry >= 0)) {
        const p = entry < 0 ? Math.min(labels[root]!.edgeP, tables.operationP) : labels[root]!.edgeP;
        lower(root, p);
        if (p <= LISTED_UNSEEN_P) add(unseen(tables, tree, 0, -1, entry, p, labels[root]!.calls));
      }
    }
  }

  for (let i = 0; i < count; i++) {
    if (node[i] !== i) continue;
    nodes++;
    const label = tables.own(segment, segment.label[i]!);
    own[i] = label;
    const row = label < 0 ? undefined : labels[label]!;
    if (row === undefined || row.state === 'observe') observed++;
    const groups = groupChildren(tree, i);
    if (row === undefined) {
      for (let g = 0; g < groups; g++) judgePair(tables, tree, i, tree.groupFirst[g]!, add);
      continue;
    }
    if (groups === 0 && !row.hasChildren) continue;
    begin(label);
    const outcome = failed[i]!;
    const mature = row.state !== 'observe';
    const childMark = ++space.childMark;
    let total = 0;
    for (let g = 0; g < groups; g++) {
      const first = tree.groupFirst[g]!;
      const times = tree.groupCount[g]!;
      total += times;
      const child = tables.own(segment, tree.groupLabel[g]!);
      const at = child < 0 ? -1 : edgeOf(tables, label, child);
      if (child >= 0) childStamp[child] = childMark;
      if (at >= 0) {
        const edge = tables.edges[at]!;
        const p = fanP(edge.fan, times, absence && outcome === 0, edge.active);
        if (p < 1) {
          lower(label, p);
          if (p <= LISTED_P || times > edge.fan.max) judgeFan(p, edge.fan, times, i, first, mature, row.fan, add);
        }
        continue;
      }
      const p = child < 0 ? Math.min(row.edgeP, tables.operationP) : row.edgeP;
      lower(label, p);
      if (judgePair(tables, tree, i, first, add)) lower(label, Math.min(p, tables.pairP));
      else if (p <= LISTED_UNSEEN_P) add(unseen(tables, tree, first, i, child, p, row.calls));
      if (mature && times >= HARD_COUNT) judgeFan(p, row.fan, times, i, first, mature, row.fan, add);
    }
    if (groups > 1) {
      const p = fanP(row.fan, total, false, row.state === 'active');
      lower(label, p);
      if (
        total >= HARD_COUNT &&
        total >= HARD_RATIO * row.fan.max &&
        !features.some((f) => f.node === i && f.kind === 'fan-out')
      ) {
        judgeFan(p, row.fan, total, i, -1, mature, row.fan, add);
      }
    }
    if (folds[i]! > 1) {
      const at = edgeOf(tables, label, label);
      if (at >= 0) {
        const { fan, active } = tables.edges[at]!;
        const p = fanP(fan, folds[i]!, false, active);
        lower(label, p);
        if (p <= LISTED_P) judgeFan(p, fan, folds[i]!, i, i, mature, fan, add);
      } else {
        lower(label, row.edgeP);
        if (row.edgeP <= LISTED_UNSEEN_P) add(unseen(tables, tree, i, i, label, row.edgeP, row.calls));
      }
    }
    if (!absence) continue;

    const set = lookUp(tables.setTable, setKeyOf(label, childSetKey(tree, groups), outcome));
    let setP = set >= 0 ? tables.setP[set]! : row.setP[outcome as 0 | 1];
    // A client span without its server span says that telemetry got lost as often as it gets lost.
    if (groups === 0 && row.lost > 0) setP = setP + row.lost - setP * row.lost;
    if (setP < 1) {
      lower(label, setP);
      if (setP <= LISTED_P || (set < 0 && setP <= 0.01)) {
        const seen = set >= 0 ? tables.setCount[set]! : 0;
        add(feature('child-set', false, true, i, above[i]!, setP, set < 0 ? 0.5 : 0.25, seen, 0, null, row.calls));
      }
    }
    if (outcome !== 0) continue;
    for (const rule of row.children) {
      rulesTested++;
      if (rule.required >= 0 ? childStamp[rule.required] === childMark : hasChild(tables, tree, groups, rule)) continue;
      broken.push({ node: i, rule });
    }
  }

  if (!lostAbove) {
    for (let i = 1; i < count; i++) {
      if (node[i] !== i || own[i]! < 0) continue;
      const rules = labels[own[i]!]!.ancestors;
      if (rules.length === 0) continue;
      rulesTested++;
      const rule = missingAncestor(tree, own, i, rules);
      if (rule !== null) broken.push({ node: i, rule });
    }
  }
  for (const { node: at, rule } of broken) {
    const p = Math.min(1, rule.p * rulesTested);
    const child = rule.line.form === 'child';
    const owner = child ? own[at]! : above[at]! < 0 ? root : own[above[at]!]!;
    if (owner >= 0 && stamp[owner] === mark) lower(owner, p);
    const kind = child ? 'required-child' : 'required-ancestor';
    const severity = (rule.hard ? 3 : 1) + Math.log10(1 + rule.line.support);
    add(feature(kind, rule.hard, child, at, above[at]!, p, severity, 0, 0, rule.line, rule.line.support));
  }

  // In a fixed order: the same tree must give the same last bit, whatever the order of its siblings in time.
  parents.subarray(0, distinct).sort();
  let sum = 0;
  for (let k = 0; k < distinct; k++) sum += 1 / least[parents[k]!]!;
  out.p = distinct === 0 ? 1 : distinct / sum;
  out.parents = distinct;
  out.inverseSum = sum;
  out.rootP = root >= 0 ? least[root]! : 1;
  out.observed = nodes === 0 ? 0 : observed / nodes;
}

/**
 * A whole tree that is no signature of its entry, by how often that was so in learning: near nothing where compositions
 * explode, strong where they never vary. It counts with the parent of entries.
 */
export function addWholeTree(tables: Tables, tree: Tree, out: LocalResult): void {
  const entry = tables.own(tree.segment, tree.segment.label[0]!);
  if (entry < 0 || tables.root < 0 || edgeOf(tables, tables.root, entry) < 0) return;
  const { treeP, calls } = tables.labels[entry]!;
  if (treeP >= out.rootP) return;
  out.inverseSum += 1 / treeP - 1 / out.rootP;
  out.rootP = treeP;
  out.p = out.parents / out.inverseSum;
  if (treeP > LISTED_TREE_P || out.features.length > 0) return;
  out.features.push(feature('whole-tree', false, true, 0, -1, treeP, 0.25, 0, 0, null, calls));
}

function feature(
  kind: FindingKind,
  hard: boolean,
  absence: boolean,
  node: number,
  above: number,
  p: number,
  severity: number,
  count: number,
  max: number,
  rule: RuleLine | null,
  support: number,
): Feature {
  return { kind, hard, absence, node, above, p, severity, count, max, rule, support };
}

/** An operation or edge that was not learned; a whole service more so. */
function unseen(
  tables: Tables,
  tree: Tree,
  node: number,
  above: number,
  child: number,
  p: number,
  support: number,
): Feature {
  if (child >= 0) return feature('unseen-edge', false, false, node, above, p, 1, 0, 0, null, support);
  const newService = tables.ownService(tree.segment, tree.segment.service[node]!) < 0;
  return feature('unseen-operation', false, false, node, above, p, newService ? 2 : 1.5, 0, 0, null, support);
}

/** A caller service and callee service never seen together: hard once the caller's calls are known well enough. */
function judgePair(tables: Tables, tree: Tree, above: number, node: number, add: (f: Feature) => void): boolean {
  const { segment } = tree;
  if (segment.service[above] === segment.service[node]) return false;
  const caller = tables.ownService(segment, segment.service[above]!);
  const callee = tables.ownService(segment, segment.service[node]!);
  if (caller >= 0 && callee >= 0 && tables.pairs.has(caller * tables.services.length + callee)) return false;
  if (caller < 0) return false;
  const hard = tables.serviceState[caller] !== 'observe';
  const support = tables.serviceCalls[caller]!;
  add(feature('service-pair', hard, false, node, above, tables.pairP, hard ? 4 : 2, 0, 0, null, support));
  return true;
}

/** Both tails of a count: beyond the largest ever, at most 0.3 decade more than the sample can say. */
function fanP(fan: Fan, times: number, lowerTail: boolean, active: boolean): number {
  const { cells, atLeast, atMost, total } = fan;
  const last = cells.length - 1;
  if (last < 0) return 1;
  const cell = cellOf(times);
  if (cell > cells[last]!) {
    const beyond = active ? BEYOND * Math.min(1, Math.log2(times / Math.max(1, fan.max)) / 3) : 0;
    return 10 ** -Math.max(0, beyond) / (total + 1);
  }
  if (last === 0 && cell === cells[0]!) return 1;
  let at = 0;
  while (cells[at]! < cell) at++;
  const up = (1 + atLeast[at]!) / (total + 1);
  const down = lowerTail ? (1 + (cells[at] === cell ? atMost[at]! : at > 0 ? atMost[at - 1]! : 0)) / (total + 1) : 1;
  return Math.min(1, up, down);
}

function judgeFan(
  p: number,
  fan: Fan,
  times: number,
  above: number,
  node: number,
  mature: boolean,
  ofParent: Fan,
  add: (f: Feature) => void,
): void {
  // An edge seen too seldom to know its own limit is held against the largest of any child of its parent.
  const max = Math.max(1, fan.total >= HARD_COUNT ? fan.max : Math.max(fan.max, ofParent.max));
  const hard = mature && times >= HARD_COUNT && times >= HARD_RATIO * max;
  const ratio = Math.log2(times / max);
  const severity = hard ? 3 + ratio : Math.max(0.25, ratio);
  const at = node < 0 ? above : node;
  add(feature('fan-out', hard, times < fan.max, at, above, p, severity, times, fan.max, null, fan.total));
}

function hasChild(tables: Tables, tree: Tree, groups: number, rule: RuleRow): boolean {
  const hash = tables.symbols.labelHash(rule.id);
  for (let g = 0; g < groups; g++) if (tree.segment.symbols.labelHash(tree.groupLabel[g]!) === hash) return true;
  return false;
}

/**
 * The nearest required ancestor that is not there. A chain with an operation that was never learned proves nothing: a new
 * route may well have its own guard, and the unknown operation is a finding of its own.
 */
function missingAncestor(tree: Tree, own: Int32Array, from: number, rules: readonly RuleRow[]): RuleRow | null {
  const { above } = tree;
  let absent: RuleRow | null = null;
  for (const rule of rules) {
    let found = false;
    let climbed = 0;
    let top = from;
    for (let at = above[from]!; at >= 0; at = above[at]!) {
      if (own[at]! < 0 || ++climbed > MAX_CLIMB) return null;
      top = at;
      if (own[at] === rule.required) {
        found = true;
        break;
      }
    }
    if (!found && top !== 0) return null; // the chain ends at a span whose parent is missing
    if (!found) absent ??= rule;
  }
  return absent;
}
