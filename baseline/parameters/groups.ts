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

export interface Combination {
  begin(): void;
  /** Adds one value's 1/p under `key` (a profile or operation, unique within its group). */
  add(group: PartGroup, key: number, inverse: number): void;
  /** True when `hash` was the last value added under (group, key) in this segment: the same again is no new evidence. */
  repeated(group: PartGroup, key: number, hash: number): boolean;
  /** Mean 1/p over the groups; a group without parameters has p = 1. */
  total(): number;
}

export const createCombination = (): Combination => {
  let capacity = 256;
  const grow = (): void => {
    capacity *= 2;
    for (let group = 0; group < GROUPS; group++) {
      stamps[group] = resize(stamps[group]!, capacity);
      counts[group] = resize(counts[group]!, capacity);
      hashes[group] = resize(hashes[group]!, capacity);
      const larger = new Float64Array(capacity);
      larger.set(sums[group]!);
      sums[group] = larger;
    }
  };
  const resize = (old: Uint32Array<ArrayBuffer>, size: number): Uint32Array<ArrayBuffer> => {
    const larger = new Uint32Array(size);
    larger.set(old);
    return larger;
  };
  const each = <T>(make: () => T): T[] => Array.from({ length: GROUPS }, make);
  const stamps = each(() => new Uint32Array(capacity));
  const counts = each(() => new Uint32Array(capacity));
  const hashes = each(() => new Uint32Array(capacity));
  const sums = each(() => new Float64Array(capacity));
  const touched: number[][] = each(() => []);
  let generation = 0;

  const claim = (group: number, key: number): void => {
    while (key >= capacity) grow();
    if (stamps[group]![key] === generation) return;
    stamps[group]![key] = generation;
    counts[group]![key] = 0;
    sums[group]![key] = 0;
    touched[group]!.push(key);
  };

  return {
    begin() {
      generation = (generation + 1) >>> 0;
      for (let group = 0; group < GROUPS; group++) touched[group]!.length = 0;
    },
    add(group, key, inverse) {
      claim(group, key);
      counts[group]![key]!++;
      sums[group]![key]! += inverse;
    },
    repeated(group, key, hash) {
      claim(group, key);
      if (counts[group]![key]! > 0 && hashes[group]![key] === hash) return true;
      hashes[group]![key] = hash;
      return false;
    },
    total() {
      let all = 0;
      for (let group = 0; group < GROUPS; group++) {
        const keys = touched[group]!;
        let sum = 0;
        let used = 0;
        for (let i = 0; i < keys.length; i++) {
          const n = counts[group]![keys[i]!]!;
          if (n === 0) continue;
          sum += sums[group]![keys[i]!]! / n;
          used++;
        }
        all += used === 0 ? 1 : sum / used;
      }
      return all / GROUPS;
    },
  };
};
