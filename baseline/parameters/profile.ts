/**
 * A parameter's profile: effective counts by feature, as published, and the tables that scoring reads. Counts become
 * inverse probabilities: a rare feature has the mass of everything at most as rare, an unseen one the Good–Turing mass, a
 * quantity the mass of its tail, and none claims more than 0.3 decade beyond 1/(N+1) (DETECTION §3).
 */
import type { Maturity } from '../model.ts';
import { kindOf } from './counts.ts';
import { binsPerOctave, type Kind, ORDINAL } from './features.ts';
import { avalanche } from './hash.ts';

const KINDS = 16;

/** Published counts of one kind of feature. Integers only, so that entries round-trip exactly. */
export interface KindCounts {
  readonly kind: Kind;
  /** Values that the counts are a share of. */
  total: number;
  /** Mass of everything that is not listed: unadmitted, beyond the top, unseen (Good–Turing). */
  other: number;
  /** Of `other`, what was never seen at all. */
  unseen: number;
  /** Keys above it are not judged: the kind overflowed in learning. */
  bound: number;
  /** Keys ascending, and their effective counts. */
  keys: number[];
  counts: number[];
}

export interface ProfileData {
  readonly source: number;
  /** Text, or where `hidden` the hash of one that was not admitted (hidden-names.ts). */
  readonly name: string;
  readonly hidden?: boolean;
  /** Effective observations without attack-pattern hits. */
  n: number;
  /** Observations with an attack-pattern hit, admitted or not. */
  hits: number;
  clients: number;
  buckets: number;
  quarantined: number;
  state: Maturity;
  kinds: KindCounts[];
  /** Shapes of values with attack patterns, where these are everyday; empty elsewhere. */
  hitKinds: KindCounts[];
  /** Names of egress classes and tables of statements, by form key, ascending. */
  texts: (readonly [number, string])[];
  /** Statements seen by several clients at several times, yet too rarely to be admitted: form keys, ascending. */
  pending: number[];
  /** The operation calls so many public names that any is normal. */
  anyPublic: boolean;
}

export interface Profile {
  readonly data: ProfileData;
  /** Smallest p this profile may claim. */
  readonly floor: number;
  readonly capacity: number;
  readonly keys: Uint32Array;
  readonly inverse: Float64Array;
  /** 1/p of what is not listed, by kind; 1 = the kind says nothing. */
  readonly other: Float64Array;
  readonly bounds: Uint32Array;
  /** Ordinal kinds: learned bins ascending, 1/p each. */
  readonly bins: readonly (Int32Array | null)[];
  readonly binInverse: readonly (Float64Array | null)[];
  /** Of values with attack patterns that are benign here; null where such values are too rare to have shapes of their own. */
  readonly hits: Profile | null;
}

/** 0.3 decade: half of 1/(N+1). */
const BEYOND = 0.5;

export const floorOf = (n: number, state: Maturity): number => (state === 'active' ? BEYOND : 1) / (n + 1);

const isOrdinal = (kind: number): boolean => (ORDINAL as readonly number[]).includes(kind);

/**
 * 1/p of each count: the mass of all that is at most as frequent. What is not listed (`other`) counts as rarer than anything
 * that is: two orders, one for each, would together claim half of what happens (test/unit/parameters/null.test.ts).
 */
export const rarities = (counts: readonly number[], other: number, total: number, floor: number): number[] => {
  const order = counts.map((_, i) => i).sort((a, b) => counts[a]! - counts[b]!);
  const out = new Array<number>(counts.length).fill(1);
  let mass = 0;
  for (let i = 0; i < order.length; ) {
    const n = counts[order[i]!]!;
    let j = i;
    while (j < order.length && counts[order[j]!] === n) {
      mass += n;
      j++;
    }
    const p = Math.min(1, Math.max(floor, (mass + other) / total));
    for (let k = i; k < j; k++) out[order[k]!] = 1 / p;
    i = j;
  }
  return out;
};

/** 1/p of each bin: twice the smaller tail. */
const tails = (counts: readonly number[], total: number, floor: number): Float64Array => {
  const out = new Float64Array(counts.length);
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    below += counts[i]!;
    const above = total - below + counts[i]!;
    const p = Math.min(1, Math.max(floor, (2 * Math.min(below, above)) / total));
    out[i] = 1 / p;
  }
  return out;
};

