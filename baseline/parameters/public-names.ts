/**
 * Whether an operation calls so many public names that any is normal there (DETECTION §3.6). Each name by itself may be too
 * rare to be admitted, so all that were seen count together, and the diversity that admission asks of one key (§7) is asked
 * of all of them: no client alone, and no single burst, makes an operation one that calls everywhere.
 */
import type { CompileOptions } from '../model.ts';
import { distinctOf, entriesOf } from './counts.ts';
import { MAX_PUBLIC_NAMES, PUBLIC_NAME } from './egress.ts';
import { Kind } from './features.ts';
import type { ParameterCounts } from './partial.ts';

const CLIENT_BITS = 64;

export const callsAnyPublicName = (calls: Iterable<ParameterCounts>, options: CompileOptions): boolean => {
  const names = new Map<number, [clientLow: number, clientHigh: number]>();
  const clients: [number, number] = [0, 0];
  const buckets: [number, number] = [0, 0];
  for (const { counts, texts } of calls) {
    for (const entry of entriesOf(counts, Kind.form)) {
      if (texts.get(entry.key) !== PUBLIC_NAME) continue;
      const by = names.get(entry.key) ?? [0, 0];
      for (const half of [0, 1] as const) {
        by[half] |= entry.clientMap[half];
        clients[half] |= entry.clientMap[half];
        buckets[half] |= entry.bucketMap[half];
      }
      names.set(entry.key, by);
    }
  }
  const { admitBuckets, admitClients } = options.profile;
  const known = distinctOf(...clients);
  const times = distinctOf(...buckets);
  // No client can be told apart, in these calls or in the whole window: twice the buckets instead.
  if (known === 0 || options.clients < admitClients) return names.size > MAX_PUBLIC_NAMES && times >= 2 * admitBuckets;
  if (known < admitClients || times < admitBuckets) return false;
  return names.size - mostOfOneClient(names.values()) > MAX_PUBLIC_NAMES;
};

/** Names that one client alone called; of the client with most of them. */
const mostOfOneClient = (names: Iterable<readonly [number, number]>): number => {
  const alone = new Uint32Array(CLIENT_BITS);
  for (const [low, high] of names) {
    if (distinctOf(low, high) !== 1) continue;
    alone[low === 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(low)]!++;
  }
  return alone.reduce((most, count) => Math.max(most, count), 0);
};
