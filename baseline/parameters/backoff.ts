/** The back-off of a parameter that is still observed (DETECTION §7): the same parameter over all operations of a service. */
import type { Kind } from './features.ts';
import { compileProfile, type KindCounts, type Profile, type ProfileData } from './profile.ts';

const mergeKinds = (kind: Kind, parts: readonly KindCounts[]): KindCounts => {
  const counts = new Map<number, number>();
  const out: KindCounts = { kind, total: 0, other: 0, unseen: 0, bound: 0xffffffff, keys: [], counts: [] };
  for (const part of parts) {
    out.total += part.total;
    out.other += part.other;
    out.unseen += part.unseen;
    out.bound = Math.min(out.bound, part.bound);
    for (let i = 0; i < part.keys.length; i++) {
      counts.set(part.keys[i]!, (counts.get(part.keys[i]!) ?? 0) + part.counts[i]!);
    }
  }
  const pairs = [...counts].sort(([a], [b]) => a - b);
  out.keys = pairs.map(([key]) => key);
  out.counts = pairs.map(([, n]) => n);
  return out;
};

/** Null when none of the parts has left observation. */
export const backOffProfile = (parts: readonly ProfileData[]): Profile | null => {
  const active = parts.some(({ state }) => state === 'active');
  if (!active && !parts.some(({ state }) => state === 'learning')) return null;
  const first = parts[0]!;
  const kinds = new Set(parts.flatMap((part) => part.kinds.map(({ kind }) => kind)));
  return compileProfile({
    source: first.source,
    name: first.name,
    n: parts.reduce((sum, { n }) => sum + n, 0),
    hits: parts.reduce((sum, { hits }) => sum + hits, 0),
    clients: parts.reduce((most, { clients }) => Math.max(most, clients), 0),
    buckets: parts.reduce((most, { buckets }) => Math.max(most, buckets), 0),
    quarantined: 0,
    state: active ? 'active' : 'learning',
    kinds: [...kinds]
      .sort((a, b) => a - b)
      .map((kind) =>
        mergeKinds(
          kind,
          // A part without the kind has nothing to say of it; one that dropped it (too many values) silences it.
          parts.flatMap((part) => part.kinds.filter((counts) => counts.kind === kind)),
        ),
      ),
    hitKinds: [],
    texts: [],
    pending: [],
    anyPublic: false,
  });
};
