/** A merged partial becomes the lines of a version: admission, influence caps, maturity and rules happen here, once. */
import type { CompileOptions } from '../model.ts';
import type { ByOutcome, Cells, EdgeLine, LabelLine, Mass, PairLine, SetLine, StructureLines } from './entries.ts';
import { absent, createJudge, type Evidence, type Judge, pool } from './evidence.ts';
import { followLines } from './follow-lines.ts';
import { ROOT } from './learn.ts';
import { type EdgeFacts, edgeKey, gatherLinks, type LabelFacts, type Links } from './links.ts';
import { orderLines } from './order-lines.ts';
import type { StructurePartial } from './partial.ts';
import { mineRules } from './rules.ts';
import { learnSignatures } from './signatures.ts';
import { BINS, cellLow, type Tally } from './tally.ts';
import { answeringServices, lostSpans, telemetryLines } from './telemetry.ts';
import { OUTCOMES, type OutcomeClass } from './tree.ts';
import { withoutClients } from './without-clients.ts';

export function compileLines(learned: StructurePartial, options: CompileOptions): StructureLines {
  const partial = withoutClients(learned, options.without ?? []);
  const judge = createJudge(options);
  const links = gatherLinks(partial, judge, options);
  const signatures = learnSignatures(partial, links, judge);
  const answeredBy = answeringServices(links);
  const telemetry = telemetryLines(links, answeredBy);
  const lines: StructureLines = {
    totals: {
      segments: partial.segments,
      clients: options.clients,
      buckets: options.buckets,
      quarantined: partial.quarantined,
      dropped: partial.tally.dropped,
      edges: [0, 0],
      labels: labelMass(links, judge, partial.tally),
      services: serviceMass(links, judge),
      trees: [0, 0],
      sets: NO_SETS,
      lost: lostSpans(partial, telemetry),
    },
    labels: [],
    edges: [],
    sets: [],
    pairs: pairLines(links, judge, partial.tally),
    rules: mineRules(links, judge, options),
    orders: orderLines(links, judge),
    follows: followLines(links, judge),
    telemetry,
    families: signatures.families,
    signatures: signatures.lines,
  };
  const edgesAll: [number, number] = [0, 0];
  const setsAll = NO_SETS.map(() => [0, 0] as [number, number]);
  const treesAll: [number, number] = [0, 0];
  const add = (into: [number, number], mass: Mass): void => {
    into[0] += mass[0];
    into[1] += mass[1];
  };
  for (const label of links.labels.values()) {
    const trees = signatures.masses.get(label.hash) ?? [0, 0];
    add(treesAll, trees);
    const edges = edgeMass(links.edgesOf.get(label.hash) ?? [], judge, partial.tally);
    const sets = OUTCOMES.map((outcome) => setLines(partial, links, judge, label, outcome));
    add(edgesAll, edges);
    for (const outcome of OUTCOMES) add(setsAll[outcome]!, sets[outcome]!.mass);
    if (!label.admitted) continue;
    const masses = sets.map((set) => set.mass) as unknown as ByOutcome<Mass>;
    const line = {
      ...labelLine(links, judge, label, options),
      edges,
      sets: masses,
      trees,
      answeredBy: answeredBy.get(label.hash) ?? '',
    };
    lines.labels.push([links.text(label.hash), line]);
    for (const { lines: found } of sets) lines.sets.push(...found);
    for (const edge of links.edgesOf.get(label.hash) ?? []) {
      if (edge.admitted) lines.edges.push(edgeLine(links, judge, label, edge, options));
    }
  }
  lines.totals = { ...lines.totals, trees: treesAll, edges: edgesAll, sets: setsAll as unknown as ByOutcome<Mass> };
  lines.labels.sort((x, y) => (x[0] < y[0] ? -1 : 1));
  return lines;
}

const NO_SETS: ByOutcome<Mass> = [
  [0, 0],
  [0, 0],
  [0, 0],
];

/** Not admitted, of all: what Good–Turing's missing mass is when rare keys count as unseen. A client's spray is capped. */
function edgeMass(edges: readonly EdgeFacts[], judge: Judge, tally: Tally): Mass {
  let all = 0;
  for (const edge of edges) all += judge.capped(edge.all);
  const rows = edges.filter((edge) => !edge.admitted).flatMap((edge) => edge.rows);
  return [rows.length === 0 ? 0 : judge.capped(pool(tally, rows), all), all];
}

function labelMass(links: Links, judge: Judge, tally: Tally): Mass {
  let all = 0;
  const unseen: EdgeFacts[] = [];
  for (const label of links.labels.values()) if (label.hash !== ROOT) all += judge.capped(label.all);
  for (const edge of links.edges.values()) if (links.labels.get(edge.child)?.admitted !== true) unseen.push(edge);
  const rows = unseen.flatMap((edge) => edge.rows);
  return [rows.length === 0 ? 0 : judge.capped(pool(tally, rows), all), all];
}

/** Calls in services none of whose operations was admitted. */
function serviceMass(links: Links, judge: Judge): Mass {
  const known = new Set<string>();
  for (const label of links.labels.values()) if (label.admitted) known.add(links.serviceOf(label.hash));
  let unseen = 0;
  let all = 0;
  for (const label of links.labels.values()) {
    if (label.hash === ROOT) continue;
    const count = judge.capped(label.all);
    all += count;
    if (!known.has(links.serviceOf(label.hash))) unseen += count;
  }
  return [unseen, all];
}

