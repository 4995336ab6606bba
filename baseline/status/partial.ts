/**
 * Status partial: for each edge (parent label, label) in how many segments each outcome class came, and how often at once.
 * Errors come in bursts (one failing call retried), so what is counted is the segment, not the span.
 */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Segment } from '../../traces/segment.ts';
import type { LearnContext } from '../model.ts';
import { classOf } from './outcome-class.ts';

/** Segments with the edge that had at least 1, 2, 4, 8 … spans of a class. */
export const BURSTS = 8;

export interface EdgeCounts {
  /** Segments with the edge and a known outcome on it. */
  segments: number;
  /** Smallest distinct time buckets. */
  buckets: number[];
  /** Class → segments with at least 2^b spans of it. */
  readonly classes: Map<number, number[]>;
}

export interface StatusPartial {
  /** Parent label text → label text → counts. '' for an entry. */
  readonly edges: Map<string, Map<string, EdgeCounts>>;
  quarantined: number;
}

const BUCKETS = 8;

export const createStatusPartial = (): StatusPartial => ({ edges: new Map(), quarantined: 0 });

export function learnStatus(partial: StatusPartial, segment: Segment, context: LearnContext): void {
  if (context.quarantined) {
    partial.quarantined++;
    return;
  }
  const counted = new Map<EdgeCounts, Map<number, number>>();
  const { symbols, parent, label, spanCount } = segment;
  for (let i = 0; i < spanCount; i++) {
    const found = classOf(segment, i);
    if (found === 0) continue;
    const up = parent[i]!;
    const edge = edgeOf(partial, up < 0 ? '' : symbols.labelText(label[up]!), symbols.labelText(label[i]!));
    let classes = counted.get(edge);
    if (classes === undefined) {
      classes = new Map();
      counted.set(edge, classes);
    }
    classes.set(found, (classes.get(found) ?? 0) + 1);
  }
  for (const [edge, classes] of counted) {
    edge.segments++;
    noteBucket(edge.buckets, context.bucket);
    for (const [found, times] of classes) {
      let bursts = edge.classes.get(found);
      if (bursts === undefined) {
        bursts = new Array<number>(BURSTS).fill(0);
        edge.classes.set(found, bursts);
      }
      for (let b = 0; b <= burstOf(times); b++) bursts[b]!++;
    }
  }
}

/** floor(log2(times)), capped. */
export const burstOf = (times: number): number => Math.min(BURSTS - 1, 31 - Math.clz32(times));

function edgeOf(partial: StatusPartial, parent: string, label: string): EdgeCounts {
  let labels = partial.edges.get(parent);
  if (labels === undefined) {
    labels = new Map();
    partial.edges.set(parent, labels);
  }
  let edge = labels.get(label);
  if (edge === undefined) {
    edge = { segments: 0, buckets: [], classes: new Map() };
    labels.set(label, edge);
  }
  return edge;
}

function noteBucket(buckets: number[], bucket: number): void {
  if (buckets.includes(bucket)) return;
  if (buckets.length === BUCKETS && bucket > buckets[BUCKETS - 1]!) return;
  buckets.push(bucket);
  buckets.sort((a, b) => a - b);
  if (buckets.length > BUCKETS) buckets.pop();
}

export function addEdge(into: EdgeCounts, from: EdgeCounts): void {
  into.segments += from.segments;
  for (const bucket of from.buckets) noteBucket(into.buckets, bucket);
  for (const [found, bursts] of from.classes) {
    const known = into.classes.get(found);
    if (known === undefined) into.classes.set(found, [...bursts]);
    else for (let b = 0; b < BURSTS; b++) known[b]! += bursts[b]!;
  }
}

export function mergeStatus(into: StatusPartial, from: StatusPartial): void {
  into.quarantined += from.quarantined;
  for (const [parent, labels] of from.edges) {
    for (const [label, edge] of labels) addEdge(edgeOf(into, parent, label), edge);
  }
}

/** Parent, label, segments, buckets, classes: as an entry and a partial hold an edge. */
export type EdgeForm = readonly [string, string, number, readonly number[], readonly (readonly [number, number[]])[]];

export const edgeToForm = (parent: string, label: string, edge: EdgeCounts): EdgeForm => [
  parent,
  label,
  edge.segments,
  edge.buckets,
  [...edge.classes].sort((a, b) => a[0] - b[0]),
];

export const edgeFromForm = ([, , segments, buckets, classes]: EdgeForm): EdgeCounts => ({
  segments,
  buckets: [...buckets],
  classes: new Map(classes.map(([found, bursts]) => [found, [...bursts]])),
});

export function edgeForms(partial: StatusPartial): EdgeForm[] {
  const forms: EdgeForm[] = [];
  for (const [parent, labels] of partial.edges) {
    for (const [label, edge] of labels) forms.push(edgeToForm(parent, label, edge));
  }
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return forms.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
}

export const encodeStatus = (partial: StatusPartial): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ quarantined: partial.quarantined, edges: edgeForms(partial) }));

export function decodeStatus(bytes: Uint8Array): StatusPartial {
  try {
    const form = JSON.parse(new TextDecoder().decode(bytes)) as { quarantined: number; edges: EdgeForm[] };
    const partial = createStatusPartial();
    partial.quarantined = form.quarantined;
    for (const edge of form.edges) addEdge(edgeOf(partial, edge[0], edge[1]), edgeFromForm(edge));
    return partial;
  } catch (error) {
    throw new SpanwardenError('BASELINE_DAMAGED', 'a status partial could not be read', { cause: error });
  }
}
