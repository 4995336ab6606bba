/**
 * The compiled status group: how rare is this outcome on this edge, and how rare are so many of it in one segment
 * (DETECTION §1 "status")? The tail is the empirical one of segments: a binomial tail over spans would take every burst of
 * retries for a wonder. A class never seen on the edge has the Good–Turing mass of the unseen.
 */
import type { Finding } from '../../schemas/log/verdict.ts';
import { endMsOf, type Segment, type Symbols, spanIdHex } from '../../traces/segment.ts';
import { grouped } from '../fusion/match-line.ts';
import {
  type BaselineEntry,
  type CoverageRow,
  type Evidence,
  type LearningProfile,
  type Maturity,
  type Model,
  NO_FINDINGS,
} from '../model.ts';
import { type PackedEntries, packEntries } from '../packed-entries.ts';
import { createKeyTable, findKey, type KeyTable, putKey } from '../timing/key-table.ts';
import { createEdgeTable, type EdgeTable, placeOf, seenAt } from './edge-table.ts';
import { classOf, classText } from './outcome-class.ts';
import { addEdge, BURSTS, burstOf, type EdgeCounts, type EdgeForm, edgeFromForm, edgeToForm } from './partial.ts';

export interface StatusKeyForm {
  readonly level: 'edge' | 'label';
  readonly state: Maturity;
  readonly edge: EdgeForm;
}

/** Evidence beyond what the sample holds: 0.3 decade (DETECTION §3). */
const BEYOND = 10 ** -0.3;
const TELL_BELOW = 0.01;
const MOST_TOLD = 3;

/** An edge's label, where all of its edges are one: who called it makes no difference. */
interface LabelKey {
  /** In the model's symbol table. */
  readonly id: number;
  readonly state: Maturity;
  readonly index: number;
}

export function compileStatus(edges: readonly EdgeForm[], profile: LearningProfile): StatusKeyForm[] {
  const byLabel = new Map<string, EdgeCounts>();
  const forms: StatusKeyForm[] = [];
  for (const edge of edges) {
    const counts = edgeFromForm(edge);
    forms.push({ level: 'edge', state: stateOf(counts, profile), edge });
    const known = byLabel.get(edge[1]);
    if (known === undefined) byLabel.set(edge[1], counts);
    else addEdge(known, counts);
  }
  for (const [label, counts] of [...byLabel].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    forms.push({ level: 'label', state: stateOf(counts, profile), edge: edgeToForm('', label, counts) });
  }
  return forms;
}

function stateOf(counts: EdgeCounts, profile: LearningProfile): Maturity {
  if (counts.segments < profile.observeBelow || counts.buckets.length < profile.observeBuckets) return 'observe';
  return counts.segments < profile.activeFrom ? 'learning' : 'active';
}

/** `from`: the entries that the forms were read from, if they were. */
export function createStatusModel(forms: readonly StatusKeyForm[], symbols: Symbols, from?: PackedEntries): Model {
  const edges = createEdgeTable(
    forms.map(({ edge }) => edge),
    BEYOND,
  );
  const byEdge: KeyTable = createKeyTable(edges.count);
  const byLabel = new Map<number, number>();
  const labels: LabelKey[] = [];
  for (const [index, { level, state, edge }] of forms.entries()) {
    const label = symbols.labelFromText(edge[1]);
    if (level === 'label') labels.push({ id: label, state, index });
    if (state === 'observe') continue;
    if (level === 'label') byLabel.set(label, index);
    else putKey(byEdge, edge[0] === '' ? 0 : symbols.labelFromText(edge[0]), label, index);
  }
  /** Written when they are asked for: models that only calibrate never are. */
  let pending = from === undefined ? forms : undefined;
  let kept = from;
  // Distinct (edge, class) of the segment at hand: edge key, class, spans, first span.
  let capacity = 64;
  let edgeOf = new Int32Array(capacity);
  let classes = new Int32Array(capacity);
  let times = new Int32Array(capacity);
  let first = new Int32Array(capacity);
  let groups = 0;
  /** Those worth telling, the rarest first. */
  const rare: { readonly g: number; readonly p: number }[] = [];

  function score(segment: Segment, _stage: number, out: Evidence): void {
    const { parent, label, spanCount } = segment;
    groups = 0;
    rare.length = 0;
    let judged = 0;
    let unknown = 0;
    for (let i = 0; i < spanCount; i++) {
      const found = classOf(segment, i);
      if (found === 0) continue;
      judged++;
      const up = parent[i]!;
      let k = findKey(byEdge, up < 0 ? 0 : label[up]!, label[i]!);
      if (k < 0) {
        k = byLabel.get(label[i]!) ?? -1;
        if (k < 0) {
          unknown++;
          continue;
        }
      }
      if (found <= 299 && isUsual(edges, k, found)) continue; // the common case costs no more than this
      let g = 0;
      while (g < groups && (edgeOf[g] !== k || classes[g] !== found)) g++;
      if (g === groups) {
        if (groups === capacity) grow();
        edgeOf[g] = k;
        classes[g] = found;
        times[g] = 0;
        first[g] = i;
        groups++;
      }
      times[g]!++;
    }
    out.similarity = 1;
    out.severity = 0;
    out.findings = NO_FINDINGS;
    out.observed = judged === 0 ? 0 : unknown / judged;
    out.surprise = groups === 0 ? 0 : weigh(segment, judged, out);
  }

  function weigh(segment: Segment, judged: number, out: Evidence): number {
    let sum = Math.max(0, judged - groups);
    for (let g = 0; g < groups; g++) {
      const p = probability(edges, edgeOf[g]!, classes[g]!, times[g]!);
      sum += 1 / p;
      const decades = -Math.log10(p);
      if (decades > out.severity) out.severity = decades;
      if (p <= TELL_BELOW) rare.push({ g, p });
    }
    if (rare.length > 1) rare.sort((a, b) => a.p - b.p || a.g - b.g);
    if (rare.length > 0) out.findings = findingsOf(segment, rare.slice(0, MOST_TOLD));
    return Math.max(0, Math.log10(sum / Math.max(judged, groups)));
  }

  const findingsOf = (segment: Segment, told: typeof rare): Finding[] =>
    told.map(({ g, p }) => findingOf(segment, first[g]!, edges, edgeOf[g]!, classes[g]!, times[g]!, p));

  const unlisted = (segment: Segment): readonly Finding[] => findingsOf(segment, rare.slice(MOST_TOLD));

  function grow(): void {
    capacity *= 2;
    const wider = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(capacity);
      to.set(from);
      return to;
    };
    edgeOf = wider(edgeOf);
    classes = wider(classes);
    times = wider(times);
    first = wider(first);
  }

  function* coverage(): Iterable<CoverageRow> {
    for (const { id, state, index } of labels) {
      const { service, operation } = symbols.labelOf(id);
      yield {
        group: 'status',
        service: symbols.text(service),
        operation: symbols.text(operation),
        state,
        count: edges.segments[index]!,
      };
    }
  }

  function entries(): Iterable<BaselineEntry> {
    kept ??= packEntries(entriesOf(pending!));
    pending = undefined;
    return kept;
  }

  return { score, unlisted, entries, coverage };
}

