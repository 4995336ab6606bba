/** A service's version that was not learned: what is found there is the release's. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileOf } from '../../../baseline/learning/profile.ts';
import {
  admittedReleases,
  createReleases,
  learnReleases,
  mergeReleases,
  type Releases,
  releasesFromForm,
  releasesToForm,
} from '../../../baseline/learning/releases.ts';
import {
  type LearnedReleases,
  markReleases,
  releasesFromEntries,
  releasesToEntries,
} from '../../../baseline/releases.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';
import { spanIdHex } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { segmentOf } from '../traces/segments.ts';

const symbols = createSymbols({ maxTexts: 1_000_000, maxLabels: 1_000 });
const PROFILE = profileOf(learningSection.parse({}));

const requestTo = (shop: string, stock = '1.0') =>
  segmentOf(symbols, {
    service: 'shop',
    operation: 'GET /cart',
    version: shop,
    children: [
      {
        service: 'shop',
        operation: 'GET',
        kind: 'client',
        version: shop,
        children: [{ service: 'stock', operation: 'GET /stock', version: stock }],
      },
      { service: 'mail', operation: 'POST /mail' },
    ],
  });

function learned(seen: readonly (readonly [version: string, bucket: number])[], into = createReleases()): Releases {
  for (const [version, bucket] of seen) learnReleases(into, requestTo(version), bucket);
  return into;
}

const times = (version: string, count: number, buckets: number): [string, number][] =>
  Array.from({ length: count }, (_, i) => [version, i % buckets]);

describe('learned releases', () => {
  it('are those seen five times in five buckets; a service that tells no version is not asked for one', () => {
    const releases = learned([...times('1.0', 10, 5), ...times('1.1', 10, 4), ...times('1.2', 4, 4)]);
    expect([...admittedReleases(releases, PROFILE)]).toEqual([
      ['shop', ['1.0']],
      ['stock', ['1.0']],
    ]);
  });

  it('of a service that names itself by a line end and another release are no release of that service', () => {
    const releases = createReleases();
    const forged = segmentOf(symbols, { service: 'shop\n6.6.6', operation: 'GET /cart', version: 'any' });
    for (let i = 0; i < 10; i++) learnReleases(releases, forged, i);
    expect([...admittedReleases(releasesFromForm(releasesToForm(releases)), PROFILE)]).toEqual([
      ['shop\n6.6.6', ['any']],
    ]);
  });

  it('are the same in any order of traffic and of merging, also past the bound', () => {
    const seen = fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }).map(String), fc.nat(30)), { maxLength: 60 });
    const many = Array.from({ length: 5_000 }, (_, i): [string, number] => [`many ${i}`, 1]);
    fc.assert(
      fc.property(seen, seen, (a, b) => {
        const first = learned([...many.slice(0, 2_600), ...a]);
        mergeReleases(first, learned([...b, ...many.slice(2_600)]));
        const second = learned([...b, ...many.slice(1_000)]);
        mergeReleases(second, learned([...a.toReversed(), ...many.slice(0, 1_000)]));
        expect(releasesToForm(first)).toEqual(releasesToForm(second));
        expect(releasesToForm(releasesFromForm(releasesToForm(first)))).toEqual(releasesToForm(first));
        expect(first.size).toBeLessThanOrEqual(4_096 + 2);
      }),
      { numRuns: 2 },
    );
  });

  const LEARNED: LearnedReleases = new Map([
    ['shop', ['1.0']],
    ['stock', ['1.0', '1.1']],
  ]);
  const finding = (spanId: string): Finding => ({ spanId }) as Finding;

  it('mark what is found at a span whose service, or whose caller, runs another version', () => {
    const marks = (shop: string, stock: string) => {
      const segment = requestTo(shop, stock);
      const all = Array.from({ length: segment.spanCount }, (_, i) => finding(spanIdHex(segment, i)));
      return markReleases(all, segment, LEARNED).map(({ release }) => release);
    };
    expect(marks('1.0', '1.1')).toEqual([undefined, undefined, undefined, undefined]);
    expect(marks('1.0', '2.0')).toEqual([undefined, undefined, 'stock@2.0', undefined]);
    // what mail is asked for by a new shop is the shop's doing
    expect(marks('2.0', '1.0')).toEqual(['shop@2.0', 'shop@2.0', 'shop@2.0', 'shop@2.0']);
  });

  it('survive the version file; what is no list of versions is damage', () => {
    expect(releasesFromEntries(releasesToEntries(LEARNED))).toEqual(LEARNED);
    const [entry] = releasesToEntries(LEARNED);
    expect(() => releasesFromEntries([{ ...entry!, value: '{"versions":[1]}' }])).toThrow(
      expect.objectContaining({ code: 'BASELINE_DAMAGED' }),
    );
  });
});
