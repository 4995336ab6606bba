/**
 * A map with at most `cap` keys that merges exactly: beyond the cap it keeps the keys of smallest hash, so that what is
 * kept depends on the set of keys that came and not on their order (the same idea as in counts.ts). The hash is keyed by
 * the installation: under a public one outsiders would choose names that push all others out.
 */
import { hashText } from './hash.ts';

/** Apart from the hashes of names and values under the same key. */
const ORDER = 0x1b873593;

export interface BoundedMap<V> {
  readonly map: Map<string, V>;
  readonly cap: number;
  /** Key of the order: the same in every process of an installation, whose partials must agree. */
  readonly seed: number;
  /** Largest hash kept; a key above it is not counted. */
  bound: number;
  /** How often it was cut: what is remembered of its values is over then. */
  cuts: number;
}

export const createBoundedMap = <V>(cap: number, seed: number): BoundedMap<V> => ({
  map: new Map(),
  cap,
  seed,
  bound: 0xffffffff,
  cuts: 0,
});

export const orderOf = ({ seed }: { readonly seed: number }, key: string): number => hashText(key, seed ^ ORDER);

const cut = <V>(bounded: BoundedMap<V>, bound: number): void => {
  bounded.bound = bound;
  bounded.cuts++;
  for (const key of bounded.map.keys()) if (orderOf(bounded, key) > bound) bounded.map.delete(key);
};

/** Cuts down to the cap. Twice the cap is tolerated between cuts. */
export const settleMap = <V>(bounded: BoundedMap<V>): void => {
  const { map, cap } = bounded;
  if (map.size < cap || (map.size === cap && bounded.bound === 0xffffffff)) return;
  const orders = [...map.keys()].map((key) => orderOf(bounded, key)).sort((a, b) => a - b);
  cut(bounded, orders[cap - 1]!);
};

/** The value of a key, made when new; undefined when the key lies beyond the bound. */
export const claimKey = <V>(bounded: BoundedMap<V>, key: string, create: () => V): V | undefined => {
  const known = bounded.map.get(key);
  if (known !== undefined) return known;
  if (orderOf(bounded, key) > bounded.bound) return undefined;
  if (bounded.map.size >= 2 * bounded.cap) {
    settleMap(bounded);
    if (orderOf(bounded, key) > bounded.bound) return undefined;
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
