import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileOf } from '../../../baseline/learning/profile.ts';
import { createEvidence, JudgementStage } from '../../../baseline/model.ts';
import { statusLearner } from '../../../baseline/status/learner.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createRandom } from '../fusion/random.ts';
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

function modelOf(
  symbols: ReturnType<typeof createSymbols>,
  count: number,
  calls: () => Outcomes,
  entry?: Outcomes[number],
) {
  const partial = statusLearner.createPartial();
  for (let i = 0; i < count; i++) {
    statusLearner.learn(partial, request(symbols, calls(), entry), { bucket: i % 9, client: 0, quarantined: false });
  }
  const none = { segments: count, clients: 0, buckets: 9, previous: [], sensitiveTables: [] };
  return statusLearner.compile(partial, { profile, symbols, ...none });
}

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

  it('lists the three rarest of a request, and knows the others', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const refused = (httpStatus: number) => ({ httpStatus, outcome: 'clientError' }) as const;
    const often = [401, 401, 401, 401, 402, 402, 403].map(refused);
    let made = 0;
    const model = modelOf(symbols, 2_000, () => {
      const odd = often[made++];
      return odd === undefined ? [OK] : [odd];
    });
    const out = createEvidence();
    const segment = request(symbols, [401, 402, 403, 410].map(refused));
    model.score(segment, JudgementStage.absence, out);
    expect(out.findings.map(({ seen }) => seen)).toEqual(['status 410', 'status 403', 'status 402']);
    expect(model.unlisted!(segment)).toMatchObject([{ seen: 'status 401' }]);
    model.score(request(symbols, [OK]), JudgementStage.absence, out);
    expect(model.unlisted!(segment)).toEqual([]);
  });

  it('is calibrated under the null: p ≤ x comes no more often than x, whatever the errors and their bursts', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const random = createRandom(17);
    /** One call in thirty fails, and is tried up to four times more; one in a hundred is gone. */
    const calls = (): Outcomes => {
      if (random() < 0.01) return [GONE];
      if (random() > 1 / 30) return [OK];
      const tries: Outcomes[number][] = [FAILED];
      while (tries.length < 5 && random() < 0.6) tries.push(FAILED);
      return [...tries, OK];
    };
    const model = modelOf(symbols, 5_000, calls);
    const out = createEvidence();
    const p = Array.from({ length: 20_000 }, () => {
      model.score(request(symbols, calls()), JudgementStage.absence, out);
      return Math.min(1, ...out.findings.map((finding) => finding.p));
    });
    for (const level of [0.01, 0.005, 0.002]) {
      const share = p.filter((value) => value <= level).length / p.length;
      expect(share, `at ${level}`).toBeLessThan(level + 3.3 * Math.sqrt((2 * level) / p.length));
    }
    expect(p.filter((value) => value <= 0.01).length).toBeGreaterThan(20);
  });

  it('says of a class never seen what Good and Turing say: about as often as it then comes', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const random = createRandom(23);
    // 400 … 599, each rarer than the one before: some are always still to come
    const calls = (): Outcomes => [
      { httpStatus: 400 + Math.min(199, Math.floor(1 / (1 - random()) ** 0.8) - 1), outcome: 'clientError' },
    ];
    const out = createEvidence();
    let unseen = 0;
    let claimed = 0;
    for (let sample = 0; sample < 8; sample++) {
      const known = new Set<number>();
      const model = modelOf(symbols, 1_000, () => {
        const made = calls();
        known.add(made[0]!.httpStatus);
        return made;
      });
      for (let i = 0; i < 2_000; i++) if (!known.has(calls()[0]!.httpStatus)) unseen++;
      model.score(request(symbols, [{ httpStatus: 399, outcome: 'clientError' }]), JudgementStage.absence, out);
      claimed += 2_000 / (2 * 10 ** out.surprise - 1); // the mean of 1/p of the entry, 1, and of the call
    }
    expect(unseen).toBeGreaterThan(50);
    expect(unseen / claimed).toBeGreaterThan(0.6);
    expect(unseen / claimed).toBeLessThan(1.7);
  });

  it('takes errors for normal where all there ever was were errors, and then finds success odd', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const model = modelOf(symbols, 1_000, () => [FAILED], FAILED);
    const out = createEvidence();
    const score = (calls: Outcomes, entry: Outcomes[number]) => {
      model.score(request(symbols, calls, entry), JudgementStage.absence, out);
      return out;
    };
    expect(score([FAILED], FAILED)).toMatchObject({ surprise: 0, findings: [], observed: 0 });
    expect(score([FAILED, FAILED, FAILED, FAILED, FAILED], FAILED).surprise).toBeGreaterThan(2);
    expect(score([OK], OK).surprise).toBeGreaterThan(2);
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
