/** What of a span attribution gets to see: bounded, whatever a client sends, and from the right end. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { type ClientEvidence, createAttribution } from '../../../traces/attribution/client.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { createReader } from '../../../traces/reading/reader.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { id, type PlainValue, segmentSpansOf } from './otlp.ts';

const XFF = 'http.request.header.x-forwarded-for';

/** The evidence that reading gives for the attributes of an entry span. */
function evidenceOf(attributes: Readonly<Record<string, PlainValue>>): ClientEvidence {
  const symbols = createSymbols({ maxTexts: 10_000, maxLabels: 1_000 });
  const attribution = createAttribution(attributionSection.parse({ trustedProxies: ['10.0.0.0/8'] }));
  const seen: ClientEvidence[] = [];
  const reader = createReader({
    symbols,
    config: readingSection.parse({}),
    attribution: {
      ...attribution,
      resolve(evidence) {
        seen.push(evidence);
        return attribution.resolve(evidence);
      },
    },
  });
  expect(reader.read(segmentSpansOf([{ spanId: id(1), kind: 'server', attributes }]), createSegment(symbols))).toBe(
    true,
  );
  expect(seen).toHaveLength(1);
  return seen[0]!;
}

const sizeOf = ({ forwardedFor, forwarded, singleValues }: ClientEvidence): number =>
  [...forwardedFor, ...forwarded, ...singleValues.map(([, value]) => value)].reduce(
    (sum, text) => sum + text.length,
    0,
  );

it.each<[string, PlainValue]>([
  ['a value of 64 KiB', `${'6.6.6.6, '.repeat(7_280)}1.1.1.1`],
  ['a value of 128 KiB without a comma', `${'6'.repeat(131_072)}, 1.1.1.1`],
  ['3,000 values', [...Array.from({ length: 3_000 }, () => '6.6.6.6'), '1.1.1.1']],
  ['10 values of 16 KiB', [...Array.from({ length: 10 }, () => '6.6.6.6, '.repeat(1_820)), '1.1.1.1']],
  ['JSON of 64 KiB', `["${'6.6.6.6","'.repeat(7_000)}1.1.1.1"]`],
])('%s costs no more than 8 KiB, and keeps its right end', (_, value) => {
  const evidence = evidenceOf({ 'network.peer.address': '10.0.0.1', [XFF]: value });
  expect(sizeOf(evidence)).toBeLessThan(8_192 + 64 * 8);
  expect(evidence.forwardedFor.length).toBeLessThanOrEqual(65);
  expect(evidence.forwardedFor.at(-1)).toMatch(/(^|, )1\.1\.1\.1$/);
});

it('is not crowded out by the names that clients make up', () => {
  const kit = createReadingKit({
    reading: readingSection.parse({ maxParameterNames: 1_000 }),
    attribution: attributionSection.parse({ trustedProxies: ['10.0.0.0/8'] }),
  });
  const made = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`http.request.header.x-made-up-${n}`, 'v']));
  const first = { spanId: id(1), kind: 'server', attributes: made } as const;
  const attributes = { 'network.peer.address': '10.0.0.1', [XFF]: ['6.6.6.6, 1.1.1.1'] };
  kit.reader.read(segmentSpansOf([first]), kit.segment);
  kit.reader.read(segmentSpansOf([{ spanId: id(2), kind: 'server', attributes }]), kit.segment);
  expect(kit.segment.client).toMatchObject({ address: '1.1.1.1', confidence: 'high' });
});

it('is one header’s only, whatever other headers are there, and in whatever order', () => {
  const names = ['x-forwarded-for', 'x_forwarded_for', 'x-forwarded-for-2', 'x-real-ip', 'forwarded', 'x-forwarded'];
  fc.assert(
    fc.property(
      fc.shuffledSubarray(names.slice(1)),
      fc.nat(5),
      fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 3 }), fc.integer(), fc.boolean()),
      (others, at, value) => {
        const order = [...others.slice(0, at), names[0]!, ...others.slice(at)];
        const attributes = Object.fromEntries(
          order.map((name) => [`http.request.header.${name}`, name === names[0] ? ['6.6.6.6, 1.1.1.1'] : value]),
        );
        expect(evidenceOf({ 'network.peer.address': '10.0.0.1', ...attributes }).forwardedFor).toEqual([
          '6.6.6.6, 1.1.1.1',
        ]);
      },
    ),
    { numRuns: 100 },
  );
});
