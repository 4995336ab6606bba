/** What a version makes of a key's counters: the influence cap, diversity admission and maturity (DETECTION §7). */
import type { CompileOptions, Maturity } from '../model.ts';
import { addToSketch, distinct } from './sketch.ts';
import { BINS, BUCKET_SKETCH, CLIENT_SKETCH, type Tally } from './tally.ts';

export interface Evidence {
  count: number;
  unattributed: number;
  extra: number;
  buckets: number;
  clients: number;
  /** Occurrences by bin of the client's hash. */
  readonly bins: Float64Array;
}

/** Several rows as one: counts add up, sketches unite. */
export function pool(tally: Tally, rows: readonly number[]): Evidence {
  const out: Evidence = { count: 0, unattributed: 0, extra: 0, buckets: 0, clients: 0, bins: new Float64Array(BINS) };
  for (const row of rows) {
    out.count += tally.count[row]!;
    out.unattributed += tally.unattributed[row]!;
    out.extra += tally.extra[row]!;
    for (let i = 0; i < BINS; i++) out.bins[i]! += tally.bins[row * BINS + i]!;
  }
  out.buckets = united(tally.buckets, tally.bucketLength, BUCKET_SKETCH, rows);
  out.clients = united(tally.clients, tally.clientLength, CLIENT_SKETCH, rows);
  return out;
}

function united(values: Uint32Array, lengths: Uint8Array, k: number, rows: readonly number[]): number {
  if (rows.length === 1) return distinct(values, rows[0]! * k, lengths[rows[0]!]!, k);
  const union = new Uint32Array(k);
  let length = 0;
  for (const row of rows) {
    for (let i = 0; i < lengths[row]!; i++) length = addToSketch(union, 0, length, k, values[row * k + i]!);
  }
  return distinct(union, 0, length, k);
}

export interface Judge {
  /** Count after the influence cap; `of` is the total the share is taken from, by default the count itself. */
  capped(evidence: Evidence, of?: number): number;
  /** Diverse enough to be normal; `strictness` multiplies what is asked for. */
  admitted(evidence: Evidence, strictness?: number): boolean;
  state(count: number, buckets: number): Maturity;
}

export function createJudge(options: Pick<CompileOptions, 'profile' | 'clients' | 'buckets'>): Judge {
  const { profile, clients } = options;
  // Ten per cent a client is only possible with clients enough: with fewer, twice an equal share is the most.
  const share = Math.max(profile.influenceShare, clients > 0 ? 2 / clients : 1);
  // Three clients cannot be asked of a system that has two (a test environment's load generator).
  const tellsClients = clients >= profile.admitClients;
  // Forty buckets cannot be asked of a window of twenty, and what users do comes in bursts: a quarter of the window's is
  // the most, but never less than the plain rule.
  const mostBuckets = Math.max(profile.admitBuckets, Math.floor(options.buckets / 4));
  return {
    capped(evidence, of = evidence.count) {
      const most = Math.max(profile.influenceFree, Math.floor(share * of));
      let sum = evidence.unattributed;
      for (let i = 0; i < BINS; i++) sum += Math.min(most, evidence.bins[i]!);
      return sum;
    },
    admitted(evidence, strictness = 1) {
      const occurrences = profile.admitOccurrences * strictness;
      const buckets = Math.min(mostBuckets, profile.admitBuckets * strictness);
      if (
        tellsClients &&
        evidence.count >= occurrences &&
        evidence.buckets >= buckets &&
        evidence.clients >= Math.min(clients, profile.admitClients * strictness)
      ) {
        return true;
      }
      const alone = tellsClients ? evidence.unattributed : evidence.count;
      return alone >= 2 * occurrences && evidence.buckets >= Math.min(mostBuckets, 2 * buckets);
    },
    state(count, buckets) {
      if (count < profile.observeBelow || buckets < profile.observeBuckets) return 'observe';
      return count >= profile.activeFrom ? 'active' : 'learning';
    },
  };
}

/** Absent observations: those of `all` that are not among `present`, bin by bin. */
export function absent(all: Evidence, present: Evidence): Pick<Evidence, 'count' | 'unattributed' | 'bins'> {
  const bins = new Float64Array(BINS);
  for (let i = 0; i < BINS; i++) bins[i] = all.bins[i]! - present.bins[i]!;
  return { count: all.count - present.count, unattributed: all.unattributed - present.unattributed, bins };
}
