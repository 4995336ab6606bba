import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileOf } from '../../../baseline/learning/profile.ts';
import { createEvidence, JudgementStage } from '../../../baseline/model.ts';
import { statusLearner } from '../../../baseline/status/learner.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { type PlainSpan, segmentOf } from '../traces/segments.ts';

const profile = profileOf(learningSection.parse({ profile: 'export' }));
type Outcomes = readonly {
  readonly httpStatus: number;
  readonly outcome: 'ok' | 'error' | 'unknown' | 'clientError';
}[];

const OK = { httpStatus: 200, outcome: 'ok' } as const;
const FAILED = { httpStatus: 500, outcome: 'error' } as const;
const GONE = { httpStatus: 410, outcome: 'clientError' } as const;
const UNKNOWN = { httpStatus: 0, outcome: 'unknown' } as const;

const request = (symbols: ReturnType<typeof createSymbols>, calls: Outcomes, entry = OK as Outcomes[number]) =>
  segmentOf(symbols, {
    service: 'shop',
    operation: 'GET /cart',
    ...entry,
    children: calls.map((call): PlainSpan => ({ service: 'shop', operation: 'GET stock', kind: 'client', ...call })),
  });

function learned(failing: number, of: number) {
  const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
  const partial = statusLearner.createPartial();
  for (let i = 0; i < of; i++) {
    const calls = i < failing ? [FAILED, FAILED, OK] : [OK];
    statusLearner.learn(partial, request(symbols, calls), { bucket: i % 9, client: 0, quarantined: false });
  }
  const model = statusLearner.compile(partial, {
    profile,
    symbols,
    segments: of,
    clients: 0,
    buckets: 9,
    previous: [],
    sensitiveTables: [],
  });
  const out = createEvidence();
  const score = (calls: Outcomes, entry?: Outcomes[number]) => {
    model.score(request(symbols, calls, entry), JudgementStage.absence, out);
    return { ...out };
  };
  return { model, score, symbols };
}

describe('status', () => {
  it('says nothing of the usual outcome, and abstains where none is known', () => {
    const { score } = learned(20, 2_000);
    expect(score([OK, OK])).toMatchObject({ surprise: 0, findings: [] });
    expect(score([UNKNOWN], UNKNOWN)).toMatchObject({ surprise: 0, observed: 0, findings: [] });
  });

  it('takes bursts as it learned them: a retry storm of known length is no wonder, a longer one is', () => {
    const { score } = learned(20, 2_000);
    const twice = score([FAILED, FAILED, OK]);
    const often = score([FAILED, FAILED, FAILED, FAILED, FAILED, OK]);
    expect(twice.surprise).toBeGreaterThan(0.5);
    expect(twice.surprise).toBeLessThan(2);
    expect(often.surprise).toBeGreaterThan(twice.surprise);
  });

  it('finds a class never seen on the edge more surprising than one seen, and claims 0.3 decade beyond the sample at most', () => {
    const { score } = learned(20, 2_000);
    const unseen = score([GONE]);
    expect(unseen.surprise).toBeGreaterThan(score([FAILED, OK]).surprise);
    expect(unseen.findings[0]!.p).toBeGreaterThanOrEqual(0.5 / 2_001);
    expect(unseen.findings[0]).toMatchObject({
      kind: 'status',
      expected: 'status 410 in 0 of 2,000 requests',
      seen: 'status 410',
      explanationKey: 'shop · GET stock · status 410',
      hard: false,
    });
  });

  it('is learning below the profile', () => {
    const { model } = learned(0, 10);
    expect([...model.coverage()].every((row) => row.state === 'observe')).toBe(true);
  });

  it('survives the version', () => {
    const { model, symbols } = learned(20, 500);
    const loaded = statusLearner.load(JSON.parse(JSON.stringify([...model.entries()])), symbols);
    const a = createEvidence();
    const b = createEvidence();
    model.score(request(symbols, [GONE, FAILED]), JudgementStage.absence, a);
    loaded.score(request(symbols, [GONE, FAILED]), JudgementStage.absence, b);
    expect(b).toEqual(a);
  });

  it('merges exactly', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const outcomes = fc.constantFrom(OK, FAILED, GONE, UNKNOWN);
    fc.assert(
      fc.property(
        fc.array(fc.record({ calls: fc.array(outcomes, { maxLength: 6 }), part: fc.nat(2), bucket: fc.nat(20) }), {
          maxLength: 60,
        }),
        (events) => {
          const whole = statusLearner.createPartial();
          const parts = [0, 1, 2].map(() => statusLearner.createPartial());
          for (const { calls, part, bucket } of events) {
            const segment = request(symbols, calls);
            statusLearner.learn(whole, segment, { bucket, client: 0, quarantined: false });
            statusLearner.learn(parts[part]!, segment, { bucket, client: 0, quarantined: false });
          }
          const merged = statusLearner.createPartial();
          for (const i of [2, 0, 1]) statusLearner.merge(merged, statusLearner.decode(statusLearner.encode(parts[i]!)));
          expect(statusLearner.encode(merged)).toEqual(statusLearner.encode(whole));
        },
      ),
      { numRuns: 50 },
    );
  });
});
