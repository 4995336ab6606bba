/** Generated traffic: the same options give the same bytes, and what is in them is what the options ask for. */
import { describe, expect, it } from 'vitest';
import { PARAMETER_ATTACKS, STRUCTURAL_ATTACKS, TIMING_ATTACKS } from '../../../datasets/generated/attacks.ts';
import { market } from '../../../datasets/generated/market.ts';
import { type GeneratedTrace, generateTraffic, type TrafficOptions } from '../../../datasets/generated/traffic.ts';
import { wideSystem } from '../../../datasets/generated/wide.ts';
import { type CopiedSpan, copyOfRecords, type TraceCopy } from '../../../detector/check/mutations/index.ts';

const traffic = (options: Partial<TrafficOptions> = {}): GeneratedTrace[] => [
  ...generateTraffic({ seed: 7, traces: 3_000, ...options }),
];
const copies = (traces: readonly GeneratedTrace[]): TraceCopy[] => traces.map(({ record }) => copyOfRecords([record])!);
const plain = traffic();
const plainCopies = copies(plain);
const share = (wanted: (trace: GeneratedTrace) => boolean, of = plain): number => of.filter(wanted).length / of.length;
const textOf = (span: CopiedSpan, key: string): string | undefined =>
  span.attributes.find((one) => one.key === key)?.value.stringValue as string | undefined;

