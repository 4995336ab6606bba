/**
 * Combines 1/p of a segment's parameters (DETECTION §3): harmonic mean over the values of one profile, over the profiles of
 * a group, then over the four groups, so that thirty headers cannot dilute one bad parameter.
 */
import { ParameterSource } from '../../traces/segment.ts';

export const PartGroup = { schema: 0, request: 1, headers: 2, calls: 3 } as const;
export type PartGroup = (typeof PartGroup)[keyof typeof PartGroup];
const GROUPS = 4;

export const groupOf = (source: number): PartGroup =>
  source === ParameterSource.header || source === ParameterSource.message
    ? PartGroup.headers
    : source >= ParameterSource.statement
      ? PartGroup.calls
      : PartGroup.request;

/** A part is a profile, an operation's schema, or what a group has without a profile. */
export interface Combination {
  begin(): void;
  /** Adds one value's 1/p to a part. */
  add(part: number, inverse: number): void;
  /** Parameter judged last under this part in this segment, −1 when none; `at` takes its place. */
  swap(part: number, at: number): number;
  /** Mean 1/p over the groups; a group without parameters has p = 1. */
  total(): number;
}

/** `groups`: group of each part. */
export const createCombination = (groups: Uint8Array): Combination => {
  const parts = groups.length;
  const stamps = new Uint32Array(parts);
  const counts = new Uint32Array(parts);
  const lasts = new Int32Array(parts);
  const sums = new Float64Array(parts);
  const touched = new Int32Array(parts);
  const groupSums = new Float64Array(GROUPS);
  const groupParts = new Uint32Array(GROUPS);
  let used = 0;
  let generation = 0;

  const claim = (part: number): void => {
    stamps[part] = generation;
    counts[part] = 0;
    sums[part] = 0;
    lasts[part] = -1;
    touched[used++] = part;
  };

  return {
    begin() {
      generation = (generation + 1) >>> 0;
      if (generation === 0) {
        // Four thousand million segments later the stamps start over.
        stamps.fill(0);
        generation = 1;
      }
      used = 0;
    },
    add(part, inverse) {
      if (stamps[part] !== generation) claim(part);
      counts[part]!++;
      sums[part]! += inverse;
    },
    swap(part, at) {
      if (stamps[part] !== generation) claim(part);
      const last = lasts[part]!;
      lasts[part] = at;
      return last;
    },
    total() {
      groupSums.fill(0);
      groupParts.fill(0);
      for (let i = 0; i < used; i++) {
        const part = touched[i]!;
        const n = counts[part]!;
        if (n === 0) continue;
        const group = groups[part]!;
        groupSums[group]! += sums[part]! / n;
        groupParts[group]!++;
      }
      let all = 0;
      for (let group = 0; group < GROUPS; group++) {
        all += groupParts[group] === 0 ? 1 : groupSums[group]! / groupParts[group]!;
      }
      return all / GROUPS;
    },
  };
};
