/**
 * Which versions of each service were seen (resource attribute service.version): counted raw, as partials are, so that merging is
 * exact; a version is learned once it was seen often enough, in enough buckets of time (DETECTION §7).
 */
import type { Segment } from '../../traces/segment.ts';
import { OVERFLOW_TEXT } from '../../traces/symbols.ts';
import type { LearningProfile } from '../model.ts';
import type { LearnedReleases } from '../releases.ts';
import { hash53 } from './hash.ts';

/** Pairs of service and version that are counted: beyond them those of the smallest hashes stay, which any order of merging keeps. */
const MOST_PAIRS = 2_048;
/** Buckets kept of a pair, the earliest: more than admission asks for. */
const MOST_BUCKETS = 8;

export interface ReleaseCount {
  segments: number;
  /** The earliest distinct buckets, ascending. */
  buckets: number[];
}

/** By service and version as a JSON array: what callers may name themselves has any character. */
export type Releases = Map<string, ReleaseCount>;

export const createReleases = (): Releases => new Map();

const keyOf = (service: string, version: string): string => JSON.stringify([service, version]);

/** Counts the versions of a segment's services, each once. */
export function learnReleases(
  releases: Releases,
  { symbols, spanCount, service, version }: Segment,
  bucket: number,
): void {
  for (let i = 0; i < spanCount; i++) {
    if (version[i] === 0 || isRepeated(service, version, i)) continue;
    const text = symbols.text(version[i]!);
    if (text === OVERFLOW_TEXT) continue;
    const key = keyOf(symbols.text(service[i]!), text);
    const known = releases.get(key);
    if (known === undefined) releases.set(key, { segments: 1, buckets: [bucket] });
    else {
      known.segments++;
      addBucket(known.buckets, bucket);
    }
  }
  if (releases.size > 2 * MOST_PAIRS) shrink(releases);
}

/** Spans of a service lie together more often than not: looking back finds it soon. */
function isRepeated(service: Int32Array, version: Int32Array, i: number): boolean {
  for (let j = i - 1; j >= 0; j--) if (service[j] === service[i] && version[j] === version[i]) return true;
  return false;
}

function addBucket(buckets: number[], bucket: number): void {
  if (buckets.includes(bucket)) return;
  buckets.push(bucket);
  buckets.sort((a, b) => a - b);
  if (buckets.length > MOST_BUCKETS) buckets.pop();
}

/** Exact, commutative and associative: what is dropped is dropped in every order. */
export function mergeReleases(into: Releases, from: Releases): void {
  for (const [key, { segments, buckets }] of from) {
    const known = into.get(key);
    if (known === undefined) into.set(key, { segments, buckets: [...buckets] });
    else {
      known.segments += segments;
      for (const bucket of buckets) addBucket(known.buckets, bucket);
    }
  }
  if (into.size > 2 * MOST_PAIRS) shrink(into);
}

function shrink(releases: Releases): void {
  const dropped = [...releases.keys()].sort(byHash).slice(MOST_PAIRS);
  for (const key of dropped) releases.delete(key);
}

const byHash = (a: string, b: string): number => hash53(a, 0x7e1) - hash53(b, 0x7e1);

export type ReleasesForm = readonly (readonly [key: string, segments: number, buckets: readonly number[]])[];

/** Canonical: the same for the same traffic, however it was merged. */
export const releasesToForm = (releases: Releases): ReleasesForm =>
  [...releases.keys()]
    .sort(byHash)
    .slice(0, MOST_PAIRS)
    .map((key) => [key, releases.get(key)!.segments, releases.get(key)!.buckets] as const);

export const releasesFromForm = (form: ReleasesForm): Releases =>
  new Map(
    // keys of another form were written before: their releases are counted anew
    form
      .filter(([key]) => key.startsWith('["'))
      .map(([key, segments, buckets]) => [key, { segments, buckets: [...buckets] }]),
  );

/** Versions by service that were seen often enough to be no news. */
export function admittedReleases(releases: Releases, profile: LearningProfile): LearnedReleases {
  const learned = new Map<string, string[]>();
  for (const [key, segments, buckets] of releasesToForm(releases)) {
    if (segments < profile.admitOccurrences || buckets.length < Math.min(MOST_BUCKETS, profile.admitBuckets)) continue;
    const [service, version] = JSON.parse(key) as [string, string];
    const versions = learned.get(service);
    if (versions === undefined) learned.set(service, [version]);
    else versions.push(version);
  }
  return new Map(
    [...learned].sort(([a], [b]) => (a < b ? -1 : 1)).map(([service, versions]) => [service, versions.sort()]),
  );
}
