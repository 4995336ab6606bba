/**
 * The local models of one segment: every call is held against what was learned of its parent (DETECTION §1). Gives one
 * probability for the group and the features that explain it.
 */
import { type Broken, brokenRule, hasChild, missingAncestor } from './absence.ts';
import { type Fan, fanP } from './fan.ts';
import { type Feature, feature, LISTED_P, LISTED_UNSEEN_P } from './feature.ts';
import { isAnswered, isClientCall } from './learn.ts';
import { lookUp } from './number-table.ts';
import { edgeOf, setKeyOf, type Tables } from './tables.ts';
import { childSetKey, FAILED, groupChildren, OK, outcomeClass, type Tree } from './tree.ts';
import { familyKey } from './tree-table.ts';

export interface LocalResult {
  /** Harmonic mean over distinct parents of their least p. */
  p: number;
  severity: number;
  /** Share of the calls whose label is unknown or in state observe. */
  observed: number;
  /** Broken rules that are near-certain, and service pairs never seen. */
  hard: number;
  readonly features: Feature[];
}

/** A fan-out is hard from this ratio to the maximum, and this many calls on (DETECTION §6). */
const HARD_RATIO = 8;
const HARD_COUNT = 30;
/** A tree that is no signature is listed where nothing else explains it, and such trees are this rare; lost spans alike. */
const LISTED_TREE_P = 0.01;
/** An attacker's trace may deviate at every node: so many are put in words. */
export const MAX_FEATURES = 64;
const MAX_HARD_FEATURES = 192;

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
  broken: Broken[];
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
  const { segment, node, above, folds } = tree;
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
  let telemetryLost = false;

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
    const outcome = outcomeClass(tree, i);
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
        const p = fanP(edge.fan, times, absence && outcome === OK, edge.active);
        if (p < 1) {
          lower(label, p);
          if (p <= LISTED_P || times > edge.fan.max) judgeFan(p, edge.fan, times, i, first, mature, row.fan, add);
        }
        continue;
      }
      const p = child < 0 ? Math.min(row.edgeP, tables.operationP) : row.edgeP;
      lower(label, p);
      if (judgePair(tables, tree, i, first, add)) lower(label, tables.pairP);
      else if (p <= LISTED_UNSEEN_P) add(unseen(tables, tree, first, i, child, p, row.calls));
      if (mature && times >= HARD_COUNT) judgeFan(p, row.fan, times, i, first, mature, row.fan, add);
    }
    if (groups > 1) {
      const p = fanP(row.fan, total, false, row.state === 'active');
      if (p < 1) lower(label, p);
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
    const setP = set >= 0 ? tables.setP[set]! : row.setP[outcome];
    if (row.answeredBy >= 0 && isClientCall(segment, i) && !isAnswered(tree, i)) {
      // The call was made, and what is missing is the telemetry of the service called: as often as it gets lost.
      telemetryLost = true;
      lower(label, row.silentP);
      if (row.silentP <= LISTED_TREE_P) {
        const support = row.calls - row.failed;
        add(feature('missing-telemetry', true, i, above[i]!, row.silentP, 0.5, support));
      }
      continue;
    }
    if (setP < 1) {
      lower(label, setP);
      if (setP <= LISTED_P || (set < 0 && setP <= 0.01)) {
        const seen = set >= 0 ? tables.setCount[set]! : 0;
        add(feature('child-set', true, i, above[i]!, setP, set < 0 ? 0.5 : 0.25, row.calls, { count: seen }));
      }
    }
    if (outcome === FAILED) continue;
    for (const rule of row.children) {
      if (rule.calledAnyway) continue;
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
  let rulesP = 1;
  for (const one of broken) {
    const found = brokenRule(tables, tree, own, one, rulesTested, telemetryLost);
    const upper = above[one.node]!;
    const owner = one.rule.line.form === 'child' ? own[one.node]! : upper < 0 ? root : own[upper]!;
    if (owner >= 0 && stamp[owner] === mark) lower(owner, found.p);
    if (found.p < rulesP) rulesP = found.p;
    add(found);
  }

  // In a fixed order: the same tree must give the same last bit, whatever the order of its siblings in time.
  parents.subarray(0, distinct).sort();
  let sum = 0;
  for (let k = 0; k < distinct; k++) sum += 1 / least[parents[k]!]!;
  // p of a broken rule has all rules of the segment counted in: parents are not counted once more.
  out.p = Math.min(rulesP, distinct === 0 ? 1 : distinct / sum);
  out.observed = nodes === 0 ? 0 : observed / nodes;
}

/**
 * A whole tree that was not learned: p by how often such a tree came in learning, 1 where the entry itself is new.
 * `countedP`: of a known signature, by its counts.
 */
export function wholeTreeP(tables: Tables, tree: Tree, countedP: number | undefined): number {
  const entry = tables.own(tree.segment, tree.segment.label[0]!);
  if (entry < 0 || tables.root < 0 || edgeOf(tables, tables.root, entry) < 0) return 1;
  return countedP ?? tables.treeP.family.get(familyKey(entry, tree.setKey[0]!)) ?? tables.treeP.entry[entry]!;
}

/** Where nothing else explains it, the whole tree is what is told. */
export function addWholeTree(tables: Tables, tree: Tree, p: number, counts: boolean, out: LocalResult): void {
  if (p > LISTED_TREE_P || out.features.length > 0) return;
  const { calls } = tables.labels[tables.own(tree.segment, tree.segment.label[0]!)]!;
  out.features.push(feature('whole-tree', true, 0, -1, p, 0.25, calls, { count: counts ? 1 : 0 }));
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
  if (child >= 0) return feature('unseen-edge', false, node, above, p, 1, support);
  const newService = tables.ownService(tree.segment, tree.segment.service[node]!) < 0;
  return feature('unseen-operation', false, node, above, p, newService ? 2 : 1.5, support);
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
  add(feature('service-pair', false, node, above, tables.pairP, hard ? 4 : 2, support, { hard }));
  return true;
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
  add(feature('fan-out', times < fan.max, at, above, p, severity, fan.total, { hard, count: times, max: fan.max }));
}
