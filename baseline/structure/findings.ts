/** Features of a segment as findings: explanation keys (DETECTION §6), what was expected and what came, in words. */
import type { Finding } from '../../schemas/log/verdict.ts';
import { endMsOf, spanIdHex } from '../../traces/segment.ts';
import type { Feature } from './feature.ts';
import { edgeOf, type Tables } from './tables.ts';
import { groupChildren, OK, outcomeClass, type Tree } from './tree.ts';
import { grouped, labelWords, listed } from './words.ts';

const MAX_FINDINGS = 16;

/** Hard ones first, then by severity; one of each kind and explanation, the first in the trace. */
export function toFindings(tables: Tables, tree: Tree, features: readonly Feature[], script = ''): Finding[] {
  const byKey = new Map<string, Finding>();
  for (const feature of features) {
    const finding = toFinding(tables, tree, feature, script);
    const key = `${finding.kind} ${finding.explanationKey}`;
    const known = byKey.get(key);
    if (known === undefined || sureness(finding) > sureness(known)) byKey.set(key, finding);
  }
  return strongestFirst([...byKey.values()]).slice(0, MAX_FINDINGS);
}

/** What toFindings leaves out: of each kind and explanation all others, too. */
export function unlistedFindings(
  tables: Tables,
  tree: Tree,
  features: readonly Feature[],
  script: string,
  listed: readonly Finding[],
): Finding[] {
  const place = ({ kind, explanationKey, spanId }: Finding): string => `${kind} ${explanationKey} ${spanId}`;
  const told = new Set(listed.map(place));
  return strongestFirst(
    features.map((feature) => toFinding(tables, tree, feature, script)).filter((finding) => !told.has(place(finding))),
  );
}

const strongestFirst = (findings: Finding[]): Finding[] =>
  findings.sort((x, y) => sureness(y) - sureness(x) || y.severity - x.severity || x.p - y.p);

const sureness = ({ hard, candidate }: Finding): number => (hard ? 2 : candidate ? 1 : 0);

function toFinding(tables: Tables, tree: Tree, feature: Feature, script: string): Finding {
  const { segment } = tree;
  const { symbols } = segment;
  const { node, above } = feature;
  const words = (id: number): string => labelWords(symbols, id);
  const text = (id: number): string => symbols.labelText(id);
  const label = segment.label[node]!;
  const parent = above < 0 ? 0 : segment.label[above]!;
  const entry = symbols.text(segment.operation[0]!);
  const calls = grouped(feature.support);
  let key = `${entry} · ${text(label)}`;
  let expected = '';
  let seen = '';
  switch (feature.kind) {
    case 'unseen-operation':
    case 'unseen-edge':
      if (above < 0) {
        expected = `requests enter by ${knownChildren(tables, tables.root)}, in ${calls} requests`;
        seen = `a request entered by ${words(label)}`;
      } else if (node === above) {
        expected = `${words(label)} never called itself in ${calls} calls`;
        seen = `it called itself`;
      } else {
        const own = tables.own(segment, parent);
        expected = `${words(parent)} calls ${knownChildren(tables, own)}, learned from ${calls} calls`;
        seen =
          feature.kind === 'unseen-edge'
            ? `it called ${words(label)}, known only from elsewhere`
            : `it called ${words(label)}, which was never learned`;
      }
      break;
    case 'service-pair': {
      const caller = symbols.text(segment.service[above]!);
      const callee = symbols.text(segment.service[node]!);
      key = `${caller} → ${callee}`;
      expected = `${caller} calls ${knownCallees(tables, caller)}, never ${callee}, in ${calls} calls`;
      seen = `${words(parent)} called ${words(label)}`;
      break;
    }
    case 'required-child': {
      const rule = feature.rule!;
      const required = words(symbols.labelFromText(rule.required));
      key = `${rule.subject} → ${rule.required}`;
      const all = grouped(rule.support + rule.violations);
      expected = `${words(label)} was followed by ${required} in ${calls} of ${all} successful requests`;
      seen = `${words(label)} succeeded without ${required}`;
      if (feature.other >= 0) seen += `, after ${words(segment.label[feature.other]!)} had failed`;
      break;
    }
    case 'required-ancestor': {
      const rule = feature.rule!;
      const required = words(symbols.labelFromText(rule.required));
      key = `${rule.subject} → ${rule.required}`;
      expected = `${words(label)} was reached through ${required} in ${calls} of ${calls} calls`;
      seen = `reached ${parent === 0 ? 'directly' : `from ${words(parent)}`}, not through ${required}`;
      break;
    }
    case 'fan-out': {
      // At the parent itself: recursion, or children of all labels together.
      const atParent = node === above;
      const recursion = atParent && tree.folds[node] === feature.count;
      const whose = above < 0 ? label : parent;
      const what = atParent ? (recursion ? 'nested calls of itself' : 'calls') : `calls of ${words(label)}`;
      key = `${text(whose)} → ${atParent && !recursion ? '*' : text(label)}`;
      expected = `${words(whose)} makes at most ${grouped(feature.max)} ${what}, learned from ${calls} calls`;
      seen = `${grouped(feature.count)} ${what}`;
      break;
    }
    case 'order': {
      const second = feature.other < 0 ? '' : words(segment.label[feature.other]!);
      const whose = words(feature.other < 0 ? label : segment.label[tree.above[feature.other]!]!);
      if (!feature.absence) {
        expected = `${whose} calls ${second} before ${words(label)} in ${grouped(feature.count)} of ${calls} calls`;
        seen = `${words(label)} before ${second}`;
      } else {
        expected = `${calls} times something else came there among the calls of ${whose}`;
        seen =
          node === tree.above[feature.other]
            ? `${second} last`
            : second === ''
              ? `${words(label)} first`
              : `${words(label)} directly after ${second}`;
      }
      break;
    }
    case 'missing-telemetry': {
      const { answeredBy } = tables.labels[tables.own(segment, label)]!;
      key = tables.services[answeredBy]!;
      expected = `spans of ${key} beneath ${words(label)}, which ${calls} successful calls had`;
      seen = `${words(label)} succeeded, and no span of ${key} came`;
      break;
    }
    case 'whole-tree':
      expected = `one of the call trees that ${calls} calls of ${words(label)} have`;
      if (script !== '') seen = script;
      else seen = feature.count > 0 ? 'a known tree with other numbers of calls' : 'another tree of known calls';
      break;
    default: {
      const { missing, extra } = childDifference(tables, tree, node);
      const first = missing[0] ?? extra[0];
      if (first !== undefined) key = `${entry} · ${first.text}`;
      expected = `a combination of children seen in ${calls} calls of ${words(label)}`;
      const parts: string[] = [];
      if (missing.length > 0) parts.push(`without ${listed(missing.map((m) => m.words))}`);
      if (extra.length > 0) parts.push(`with ${listed(extra.map((m) => m.words))}`);
      const rare = feature.count > 0 ? `seen ${grouped(feature.count)} times` : 'never seen';
      seen = parts.length === 0 ? `a combination ${rare}` : `${parts.join(', ')}: a combination ${rare}`;
    }
  }
  const startMs = segment.startMs + segment.startNs[node]! / 1e6;
  return {
    kind: feature.kind,
    group: 'structure',
    hard: feature.hard,
    evidence: feature.absence ? 'absence' : 'presence',
    explanationKey: key,
    service: symbols.text(segment.service[node]!),
    operation: symbols.text(segment.operation[node]!),
    spanId: spanIdHex(segment, node),
    parameter: '',
    expected,
    seen,
    support: feature.support,
    severity: feature.severity,
    p: feature.p,
    share: 0,
    candidate: feature.candidate,
    startMs,
    endMs: endMsOf(segment, node),
  };
}

