/**
 * A map with at most `cap` keys that merges exactly: beyond the cap it keeps the keys of smallest hash, so that what is
 * kept depends on the set of keys that came and not on their order (the same idea as in counts.ts).
 */
import { hashText } from './hash.ts';

/** The order of keys is the same in every installation: partials of different processes must agree. */
const ORDER_SEED = 0x1b873593;

export interface BoundedMap<V> {
  readonly map: Map<string, V>;
  readonly cap: number;
  /** Largest hash kept; a key above it is not counted. */
  bound: number;
}

export const createBoundedMap = <V>(cap: number): BoundedMap<V> => ({ map: new Map(), cap, bound: 0xffffffff });

const orderOf = (key: string): number => hashText(key, ORDER_SEED);

const cut = <V>(bounded: BoundedMap<V>, bound: number): void => {
  bounded.bound = bound;
  for (const key of bounded.map.keys()) if (orderOf(key) > bound) bounded.map.delete(key);
};

/** Cuts down to the cap. Twice the cap is tolerated between cuts. */
export const settleMap = <V>(bounded: BoundedMap<V>): void => {
  const { map, cap } = bounded;
  if (map.size < cap || (map.size === cap && bounded.bound === 0xffffffff)) return;
  const orders = [...map.keys()].map(orderOf).sort((a, b) => a - b);
  cut(bounded, orders[cap - 1]!);
};

/** The value of a key, made when new; undefined when the key lies beyond the bound. */
export const claimKey = <V>(bounded: BoundedMap<V>, key: string, create: () => V): V | undefined => {
  const known = bounded.map.get(key);
  if (known !== undefined) return known;
  if (orderOf(key) > bounded.bound) return undefined;
  if (bounded.map.size >= 2 * bounded.cap) {
    settleMap(bounded);
    if (orderOf(key) > bounded.bound) return undefined;
  }
  const made = create();
  bounded.map.set(key, made);
  return made;
};

/** Adds `from` to `into`; `create` makes an empty value for the key that `like` has. */
export const mergeMap = <V>(
  into: BoundedMap<V>,
  from: BoundedMap<V>,
  create: (like: V) => V,
  merge: (into: V, from: V) => void,
): void => {
  if (from.bound < into.bound) cut(into, from.bound);
  for (const [key, value] of from.map) {
    const target = claimKey(into, key, () => create(value));
    if (target !== undefined) merge(target, value);
  }
};
