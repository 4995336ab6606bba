/**
 * Timing partial: for each (parent label, label, outcome) the sketches of total and self time and of asynchronous lag, for
 * each family of requests that of the time end to end. Merging is exact.
 */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Segment, Symbols } from '../../traces/segment.ts';
import type { LearnContext } from '../model.ts';
import { alignClocks, type Clocks, createClocks } from './clocks.ts';
import { createFamilyReader, type FamilyReader } from './family.ts';
import { createKeyTable, findKey, type KeyTable, putKey } from './key-table.ts';
import { lagOf } from './lag.ts';
import {
  addToSketch,
  createSketch,
  mergeSketch,
  type Sketch,
  type SketchForm,
  sketchFromForm,
  sketchToForm,
} from './sketch.ts';

/** Time buckets a key remembers: the smallest ones, enough to tell whether it was seen in several. */
const BUCKETS = 8;

export interface TimingKey {
  /** Index of the parent's label text in the partial's own dictionary; 0 = entry. */
  readonly parent: number;
  readonly label: number;
  readonly outcome: number;
  /** Ascending. */
  readonly buckets: number[];
  maxChildren: number;
  readonly self: Sketch;
  readonly total: Sketch;
  /** Of CONSUMER spans under the PRODUCER that handed the message over. */
  lag: Sketch | undefined;
}

/** Requests of one family, end to end. */
export interface TimingFamily {
  /** Index of the entry's label text. */
  readonly label: number;
  readonly outcome: number;
  readonly family: number;
  readonly buckets: number[];
  readonly total: Sketch;
}

/** Families remembered: those with the smallest numbers, so that the same ones stay in whatever order they come. */
export const MOST_FAMILIES = 2_048;

export interface TimingPartial {
  /** The partial's own dictionary of label texts: it outlives the process, symbols don't. [0] = ''. */
  readonly labels: string[];
  readonly indexOf: Map<string, number>;
  readonly keys: TimingKey[];
  readonly table: KeyTable;
  /** By family and outcome (see familyKey). */
  readonly families: Map<number, TimingFamily>;
  /** No family above it is taken up; Infinity while there is room. */
  familyBound: number;
  /** Segments left out because they were scored p* < 1e-4 before they would have been learned. */
  quarantined: number;
  /** Label id → own index + 1, for the symbols met last. */
  symbols: Symbols | undefined;
  ownOf: Int32Array;
  readonly clocks: Clocks;
  readonly familyReader: FamilyReader;
}

export const createTimingPartial = (): TimingPartial => ({
  labels: [''],
  indexOf: new Map([['', 0]]),
  keys: [],
  table: createKeyTable(),
  families: new Map(),
  familyBound: Number.POSITIVE_INFINITY,
  quarantined: 0,
  symbols: undefined,
  ownOf: new Int32Array(0),
  clocks: createClocks(),
  familyReader: createFamilyReader(),
});

export function learnTiming(partial: TimingPartial, segment: Segment, context: LearnContext): void {
  if (context.quarantined) {
    partial.quarantined++;
    return;
  }
  if (partial.symbols !== segment.symbols) {
    partial.symbols = segment.symbols;
    partial.ownOf = new Int32Array(0);
  }
  const { bucket, client } = context;
  const { parent, label, outcome, durationNs, childCount, spanCount } = segment;
  alignClocks(partial.clocks, segment);
  const { selfNs } = partial.clocks;
  for (let i = 0; i < spanCount; i++) {
    const above = parent[i]!;
    const key = keyOf(
      partial,
      above < 0 ? 0 : ownIndex(partial, label[above]!),
      ownIndex(partial, label[i]!),
      outcome[i]!,
    );
    if (selfNs[i]! >= 0) addToSketch(key.self, selfNs[i]!, client);
    if (childCount[i]! > 0) {
      if (durationNs[i]! >= 0) addToSketch(key.total, durationNs[i]!, client);
      if (childCount[i]! > key.maxChildren) key.maxChildren = childCount[i]!;
    }
    const lag = lagOf(segment, i);
    if (lag >= 0) {
      key.lag ??= createSketch();
      addToSketch(key.lag, lag, client);
    }
    noteBucket(key.buckets, bucket);
  }
  if (spanCount > 1 && durationNs[0]! >= 0) {
    const family = familyOf(partial, partial.familyReader.read(segment), ownIndex(partial, label[0]!), outcome[0]!);
    if (family !== undefined) {
      addToSketch(family.total, durationNs[0]!, client);
      noteBucket(family.buckets, bucket);
    }
  }
}

/** Families are below 2^53 / 4 for their outcome to fit beside them. */
export const familyKey = (family: number, outcome: number): number => (family % 2 ** 51) * 4 + outcome;

function familyOf(partial: TimingPartial, family: number, label: number, outcome: number): TimingFamily | undefined {
  const at = familyKey(family, outcome);
  const known = partial.families.get(at);
  if (known !== undefined) return known;
  if (at > partial.familyBound) return undefined;
  const created: TimingFamily = { label, outcome, family, buckets: [], total: createSketch() };
  partial.families.set(at, created);
  if (partial.families.size > MOST_FAMILIES) {
    const kept = Float64Array.from(partial.families.keys()).sort();
    partial.families.delete(kept[MOST_FAMILIES]!);
    partial.familyBound = kept[MOST_FAMILIES - 1]!;
    return partial.families.get(at);
  }
  return created;
}