/** Most frequent known children of a label, in words. */
function knownChildren(tables: Tables, label: number): string {
  const found = label < 0 ? [] : tables.childrenOf[label]!;
  if (found.length === 0) return 'nothing';
  const words = found.slice(0, 3).map((child) => labelWords(tables.symbols, tables.labels[child.label]!.id));
  return found.length > 3 ? `${words.join(', ')} and ${found.length - 3} more` : words.join(', ');
}

function knownCallees(tables: Tables, caller: string): string {
  const callees = tables.callees.get(caller) ?? [];
  return callees.length === 0 ? 'no other service' : listed(callees, 4);
}

interface Named {
  readonly text: string;
  readonly words: string;
}

/** Children that calls of this label mostly have and this one lacks; and those few have and this one has. */
function childDifference(tables: Tables, tree: Tree, node: number): { missing: Named[]; extra: Named[] } {
  const { segment } = tree;
  const { symbols } = segment;
  const label = tables.own(segment, segment.label[node]!);
  const missing: Named[] = [];
  const extra: Named[] = [];
  if (label < 0) return { missing, extra };
  const row = tables.labels[label]!;
  const clean = outcomeClass(tree, node) === OK;
  const calls = clean ? row.calls - row.failed : row.failed;
  const share = (at: number): number => {
    const edge = tables.edges[at]!;
    return (clean ? edge.ok : edge.failed) / Math.max(1, calls);
  };
  const present = new Set<number>();
  const groups = groupChildren(tree, node);
  for (let g = 0; g < groups; g++) {
    const id = tree.groupLabel[g]!;
    const child = tables.own(segment, id);
    present.add(child);
    const at = child < 0 ? -1 : edgeOf(tables, label, child);
    if (at < 0 || share(at) < 0.5) extra.push({ text: symbols.labelText(id), words: labelWords(symbols, id) });
  }
  for (const { label: child, edge } of tables.childrenOf[label]!) {
    if (child === label || present.has(child) || share(edge) < 0.5) continue;
    const { text, id } = tables.labels[child]!;
    missing.push({ text, words: labelWords(tables.symbols, id) });
  }
  return { missing, extra };
}
