/**
 * Which versions of each service a baseline has learned, as its entries, and what is found of a service that runs another one: it
 * may be the release, and people review a release once instead of each of its novelties (DETECTION §7).
 */
import { SpanwardenError } from '../runtime/errors.ts';
import type { Finding } from '../schemas/log/verdict.ts';
import { type Segment, spanIdHex } from '../traces/segment.ts';
import type { BaselineEntry } from './model.ts';

/** Learned versions by service; a service that told none is not in it. */
export type LearnedReleases = ReadonlyMap<string, readonly string[]>;

export const releasesToEntries = (learned: LearnedReleases): BaselineEntry[] =>
  [...learned].map(([service, versions]) => ({
    group: 'releases',
    kind: 'service',
    key: service,
    value: JSON.stringify({ versions }),
  }));

/** Entries of other groups are passed over. Throws BASELINE_DAMAGED. */
export function releasesFromEntries(entries: Iterable<BaselineEntry>): LearnedReleases {
  const learned = new Map<string, readonly string[]>();
  for (const { group, key, value } of entries) {
    if (group !== 'releases') continue;
    const { versions } = JSON.parse(value) as { versions?: unknown };
    if (!Array.isArray(versions) || !versions.every((version) => typeof version === 'string')) {
      throw new SpanwardenError('BASELINE_DAMAGED', `the versions of service ${key} cannot be read`);
    }
    learned.set(key, versions);
  }
  return learned;
}

/** Marks what was found at a span whose service, or whose caller's, runs a version that was not learned for it. */
export function markReleases(
  findings: readonly Finding[],
  segment: Segment,
  learned: LearnedReleases,
): readonly Finding[] {
  if (learned.size === 0 || findings.length === 0) return findings;
  return findings.map((finding) => {
    const release = releaseOf(finding.spanId, segment, learned);
    return release === undefined ? finding : { ...finding, release };
  });
}

function releaseOf(spanId: string, segment: Segment, learned: LearnedReleases): string | undefined {
  for (let i = 0; i < segment.spanCount; i++) {
    if (spanIdHex(segment, i) !== spanId) continue;
    return (
      unlearnedAt(i, segment, learned) ??
      (segment.parent[i]! < 0 ? undefined : unlearnedAt(segment.parent[i]!, segment, learned))
    );
  }
  return undefined;
}

function unlearnedAt(i: number, { symbols, service, version }: Segment, learned: LearnedReleases): string | undefined {
  if (version[i] === 0) return undefined;
  const name = symbols.text(service[i]!);
  const running = symbols.text(version[i]!);
  const known = learned.get(name);
  return known === undefined || known.includes(running) ? undefined : `${name}@${running}`;
}
