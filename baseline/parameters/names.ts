/**
 * Which parameter names of an operation are kept where more come than there is room for: outsiders make up as many as they like.
 * Those that are established, by admission's own numbers (DETECTION §7), come first; then by votes: the same clients have as many
 * votes as they are, shared by all names that just they sent; then those of more times; at last the order of hashes under the
 * installation's key. A name counts from when it was kept, so under a flood what is merged may count less than what came; up to
 * the bound merging is exact.
 */
import { type BoundedMap, orderOf } from './bounded-map.ts';
import { type CountEntry, entriesOf } from './counts.ts';
import { Kind } from './features.ts';
import type { ParameterCounts } from './partial.ts';

const OCCURRENCES = 5;
const BUCKETS = 5;
const CLIENTS = 3;

/** Read back, where names were cut: what was not kept is not known not to have come. */
const CUT = 0xfffffffe;

interface Rank {
  readonly key: string;
  readonly established: boolean;
  readonly votes: number;
  readonly buckets: number;
  readonly order: number;
}

const isEstablished = ({ known, unknown, clients, buckets }: CountEntry): boolean =>
  (clients >= CLIENTS && known + unknown >= OCCURRENCES && buckets >= BUCKETS) ||
  (unknown >= 2 * OCCURRENCES && buckets >= 2 * BUCKETS);

const better = (a: Rank, b: Rank): number =>
  Number(b.established) - Number(a.established) || b.votes - a.votes || b.buckets - a.buckets || a.order - b.order;

/** Cuts down to the cap. */
export const settleNames = (names: BoundedMap<ParameterCounts>): void => {
  if (names.map.size <= names.cap) return;
  const totals = [...names.map].map(([key, { counts }]) => ({ key, total: entriesOf(counts, Kind.total)[0] }));
  const crowds = new Map<string, number>();
  const clientsOf = (total: CountEntry | undefined): string => String(total?.clientMap);
  for (const { total } of totals) crowds.set(clientsOf(total), (crowds.get(clientsOf(total)) ?? 0) + 1);
  const ranks = totals.map(
    ({ key, total }): Rank => ({
      key,
      established: total !== undefined && isEstablished(total),
      votes: (total?.clients ?? 0) / crowds.get(clientsOf(total))!,
      buckets: total?.buckets ?? 0,
      order: orderOf(names, key),
    }),
  );
  ranks.sort(better);
  for (const { key } of ranks.slice(names.cap)) names.map.delete(key);
  names.bound = Math.min(names.bound, CUT);
  names.cuts++;
};

/** The counters of a name, made when new. Twice the cap is tolerated between cuts. */
export const claimName = (
  names: BoundedMap<ParameterCounts>,
  key: string,
  create: () => ParameterCounts,
): ParameterCounts => {
  const known = names.map.get(key);
  if (known !== undefined) return known;
  if (names.map.size >= 2 * names.cap) settleNames(names);
  const made = create();
  names.map.set(key, made);
  return made;
};

/** Adds `from` to `into`: what both know decides what is kept. */
export const mergeNames = (
  into: BoundedMap<ParameterCounts>,
  from: BoundedMap<ParameterCounts>,
  create: (like: ParameterCounts) => ParameterCounts,
  merge: (into: ParameterCounts, from: ParameterCounts) => void,
): void => {
  into.bound = Math.min(into.bound, from.bound);
  for (const [key, value] of from.map) {
    let target = into.map.get(key);
    if (target === undefined) {
      target = create(value);
      into.map.set(key, target);
    }
    merge(target, value);
  }
  if (into.map.size > 2 * into.cap) settleNames(into);
};
