/** How unlike its profile one request value is: harmonic mean over its features (DETECTION §3), and what stood out. */
import { KEY_MASK, keyOf, kindOf } from './counts.ts';
import { HINT, Kind, ORDINAL } from './features.ts';
import { inverseOf, octavesOutside, ordinalInverse, type Profile } from './profile.ts';
import type { ParameterReader } from './reader.ts';
import type { Shape } from './shape.ts';

/** Features in the mean: each kind once, elements and depth as one, certain and hinted patterns apart. */
const FEATURES = 12;

/** What a certain pattern adds to severity: it outranks any number of odd characters of one value. */
const PATTERN_SEVERITY = 6;
/** Octaves beyond the range that still add to severity. */
const MAX_OCTAVES = 12;
/** Unseen members of a set kind that still add. */
const MAX_MEMBERS = 8;

export interface ValueJudgement {
  /** 1 / harmonic-mean p. */
  inverse: number;
  severity: number;
  /** 1/p by kind; `kinds[Kind.total]` is that of hints. */
  readonly kinds: Float64Array;
  /** Families that matched for certain and are not benign here, as bits. */
  hostile: number;
  /** Largest 1/p. */
  worst: number;
}

export const createValueJudgement = (): ValueJudgement => ({
  inverse: 1,
  severity: 0,
  kinds: new Float64Array(16),
  hostile: 0,
  worst: 1,
});

const IS_ORDINAL = Uint8Array.from({ length: 16 }, (_, kind) =>
  (ORDINAL as readonly number[]).includes(kind) ? 1 : 0,
);

/** From this 1/p on a feature is outside its profile: rarer than one in a thousand, or than the sample can tell. */
export const outsideAt = (profile: Profile): number => Math.min(1_000, 0.5 / profile.floor);

/** Families of `strong` without benign hits here, as bits. */
const hostileOf = (profile: Profile, strong: number): number => {
  let hostile = 0;
  for (let left = strong; left !== 0; left &= left - 1) {
    const bit = left & -left;
    if (inverseOf(profile, keyOf(Kind.pattern, 31 - Math.clz32(bit))) < 0) hostile |= bit;
  }
  return hostile;
};

export const judgeShape = (profile: Profile, shape: Shape, reader: ParameterReader, out: ValueJudgement): void => {
  const { kinds } = out;
  kinds.fill(1);
  let severity = 0;
  let members = 0;
  const notable = outsideAt(profile);
  out.hostile = hostileOf(profile, reader.hits.strong);
  // A value with patterns that are everyday here was learned apart from the others, and is held against its like.
  const shapes = reader.hits.strong !== 0 && out.hostile === 0 && profile.hits !== null ? profile.hits : profile;
  for (let i = 0; i < shape.count; i++) {
    const key = shape.keys[i]!;
    const kind = kindOf(key) as Kind;
    if (IS_ORDINAL[kind] === 1) {
      const bin = key & KEY_MASK;
      const inverse = ordinalInverse(shapes, kind, bin);
      if (inverse > kinds[kind]!) kinds[kind] = inverse;
      severity += Math.min(MAX_OCTAVES, octavesOutside(shapes, kind, bin));
      continue;
    }
    let inverse = inverseOf(shapes, key);
    if (inverse < 0) {
      inverse = -inverse;
      if (kind === Kind.character || kind === Kind.bigram) {
        if (members < MAX_MEMBERS && inverse >= 10) {
          members++;
          severity += kind === Kind.character ? 0.5 : 0.25;
        }
      } else if (inverse >= notable) severity += 1;
    }
    if (inverse > kinds[kind]!) kinds[kind] = inverse;
  }
  const { strong, hints } = reader.hits;
  if (strong !== 0) {
    for (let id = 1; id < 32; id++) {
      if ((strong & (1 << id)) === 0) continue;
      const inverse = inverseOf(profile, keyOf(Kind.pattern, id));
      // Not listed: no benign hits. The smallest p the profile may claim.
      if (inverse < 0) {
        kinds[Kind.pattern] = 1 / profile.floor;
        severity += PATTERN_SEVERITY;
      } else if (inverse > kinds[Kind.pattern]!) kinds[Kind.pattern] = inverse;
    }
  }
  if (hints !== 0) {
    for (let id = 1; id < 32; id++) {
      if ((hints & (1 << id)) === 0) continue;
      const listed = inverseOf(shapes, keyOf(Kind.pattern, HINT + id));
      const inverse = Math.abs(listed);
      if (inverse > kinds[Kind.total]!) kinds[Kind.total] = inverse;
      if (listed < 0) severity += 0.5;
    }
  }
  kinds[Kind.elements] = Math.max(kinds[Kind.elements]!, kinds[Kind.depth]!);
  let sum = 0;
  let worst = 1;
  for (let kind: number = Kind.type; kind <= Kind.total; kind++) {
    if (kind === Kind.depth || kind === Kind.form) continue;
    sum += kinds[kind]!;
    if (kinds[kind]! > worst) worst = kinds[kind]!;
  }
  // 13 slots are summed, number and elements exclude each other: the mean is over 12.
  out.inverse = (sum - 1) / FEATURES;
  out.severity = severity;
  out.worst = worst;
};
