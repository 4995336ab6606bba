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
import { createKeyTable, findKey, type KeyTable, putKey } from '../timing/key-table.ts';
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

interface CompiledEdge {
  readonly form: StatusKeyForm;
  readonly counts: EdgeCounts;
  /** p of a class never seen here. */
  readonly unseen: number;
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

export function createStatusModel(forms: readonly StatusKeyForm[], symbols: Symbols): Model {
  const edges = forms.map((form): CompiledEdge => {
    const counts = edgeFromForm(form.edge);
    let singletons = 0;
    for (const bursts of counts.classes.values()) if (bursts[0] === 1) singletons++;
    const unseen = Math.max(BEYOND / (counts.segments + 1), singletons / (counts.segments + 1));
    return { form, counts, unseen };
  });
  const byEdge: KeyTable = createKeyTable(edges.length);
  const byLabel = new Map<number, number>();
  for (const [index, { form }] of edges.entries()) {
    if (form.state === 'observe') continue;
    const label = symbols.labelFromText(form.edge[1]);
    if (form.level === 'label') byLabel.set(label, index);
    else putKey(byEdge, form.edge[0] === '' ? 0 : symbols.labelFromText(form.edge[0]), label, index);
  }
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
      if (found <= 299 && isUsual(edges[k]!, found)) continue; // the common case costs no more than this
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
      const p = probability(edges[edgeOf[g]!]!, classes[g]!, times[g]!);
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
    told.map(({ g, p }) => findingOf(segment, first[g]!, edges[edgeOf[g]!]!, classes[g]!, times[g]!, p));

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
    for (const { form, counts } of edges) {
      if (form.level !== 'label') continue;
      const { service, operation } = symbols.labelOf(symbols.labelFromText(form.edge[1]));
      yield {
        group: 'status',
        service: symbols.text(service),
        operation: symbols.text(operation),
        state: form.state,
        count: counts.segments,
      };
    }
  }

  function* entries(): Iterable<BaselineEntry> {
    for (const { form } of edges) {
      const [parent, label] = form.edge;
      const key = form.level === 'edge' ? `${parent} → ${label}` : label;
      yield { group: 'status', kind: form.level, key, value: JSON.stringify(form) };
    }
  }

  return { score, unlisted, entries, coverage };
}

/** Half of the edge's segments or more end so. */
const isUsual = (edge: CompiledEdge, found: number): boolean => {
  const bursts = edge.counts.classes.get(found);
  return bursts !== undefined && 2 * bursts[0]! >= edge.counts.segments;
};

/** Share of segments in which something came that is at most as frequent: several rare classes are each other's company. */
function probability(edge: CompiledEdge, found: number, times: number): number {
  const { segments, classes } = edge.counts;
  const bursts = classes.get(found);
  if (bursts === undefined) return Math.min(1, edge.unseen);
  const burst = burstOf(times);
  const seen = bursts[burst]!;
  const beyond = burst > 0 && seen === 0 && (burst === BURSTS - 1 || bursts[burst - 1] === 0) ? BEYOND : 1;
  let asRare = 0;
  for (const [other, counts] of classes) {
    if (other === found) asRare += seen;
    else if (other > 299 || !isUsual(edge, other)) asRare += counts.find((count) => count <= seen) ?? 0;
  }
  return Math.min(1, (beyond * (1 + asRare)) / (segments + 1));
}

function findingOf(segment: Segment, i: number, edge: CompiledEdge, found: number, times: number, p: number): Finding {
  const { symbols } = segment;
  const { segments, classes } = edge.counts;
  const service = symbols.text(segment.service[i]!);
  const operation = symbols.text(segment.operation[i]!);
  const known = classes.get(found)?.[0] ?? 0;
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