function ownIndex(partial: TimingPartial, label: number): number {
  if (label < partial.ownOf.length) {
    const known = partial.ownOf[label]!;
    if (known !== 0) return known - 1;
  } else {
    const wider = new Int32Array(Math.max(256, 2 * label));
    wider.set(partial.ownOf);
    partial.ownOf = wider;
  }
  const own = textIndex(partial, partial.symbols!.labelText(label));
  partial.ownOf[label] = own + 1;
  return own;
}

function textIndex(partial: TimingPartial, text: string): number {
  let own = partial.indexOf.get(text);
  if (own === undefined) {
    own = partial.labels.length;
    partial.labels.push(text);
    partial.indexOf.set(text, own);
  }
  return own;
}

function keyOf(partial: TimingPartial, parent: number, label: number, outcome: number): TimingKey {
  const found = findKey(partial.table, parent, label * 4 + outcome);
  if (found >= 0) return partial.keys[found]!;
  const key: TimingKey = {
    parent,
    label,
    outcome,
    buckets: [],
    maxChildren: 0,
    self: createSketch(),
    total: createSketch(),
    lag: undefined,
  };
  putKey(partial.table, parent, label * 4 + outcome, partial.keys.length);
  partial.keys.push(key);
  return key;
}

/** The smallest distinct buckets: whatever the order they come in, the same ones stay. */
function noteBucket(buckets: number[], bucket: number): void {
  const count = buckets.length;
  if (count > 0 && buckets[count - 1] === bucket) return;
  if (count === BUCKETS && bucket > buckets[count - 1]!) return;
  if (buckets.includes(bucket)) return;
  buckets.push(bucket);
  buckets.sort((a, b) => a - b);
  if (buckets.length > BUCKETS) buckets.pop();
}

export function mergeTiming(into: TimingPartial, from: TimingPartial): void {
  into.quarantined += from.quarantined;
  const ownOf = from.labels.map((text) => textIndex(into, text));
  for (const key of from.keys) {
    const target = keyOf(into, ownOf[key.parent]!, ownOf[key.label]!, key.outcome);
    mergeSketch(target.self, key.self);
    mergeSketch(target.total, key.total);
    if (key.lag !== undefined) {
      target.lag ??= createSketch();
      mergeSketch(target.lag, key.lag);
    }
    target.maxChildren = Math.max(target.maxChildren, key.maxChildren);
    for (const bucket of key.buckets) noteBucket(target.buckets, bucket);
  }
  for (const { family, label, outcome, total, buckets } of from.families.values()) {
    const target = familyOf(into, family, ownOf[label]!, outcome);
    if (target === undefined) continue;
    mergeSketch(target.total, total);
    for (const bucket of buckets) noteBucket(target.buckets, bucket);
  }
}

/** Parent, label, outcome, buckets, most children, self, total, lag. */
type KeyForm = readonly [
  string,
  string,
  number,
  readonly number[],
  number,
  SketchForm,
  SketchForm,
  (SketchForm | null)?,
];
/** Entry's label, outcome, family, buckets, end to end. */
type FamilyForm = readonly [string, number, number, readonly number[], SketchForm];

interface PartialForm {
  readonly quarantined: number;
  readonly keys: readonly KeyForm[];
  readonly families?: readonly FamilyForm[];
}

export function encodeTiming(partial: TimingPartial): Uint8Array {
  const keys = partial.keys.map(
    (key): KeyForm => [
      partial.labels[key.parent]!,
      partial.labels[key.label]!,
      key.outcome,
      key.buckets,
      key.maxChildren,
      sketchToForm(key.self),
      sketchToForm(key.total),
      key.lag === undefined ? null : sketchToForm(key.lag),
    ],
  );
  keys.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]) || a[2] - b[2]);
  const families = [...partial.families]
    .sort((a, b) => a[0] - b[0])
    .map(
      ([, one]): FamilyForm => [
        partial.labels[one.label]!,
        one.outcome,
        one.family,
        one.buckets,
        sketchToForm(one.total),
      ],
    );
  const form: PartialForm = { quarantined: partial.quarantined, keys, families };
  return new TextEncoder().encode(JSON.stringify(form));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function decodeTiming(bytes: Uint8Array): TimingPartial {
  try {
    const form = JSON.parse(new TextDecoder().decode(bytes)) as PartialForm;
    const partial = createTimingPartial();
    partial.quarantined = form.quarantined;
    for (const [parent, label, outcome, buckets, maxChildren, self, total, lag] of form.keys) {
      const p = textIndex(partial, parent);
      const l = textIndex(partial, label);
      putKey(partial.table, p, l * 4 + outcome, partial.keys.length);
      partial.keys.push({
        parent: p,
        label: l,
        outcome,
        buckets: [...buckets],
        maxChildren,
        self: sketchFromForm(self),
        total: sketchFromForm(total),
        lag: lag === undefined || lag === null ? undefined : sketchFromForm(lag),
      });
    }
    for (const [label, outcome, family, buckets, total] of form.families ?? []) {
      const target = familyOf(partial, family, textIndex(partial, label), outcome);
      if (target === undefined) continue;
      mergeSketch(target.total, sketchFromForm(total));
      target.buckets.push(...buckets);
    }
    return partial;
  } catch (error) {
    throw new SpanwardenError('BASELINE_DAMAGED', 'a timing partial could not be read', { cause: error });
  }
}