export const compileProfile = (data: ProfileData): Profile => {
  const floor = floorOf(data.n, data.state);
  let entries = 0;
  for (const kind of data.kinds) if (!isOrdinal(kind.kind)) entries += kind.keys.length;
  let capacity = 16;
  while (capacity < entries * 2) capacity *= 2;
  const keys = new Uint32Array(capacity);
  const inverse = new Float64Array(capacity);
  const other = new Float64Array(KINDS).fill(1);
  const bounds = new Uint32Array(KINDS).fill(0xffffffff);
  const bins: (Int32Array | null)[] = new Array(KINDS).fill(null);
  const binInverse: (Float64Array | null)[] = new Array(KINDS).fill(null);
  for (const kind of data.kinds) {
    if (kind.total <= 0) continue;
    bounds[kind.kind] = kind.bound;
    if (isOrdinal(kind.kind)) {
      if (kind.keys.length === 0) continue;
      bins[kind.kind] = Int32Array.from(kind.keys, (key) => key & 0x0fffffff);
      binInverse[kind.kind] = tails(kind.counts, kind.total, floor);
      continue;
    }
    other[kind.kind] = 1 / Math.min(1, Math.max(floor, kind.other / kind.total));
    const rare = rarities(kind.counts, kind.other, kind.total, floor);
    for (let i = 0; i < kind.keys.length; i++) {
      let at = avalanche(kind.keys[i]!) & (capacity - 1);
      while (keys[at] !== 0) at = (at + 1) & (capacity - 1);
      keys[at] = kind.keys[i]!;
      inverse[at] = rare[i]!;
    }
  }
  const hits =
    data.hitKinds.length === 0
      ? null
      : compileProfile({ ...data, n: data.hitKinds[0]!.total, kinds: data.hitKinds, hitKinds: [] });
  return { data, floor, capacity, keys, inverse, other, bounds, bins, binInverse, hits };
};

/** 1/p of a feature key; negative when the key is not listed. */
export const inverseOf = (profile: Profile, key: number): number => {
  const { keys } = profile;
  const mask = profile.capacity - 1;
  let at = avalanche(key) & mask;
  for (;;) {
    const found = keys[at]!;
    if (found === key) return profile.inverse[at]!;
    if (found === 0) break;
    at = (at + 1) & mask;
  }
  const kind = kindOf(key);
  if (key > profile.bounds[kind]!) return 1;
  return -profile.other[kind]!;
};

/** How far outside the learned range a bin lies, in octaves; 0 inside. */
export const octavesOutside = (profile: Profile, kind: Kind, bin: number): number => {
  const bins = profile.bins[kind];
  if (bins === null || bins === undefined) return 0;
  const low = bins[0]!;
  const high = bins[bins.length - 1]!;
  const distance = bin > high ? bin - high : bin < low ? low - bin : 0;
  return distance / binsPerOctave(kind);
};

/** 1/p of a quantity. Beyond the range the tail falls by a decade an octave, down to the floor. */
export const ordinalInverse = (profile: Profile, kind: Kind, bin: number): number => {
  const bins = profile.bins[kind];
  const inverse = profile.binInverse[kind];
  if (bins === null || bins === undefined || inverse === null || inverse === undefined) return 1;
  const last = bins.length - 1;
  const octaves = octavesOutside(profile, kind, bin);
  if (octaves > 0) {
    const edge = bin > bins[last]! ? inverse[last]! : inverse[0]!;
    return Math.min(1 / profile.floor, edge * 10 ** Math.min(octaves, 12));
  }
  // First learned bin at or above: a gap inside the range has the tail of its outer neighbour.
  let lo = 0;
  let hi = last;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (bins[mid]! < bin) lo = mid + 1;
    else hi = mid;
  }
  if (bins[lo] === bin || lo === 0) return inverse[lo]!;
  return Math.min(inverse[lo]!, inverse[lo - 1]!);
};

export const kindCounts = (data: ProfileData, kind: Kind): KindCounts | undefined =>
  data.kinds.find((counts) => counts.kind === kind);

/** Effective count of a key, 0 when it is not listed. */
export const countOfKey = (data: ProfileData, key: number): number => {
  const counts = kindCounts(data, kindOf(key) as Kind);
  const at = counts === undefined ? -1 : counts.keys.indexOf(key);
  return at < 0 ? 0 : counts!.counts[at]!;
};