describe('generated traffic', () => {
  it('is the same for the same seed, byte for byte, and another for another', () => {
    const again = traffic({ traces: 300 });
    expect(again.map(({ record }) => Buffer.from(record).toString('base64'))).toEqual(
      plain.slice(0, 300).map(({ record }) => Buffer.from(record).toString('base64')),
    );
    const ids = new Set(plain.map(({ traceId }) => traceId));
    expect(ids.size).toBe(plain.length);
    expect(traffic({ seed: 8, traces: 300 }).some(({ traceId }) => ids.has(traceId))).toBe(false);
  });

  it('comes in order of time at the rate asked for', () => {
    expect(plain.every((trace, i) => i === 0 || trace.startMs >= plain[i - 1]!.startMs)).toBe(true);
    const seconds = (plain.at(-1)!.startMs - plain[0]!.startMs) / 1000;
    expect(plain.length / seconds).toBeGreaterThan(36);
    expect(plain.length / seconds).toBeLessThan(44);
  });

  it('gives one trace a record, whole: the entry first, every parent there, no child before its parent', () => {
    for (const [i, { spans, traceId }] of plainCopies.entries()) {
      expect(spans.length).toBe(plain[i]!.spans);
      expect(traceId).toBe(plain[i]!.traceId);
      const byId = new Map(spans.map((span) => [span.spanId, span]));
      for (const span of spans) {
        expect(span.endNs).toBeGreaterThanOrEqual(span.startNs);
        if (span === spans[0]) expect(span.parentId).toBe('');
        else expect(byId.get(span.parentId)?.startNs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(span.startNs);
      }
    }
  });

  it('has trees of all sizes, operations by their weights and a client in every entry', () => {
    const sizes = plain.map(({ spans }) => spans).sort((a, b) => a - b);
    expect(sizes[0]).toBe(1);
    expect(sizes[sizes.length >> 1]).toBeGreaterThan(8);
    expect(sizes.at(-1)).toBeGreaterThan(35);
    expect(new Set(plain.map(({ truth }) => truth.operation)).size).toBe(market.entries.length - 1); // one comes with the deploy
    expect(plainCopies.every(({ spans }) => textOf(spans[0]!, 'client.address') !== undefined)).toBe(true);
    const byClient = new Map<string, number>();
    for (const { truth } of plain) byClient.set(truth.client, (byClient.get(truth.client) ?? 0) + 1);
    expect(byClient.size).toBeGreaterThan(900);
    expect(Math.max(...byClient.values()) / plain.length).toBeLessThan(0.03);
  });

  it('fails now and then, retries at most three times, and clients give up', () => {
    const many = traffic({ seed: 9, traces: 20_000 });
    expect(share(({ truth }) => truth.aborted, many)).toBeGreaterThan(0.0035);
    expect(share(({ truth }) => truth.aborted, many)).toBeLessThan(0.0065);
    const failing = plainCopies.filter(({ spans }) => spans.some(({ statusCode }) => statusCode === 2));
    expect(failing.length / plain.length).toBeGreaterThan(0.005);
    expect(failing.length / plain.length).toBeLessThan(0.1);
    for (const { spans } of plainCopies) {
      const charges = spans.filter((span) => span.kind === 3 && span.name === 'payments.v1.Payments/Charge');
      expect(charges.length).toBeLessThanOrEqual(4);
    }
  });

  it('asks for authorisation in every request that succeeds, of the operations that need it', () => {
    const open = new Set(
      market.entries
        .filter(({ steps }) => !steps.some((step) => step.does === 'call' && step.operation === market.authorisation))
        .map(({ method, route }) => `${method} ${route}`),
    );
    const checked = plainCopies.filter((_, i) => !open.has(plain[i]!.truth.operation) && !plain[i]!.truth.aborted);
    expect(checked.length).toBeGreaterThan(1_000);
    expect(checked.every(({ spans }) => spans.some(({ name }) => name === market.authorisation))).toBe(true);
  });

  it('changes nothing but the traces that are attacked', () => {
    const evil = traffic({ contamination: { share: 0.05, shape: 'uniform' } });
    const attacked = evil.filter(({ truth }) => truth.label === 'attack');
    expect(attacked.length / evil.length).toBeGreaterThan(0.035);
    expect(attacked.length / evil.length).toBeLessThan(0.065);
    for (const [i, trace] of evil.entries()) {
      if (trace.truth.label === 'normal') expect(Buffer.compare(trace.record, plain[i]!.record)).toBe(0);
    }
    expect(new Set(attacked.map(({ truth }) => truth.client)).size).toBeLessThanOrEqual(3);
  });

  it('puts a burst of attacks into 3 % of the time', () => {
    const evil = traffic({ contamination: { share: 0.02, shape: 'bursty' } });
    const times = evil.filter(({ truth }) => truth.label === 'attack').map(({ startMs }) => startMs);
    const length = evil.at(-1)!.startMs - evil[0]!.startMs;
    expect(times.length / evil.length).toBeGreaterThan(0.01);
    expect((Math.max(...times) - Math.min(...times)) / length).toBeLessThan(0.035);
  });

  it.each([...STRUCTURAL_ATTACKS, ...PARAMETER_ATTACKS, ...TIMING_ATTACKS])(
    'can do every kind of attack: %s',
    (kind) => {
      const evil = traffic({ traces: 30, contamination: { share: 1, shape: 'uniform', kinds: [kind] } });
      expect(evil.every(({ truth }) => truth.kind === kind)).toBe(true);
      for (const { spans } of copies(evil)) {
        const byId = new Set(spans.map(({ spanId }) => spanId));
        expect(byId.size).toBe(spans.length);
        expect(spans.filter(({ parentId }) => parentId === '').length).toBe(1);
      }
      if (kind === 'missing-authorisation') {
        expect(copies(evil).some(({ spans }) => spans.some(({ name }) => name === market.authorisation))).toBe(false);
      }
    },
  );

  it('loses the share of spans asked for, and skews clocks by service', () => {
    const lossy = traffic({ spanLoss: 0.2 });
    const before = plain.reduce((sum, { spans }) => sum + spans, 0);
    const left = lossy.reduce((sum, { spans }) => sum + spans, 0) / before;
    expect(left).toBeGreaterThan(0.78);
    expect(left).toBeLessThan(0.83);
    const skewed = copies(traffic({ traces: 200, clockSkewMs: 500 }));
    const early = skewed.flatMap(({ spans }) => {
      const byId = new Map(spans.map((span) => [span.spanId, span]));
      return spans.filter((span) => span.startNs < (byId.get(span.parentId)?.startNs ?? Number.NEGATIVE_INFINITY));
    });
    expect(early.length).toBeGreaterThan(100);
  });

  it('has a new version, a new call and a new operation after the deploy only', () => {
    const deployAtMs = 40_000;
    const traces = traffic({ deployAtMs });
    const from = plain[0]!.startMs - (plain[0]!.startMs % 1000) + deployAtMs;
    const isNew = ({ spans }: TraceCopy): boolean =>
      spans.some((span) => span.name === 'GET /similar' || span.name === 'GET /api/deals');
    const before = copies(traces.filter(({ startMs }) => startMs < from));
    const after = copies(traces.filter(({ startMs }) => startMs >= from));
    expect(before.some(isNew)).toBe(false);
    expect(after.filter(isNew).length / after.length).toBeGreaterThan(0.15);
    const versions = (some: readonly TraceCopy[]): Set<string> =>
      new Set(
        some.flatMap(({ spans }) =>
          spans
            .filter(({ resource }) => resource.service === 'catalog')
            .map(({ resource }) =>
              String(resource.attributes.find(({ key }) => key === 'service.version')?.value.stringValue),
            ),
        ),
      );
    expect([...versions(before)]).toEqual(['1.8.2']);
    expect([...versions(after)]).toEqual(['2.0.0']);
  });

  it('doubles from a moment on, and takes longer then', () => {
    const doubled = traffic({ doublesAtMs: 20_000 });
    const from = doubled[0]!.startMs + 20_000;
    const before = doubled.filter(({ startMs }) => startMs < from).length / 20;
    const after = doubled.filter(({ startMs }) => startMs >= from);
    const perSecond = after.length / ((after.at(-1)!.startMs - from) / 1000);
    expect(perSecond / before).toBeGreaterThan(1.7);
    expect(perSecond / before).toBeLessThan(2.3);
    const length = (some: readonly GeneratedTrace[]): number =>
      some.slice(-1_000).reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    expect(length(doubled) / length(plain)).toBeGreaterThan(1.05);
  });

  it('makes wide systems with as many calls and parameters as asked for', () => {
    const system = wideSystem({ seed: 3, services: 5, entries: 4, calls: 20, parameters: 3 });
    const [trace] = copies([...generateTraffic({ seed: 1, traces: 1, system })]);
    expect(system.entries).toHaveLength(4);
    expect(trace!.spans.length).toBeGreaterThan(15);
    expect(textOf(trace!.spans[0]!, 'url.query')?.split('&')).toHaveLength(3);
  });
});