function* entriesOf(forms: readonly StatusKeyForm[]): Iterable<BaselineEntry> {
  for (const form of forms) {
    const [parent, label] = form.edge;
    const key = form.level === 'edge' ? `${parent} → ${label}` : label;
    yield { group: 'status', kind: form.level, key, value: JSON.stringify(form) };
  }
}

/** Half of the edge's segments or more end so. */
const isUsual = (edges: EdgeTable, edge: number, found: number): boolean => {
  const place = placeOf(edges, edge, found);
  return place >= 0 && 2 * seenAt(edges, place, 0) >= edges.segments[edge]!;
};

/** Share of segments in which something came that is at most as frequent: several rare classes are each other's company. */
function probability(edges: EdgeTable, edge: number, found: number, times: number): number {
  const place = placeOf(edges, edge, found);
  if (place < 0) return Math.min(1, edges.unseen[edge]!);
  const burst = burstOf(times);
  const seen = seenAt(edges, place, burst);
  const beyond =
    burst > 0 && seen === 0 && (burst === BURSTS - 1 || seenAt(edges, place, burst - 1) === 0) ? BEYOND : 1;
  let asRare = 0;
  for (let other = edges.from[edge]!; other < edges.from[edge + 1]!; other++) {
    if (other === place) asRare += seen;
    else if (edges.classes[other]! > 299 || !isUsual(edges, edge, edges.classes[other]!)) {
      asRare += atMost(edges, other, seen);
    }
  }
  return Math.min(1, (beyond * (1 + asRare)) / (edges.segments[edge]! + 1));
}

/** The largest count of the class at a place that is at most `most`, 0 without one. */
function atMost(edges: EdgeTable, place: number, most: number): number {
  for (let b = 0; b < BURSTS; b++) {
    const count = seenAt(edges, place, b);
    if (count <= most) return count;
  }
  return 0;
}

function findingOf(
  segment: Segment,
  i: number,
  edges: EdgeTable,
  edge: number,
  found: number,
  times: number,
  p: number,
): Finding {
  const { symbols } = segment;
  const segments = edges.segments[edge]!;
  const place = placeOf(edges, edge, found);
  const service = symbols.text(segment.service[i]!);
  const operation = symbols.text(segment.operation[i]!);
  const known = place < 0 ? 0 : seenAt(edges, place, 0);
  const startMs = segment.startMs + segment.startNs[i]! / 1e6;
  return {
    kind: 'status',
    group: 'status',
    hard: false,
    evidence: 'presence',
    explanationKey: `${service} · ${operation} · ${classText(found)}`,
    service,
    operation,
    spanId: spanIdHex(segment, i),
    parameter: '',
    expected: `${classText(found)} in ${grouped(known)} of ${grouped(segments)} requests`,
    seen: times === 1 ? classText(found) : `${classText(found)} ${times} times`,
    support: segments,
    severity: -Math.log10(p),
    p,
    share: 0,
    candidate: false,
    startMs,
    endMs: endMsOf(segment, i),
  };
}