function cellCounts(cells: readonly [number, Evidence][] | undefined, judge: Judge): Cells {
  return (cells ?? []).map(([cell, evidence]): [number, number] => [cell, judge.capped(evidence)]);
}

/** The largest count that several clients, or nobody known often enough, reached: one client's burst moves no limit. */
function robustMax(cells: readonly [number, Evidence][] | undefined, options: CompileOptions): number {
  if (cells === undefined || cells.length === 0) return 0;
  const bins = new Set<number>();
  let unattributed = 0;
  const several = Math.min(options.profile.admitClients, Math.max(1, options.clients));
  for (let at = cells.length - 1; at >= 0; at--) {
    const evidence = cells[at]![1];
    unattributed += evidence.unattributed;
    for (let i = 0; i < BINS; i++) if (evidence.bins[i]! > 0) bins.add(i);
    if (bins.size >= several || unattributed >= 3) return cellLow(cells[at]![0]);
  }
  return cellLow(cells[0]![0]);
}

type LabelCounts = Pick<LabelLine, 'calls' | 'failed' | 'state' | 'children' | 'childrenMax'>;

function labelLine(links: Links, judge: Judge, label: LabelFacts, options: CompileOptions): LabelCounts {
  const cells = links.cells.get(edgeKey(label.hash, 0));
  const calls = judge.capped(label.all);
  return {
    calls,
    failed: Math.max(0, calls - (label.ok === undefined ? 0 : judge.capped(label.ok))),
    state: judge.state(calls, label.all.buckets),
    children: cellCounts(cells, judge),
    childrenMax: robustMax(cells, options),
  };
}

function edgeLine(links: Links, judge: Judge, parent: LabelFacts, edge: EdgeFacts, options: CompileOptions): EdgeLine {
  const cells = links.cells.get(edgeKey(edge.parent, edge.child));
  const ok = edge.ok === undefined ? 0 : judge.capped(edge.ok);
  const all = judge.capped(edge.all);
  return {
    parent: links.text(edge.parent),
    child: links.text(edge.child),
    ok,
    failed: Math.max(0, all - ok),
    state: judge.state(all, edge.all.buckets),
    rank: edge.all.extra / edge.all.count,
    optional: leftOut(parent.ok, edge.ok, options),
    optionalFailed: leftOut(parent.all, edge.all, options),
    counts: cellCounts(cells, judge),
    max: robustMax(cells, options),
  };
}

/** Parents leave this child out often enough, and not only for one client. */
function leftOut(all: Evidence | undefined, present: Evidence | undefined, options: CompileOptions): boolean {
  if (all === undefined) return false;
  if (present === undefined) return true;
  const without = absent(all, present);
  const { admitOccurrences, admitClients } = options.profile;
  let bins = 0;
  for (const count of without.bins) if (count > 0) bins++;
  const diverse = bins >= Math.min(admitClients, Math.max(1, options.clients));
  return without.count >= admitOccurrences && (diverse || without.unattributed >= 2 * admitOccurrences);
}

function setLines(
  partial: StructurePartial,
  links: Links,
  judge: Judge,
  label: LabelFacts,
  outcome: OutcomeClass,
): { mass: Mass; lines: SetLine[] } {
  const sets = (links.setsOf.get(label.hash) ?? []).filter((set) => set.outcome === outcome);
  let all = 0;
  for (const set of sets) all += judge.capped(set.evidence);
  const strange = sets.filter((set) => !judge.admitted(set.evidence)).map((set) => set.row);
  const unseen = strange.length === 0 ? 0 : judge.capped(pool(partial.tally, strange), all);
  const known = sets
    .filter((set) => judge.admitted(set.evidence))
    .map((set) => ({ set: set.set, count: judge.capped(set.evidence) }))
    .sort((x, y) => x.count - y.count || x.set - y.set);
  const lines: SetLine[] = [];
  let below = unseen;
  for (let at = 0; at < known.length; ) {
    const count = known[at]!.count;
    let end = at;
    while (end < known.length && known[end]!.count === count) end++;
    below += count * (end - at);
    for (; at < end; at++) {
      const { set } = known[at]!;
      const children = (partial.sets.get(set) ?? []).map((hash) => links.text(hash));
      lines.push({
        parent: links.text(label.hash),
        set,
        outcome,
        count,
        mass: [below, all],
        children,
      });
    }
  }
  return { mass: [unseen, all], lines };
}

function pairLines(links: Links, judge: Judge, tally: Tally): PairLine[] {
  const rows = new Map<string, { caller: string; callee: string; rows: number[] }>();
  for (const edge of links.edges.values()) {
    if (edge.parent === ROOT) continue;
    const caller = links.serviceOf(edge.parent);
    const callee = links.serviceOf(edge.child);
    if (caller === callee) continue;
    const key = JSON.stringify([caller, callee]);
    const known = rows.get(key);
    if (known === undefined) rows.set(key, { caller, callee, rows: [...edge.rows] });
    else known.rows.push(...edge.rows);
  }
  const lines: PairLine[] = [];
  for (const { caller, callee, rows: all } of rows.values()) {
    const evidence = pool(tally, all);
    if (judge.admitted(evidence)) lines.push({ caller, callee, count: judge.capped(evidence) });
  }
  return lines.sort((x, y) => (`${x.caller} → ${x.callee}` < `${y.caller} → ${y.callee}` ? -1 : 1));
}
