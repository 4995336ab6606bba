/**
 * Durations of one key and feature, raw and mergeable: a histogram over a growing window of bins, and the 64 largest values
 * exactly, each with its client's hash, so that one client's influence can be bounded when a version is compiled.
 * Counts are 32 bits wide and become 53 where one overflows: nothing is halved, so that merging stays exact (ADR 029).
 */
import { BIN_COUNT, binOf, octavesOf } from './bins.ts';

export const TOP = 64;

export type Counts = Uint32Array | Float64Array;

export interface Sketch {
  n: number;
  /** Bin of counts[0]. */
  low: number;
  counts: Counts;
  /** The largest values, unordered, and their clients. */
  topNs: Float64Array;
  topClient: Int32Array;
  topCount: number;
  /** Index of the smallest of a full top; −1 while it fills. */
  least: number;
}

const NOTHING = new Uint32Array(0);

export const createSketch = (): Sketch => ({
  n: 0,
  low: 0,
  counts: NOTHING,
  topNs: new Float64Array(8),
  topClient: new Int32Array(8),
  topCount: 0,
  least: -1,
});

export function addToSketch(sketch: Sketch, ns: number, client: number): void {
  sketch.n++;
  const bin = binOf(octavesOf(ns));
  const place = bin - sketch.low;
  if (place < 0 || place >= sketch.counts.length) addToBin(sketch, bin, 1);
  else if (++sketch.counts[place]! === OVERFLOW) sketch.counts = widened(sketch.counts, place);
  const { least } = sketch;
  if (least < 0 || ns >= sketch.topNs[least]!) offerTop(sketch, ns, client);
}

const ROOM = 8;
/** The value of `++counts[place]` at which a 32-bit count has wrapped to 0; the next one is exact again. */
const OVERFLOW = 2 ** 32;

/** 53-bit counts; the one at `wrapped` went over. */
function widened(counts: Counts, wrapped: number): Counts {
  if (counts instanceof Float64Array) return counts;
  const wider = Float64Array.from(counts);
  if (wrapped >= 0) wider[wrapped] = OVERFLOW;
  return wider;
}

function addToBin(sketch: Sketch, bin: number, count: number): void {
  const { low, counts } = sketch;
  const place = bin - low;
  if (place >= 0 && place < counts.length) {
    const sum = counts[place]! + count;
    if (sum >= OVERFLOW) sketch.counts = widened(counts, -1);
    sketch.counts[place] = sum;
    return;
  }
  const from = counts.length === 0 ? bin : Math.min(low, bin);
  const to = counts.length === 0 ? bin + 1 : Math.max(low + counts.length, bin + 1);
  const newLow = bin < low || counts.length === 0 ? Math.max(0, from - ROOM) : low;
  const newEnd = Math.min(BIN_COUNT, bin >= low + counts.length ? to + ROOM : to);
  const wide = counts instanceof Float64Array || count >= OVERFLOW;
  const wider = wide ? new Float64Array(newEnd - newLow) : new Uint32Array(newEnd - newLow);
  if (counts.length > 0) wider.set(counts, low - newLow);
  wider[bin - newLow]! += count;
  sketch.low = newLow;
  sketch.counts = wider;
}

/** Keeps the 64 greatest by (value, client): an order without ties, so that merging in any order gives the same. */
function offerTop(sketch: Sketch, ns: number, client: number): void {
  if (sketch.topCount < TOP) {
    if (sketch.topCount === sketch.topNs.length) growTop(sketch);
    sketch.topNs[sketch.topCount] = ns;
    sketch.topClient[sketch.topCount++] = client;
    if (sketch.topCount === TOP) sketch.least = leastOf(sketch);
    return;
  }
  const { least, topNs, topClient } = sketch;
  if (ns === topNs[least]! && client <= topClient[least]!) return;
  topNs[least] = ns;
  topClient[least] = client;
  sketch.least = leastOf(sketch);
}

function growTop(sketch: Sketch): void {
  const size = Math.min(TOP, 2 * sketch.topNs.length);
  const ns = new Float64Array(size);
  const clients = new Int32Array(size);
  ns.set(sketch.topNs);
  clients.set(sketch.topClient);
  sketch.topNs = ns;
  sketch.topClient = clients;
}

function leastOf({ topNs, topClient, topCount }: Sketch): number {
  let least = 0;
  for (let i = 1; i < topCount; i++) {
    if (topNs[i]! < topNs[least]! || (topNs[i] === topNs[least] && topClient[i]! < topClient[least]!)) least = i;
  }
  return least;
}

export function mergeSketch(into: Sketch, from: Sketch): void {
  into.n += from.n;
  for (let i = 0; i < from.counts.length; i++) {
    if (from.counts[i]! > 0) addToBin(into, from.low + i, from.counts[i]!);
  }
  for (let i = 0; i < from.topCount; i++) {
    const ns = from.topNs[i]!;
    if (into.least < 0 || ns >= into.topNs[into.least]!) offerTop(into, ns, from.topClient[i]!);
  }
}

/** n, first bin, counts, then (value, client) pairs, largest first: equal sketches give equal forms. */
export type SketchForm = readonly [number, number, readonly number[], readonly (readonly [number, number])[]];

export function sketchToForm(sketch: Sketch): SketchForm {
  const { counts } = sketch;
  let first = 0;
  let last = counts.length;
  while (first < last && counts[first] === 0) first++;
  while (last > first && counts[last - 1] === 0) last--;
  return [sketch.n, sketch.low + first, [...counts.subarray(first, last)], topPairs(sketch)];
}

export function topPairs(sketch: Sketch): [number, number][] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < sketch.topCount; i++) pairs.push([sketch.topNs[i]!, sketch.topClient[i]!]);
  return pairs.sort((a, b) => b[0] - a[0] || b[1] - a[1]);
}

export function sketchFromForm([n, low, counts, top]: SketchForm): Sketch {
  const sketch = createSketch();
  for (const [ns, client] of top) offerTop(sketch, ns, client);
  sketch.n = n;
  sketch.low = low;
  sketch.counts = counts.some((count) => count >= OVERFLOW) ? Float64Array.from(counts) : Uint32Array.from(counts);
  return sketch;
}

/**
 * Takes out what known clients gave beyond their share of the key, their largest values first (DETECTION §7 influence);
 * the first `free` of each are always taken. Only the largest values can move a tail, so only they are looked at.
 */
export function boundInfluence(sketch: Sketch, share: number, free: number): void {
  const allowed = Math.max(free, Math.floor(share * sketch.n));
  const given = new Map<number, number>();
  for (let i = 0; i < sketch.topCount; i++) {
    const client = sketch.topClient[i]!;
    if (client !== 0) given.set(client, (given.get(client) ?? 0) + 1);
  }
  if (![...given.values()].some((count) => count > allowed)) return;
  const kept: [number, number][] = [];
  for (const [ns, client] of topPairs(sketch)) {
    const count = given.get(client) ?? 0;
    if (count > allowed) {
      given.set(client, count - 1);
      sketch.n--;
      sketch.counts[binOf(octavesOf(ns)) - sketch.low]!--;
    } else kept.push([ns, client]);
  }
  sketch.topCount = 0;
  sketch.least = -1;
  for (const [ns, client] of kept) offerTop(sketch, ns, client);
}
