/** Learning windows as they should not be: what is missing is said, nothing breaks, and nobody is alerted by a version that knows too little. */
import { describe, expect, it } from 'vitest';
import { createLearningWorld, PUBLISH, type Settled, segmentsOf } from './generated.ts';

const TRAFFIC = segmentsOf({ seed: 21, traces: 1_100, perSecond: 7 });
const LATER = segmentsOf({ seed: 22, traces: 300, perSecond: 10, startMs: Date.UTC(2026, 2, 3, 8) });
const START = TRAFFIC[0]!.trace.startMs;

const ready = { minSegments: 1_000, minBuckets: 10, minClients: 20, spanMs: 1_000_000, alpha: 0.005, folds: 3 };

/** What a version of this window says is missing, and the share of later normal traffic that it finds anomalous or has a hard finding in. */
function window(
  traffic: readonly Settled[],
  how: (settled: Settled, i: number) => Parameters<ReturnType<typeof createLearningWorld>['learn']>[1] = () => ({}),
  settings: object = ready,
  failing = false,
) {
  const world = createLearningWorld(settings, { failing });
  for (const [i, settled] of traffic.entries()) world.learn(settled, how(settled, i));
  const baseline = world.learning.publish(PUBLISH);
  const { manifest } = baseline;
  let loud = 0;
  let matched = 0;
  const judged = manifest.alerting ? LATER : LATER.slice(0, 40); // one that raises no alerts is only to stay whole
  for (const settled of judged) {
    const judgement = world.judge(baseline, settled);
    if (manifest.alerting && (judgement.anomalous || judgement.findings.some((finding) => finding.hard))) loud++;
    if (judgement.match.text !== '' && judgement.p > 0 && judgement.p <= 1) matched++;
  }
  expect(matched).toBe(judged.length);
  return { manifest, loud: loud / judged.length, missing: manifest.learning.join('; ') };
}

describe('a learning window', () => {
  it('as it should be alerts, and hardly on normal traffic', () => {
    const { manifest, loud, missing } = window(TRAFFIC, () => ({}), { ...ready, maxObserved: 0.3 });
    expect([manifest.alerting, missing]).toEqual([true, '']);
    expect(manifest.maturity!.active).toBeGreaterThan(0.5);
    expect(loud).toBeLessThan(0.03);
  });

  it('of ten traces says how few they are', () => {
    const { manifest, missing } = window(TRAFFIC.slice(0, 10));
    expect(manifest.alerting).toBe(false);
    expect(missing).toMatch(/^10 of 1000 segments; .* time buckets of 10 s; .* clients/);
    expect(manifest.maturity!.observe).toBeGreaterThan(0.9);
  });

  it('of one client alone misses clients; what only one client did is not admitted', () => {
    const one = window(TRAFFIC, () => ({ client: '192.0.2.1' }));
    expect([one.manifest.alerting, one.manifest.clients]).toEqual([false, 1]);
    expect(one.missing).toContain('1 of 20 clients');
  });

  it('without any client says so where clients are asked for, and learns on twice the occurrences where they are not', () => {
    expect(window(TRAFFIC, () => ({ client: null })).missing).toContain('0 of 20 clients');
    const { manifest, loud } = window(TRAFFIC, () => ({ client: null }), { ...ready, minClients: 0, maxObserved: 0.4 });
    expect(manifest.alerting).toBe(true);
    expect(loud).toBeLessThan(0.05);
  });

  it('that is all errors says that it shows an outage, and alerts on nothing that works later', () => {
    const { manifest, missing } = window(TRAFFIC, () => ({}), { ...ready, maxObserved: 0.3 }, true);
    expect(manifest.alerting).toBe(false);
    expect(missing).toBe('100 % of segments ended in an error: what succeeds would be the odd one out');
  });

  it('after a version that could alert says so where it cannot: what was hard stays so', () => {
    const world = createLearningWorld(ready);
    for (const settled of TRAFFIC.slice(0, 10)) world.learn(settled);
    expect(world.learning.publish(PUBLISH).manifest.alerted).toBeUndefined();
    expect(world.learning.publish({ ...PUBLISH, alerted: true }).manifest).toMatchObject({
      alerting: false,
      alerted: true,
    });
  });

  it('of which whole operations are quarantined is no less ready for it: they are never learned', () => {
    const { manifest, missing } = window(
      TRAFFIC,
      ({ trace }) => ({ quarantined: /products|search|cart/.test(trace.truth.operation) }),
      { ...ready, maxObserved: 0.285 },
    );
    expect(manifest.quarantined).toBeGreaterThan(200);
    expect([manifest.alerting, missing]).toEqual([true, '']);
  });

  it('in which time runs backwards learns as one that runs forwards', () => {
    const { manifest, loud } = window(TRAFFIC.toReversed(), () => ({}), { ...ready, maxObserved: 0.3 });
    expect(manifest).toMatchObject({ segments: TRAFFIC.length, alerting: true });
    expect(loud).toBeLessThan(0.03);
  });

  it('with a gap of a month learns what is on this side of it', () => {
    const MONTH = 30 * 86_400_000;
    const timeMs = (i: number, gapMs: number): number => TRAFFIC[i]!.trace.startMs + (i < 600 ? 0 : gapMs);
    const rolling = { ...ready, profile: 'production' };
    const { manifest } = window(TRAFFIC, (_, i) => ({ timeMs: timeMs(i, MONTH) }), rolling);
    expect(manifest.segments).toBeLessThan(TRAFFIC.length - 500);
    expect(manifest.segments).toBeGreaterThan(0);
    const both = window(TRAFFIC, (_, i) => ({ timeMs: timeMs(i, 86_400_000) }), {
      ...ready,
      maxObserved: 0.3,
    });
    expect(both.manifest).toMatchObject({ segments: TRAFFIC.length, alerting: true });
    expect(both.loud).toBeLessThan(0.03);
  });

  it('of a file is whole: neither a recording of a month nor one trace of a wrong date loses the rest', () => {
    const later = (last: number, ms: number) =>
      window(TRAFFIC, ({ trace }, i) => ({ timeMs: trace.startMs + (i >= last ? ms : 0) })).manifest.segments;
    expect(later(600, 30 * 86_400_000)).toBe(TRAFFIC.length);
    expect(later(TRAFFIC.length - 1, Date.UTC(2038, 0, 19) - START)).toBe(TRAFFIC.length);
  });

  it('in a single moment has nothing to calibrate against, and nothing is admitted', () => {
    const { manifest, missing } = window(TRAFFIC, () => ({ timeMs: START }));
    expect(manifest.alerting).toBe(false);
    expect(missing).toContain('1 of 10 time buckets');
    expect(missing).toContain('traffic in one block of time only: nothing to calibrate against');
  });
});
