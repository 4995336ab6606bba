/**
 * A partial's counters without some clients. Counts are held by bin of the client's hash, not by client: the bins of those clients
 * go, and with them about one in 32 of all others a bin, which are as good as any. What only they gave was never seen.
 */
import type { StructurePartial } from './partial.ts';
import { addToSketch } from './sketch.ts';
import {
  BINS,
  BUCKET_SKETCH,
  CLIENT_SKETCH,
  createTally,
  type Occasion,
  occasionOf,
  rowOf,
  type Tally,
} from './tally.ts';

export function withoutClients(partial: StructurePartial, clients: readonly number[]): StructurePartial {
  if (clients.length === 0) return partial;
  return { ...partial, tally: reduced(partial.tally, clients) };
}

function reduced(from: Tally, clients: readonly number[]): Tally {
  const bins = new Set<number>();
  const hashes = new Set<number>();
  const occasion: Occasion = { bucket: 0, client: 0, bin: 0 };
  for (const client of clients) {
    occasionOf({ bucket: 0, client, quarantined: false }, occasion);
    bins.add(occasion.bin);
    hashes.add(occasion.client >>> 0);
  }
  const into = createTally(Math.max(64, from.size));
  into.dropped = from.dropped;
  for (let f = 0; f < from.size; f++) {
    let taken = 0;
    for (const bin of bins) taken += from.bins[f * BINS + bin]!;
    const count = from.count[f]! - taken;
    if (count <= 0) continue;
    const row = rowOf(into, from.key[f]!, from.kind[f]!, from.a[f]!, from.b[f]!, from.c[f]!, false);
    into.count[row] = count;
    into.unattributed[row] = from.unattributed[f]!;
    into.extra[row] = Math.round((from.extra[f]! * count) / from.count[f]!);
    into.bucketLength[row] = from.bucketLength[f]!;
    for (let i = 0; i < from.bucketLength[f]!; i++) {
      into.buckets[row * BUCKET_SKETCH + i] = from.buckets[f * BUCKET_SKETCH + i]!;
    }
    for (let i = 0; i < from.clientLength[f]!; i++) {
      const hash = from.clients[f * CLIENT_SKETCH + i]!;
      if (hashes.has(hash)) continue;
      into.clientLength[row] = addToSketch(
        into.clients,
        row * CLIENT_SKETCH,
        into.clientLength[row]!,
        CLIENT_SKETCH,
        hash,
      );
    }
    for (let i = 0; i < BINS; i++) if (!bins.has(i)) into.bins[row * BINS + i] = from.bins[f * BINS + i]!;
  }
  return into;
}
