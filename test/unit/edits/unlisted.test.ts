/** A group lists its strongest findings: an approval of those takes nothing away of what stood behind them. */
import { expect, it } from 'vitest';
import { createEditJudge } from '../../../baseline/edits/judge.ts';
import { profileOf } from '../../../baseline/learning/profile.ts';
import { createEvidence, createStructureMatch, JudgementStage } from '../../../baseline/model.ts';
import { timingLearner } from '../../../baseline/timing/learner.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createRandom } from '../fusion/random.ts';
import { segmentOf } from '../traces/segments.ts';
import { edit } from './judged.ts';

const CALLS = ['stock', 'price', 'offer', 'review', 'rating'];
const profile = profileOf(learningSection.parse({ profile: 'export' }));

it('what was not listed beside approved findings is weighed, and listed in their place', () => {
  const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
  const random = createRandom(31);
  const page = (durationMs: (call: number) => number) =>
    segmentOf(symbols, {
      service: 'shop',
      operation: 'GET /page',
      children: CALLS.map((service, i) => ({ service, operation: 'GET', durationMs: durationMs(i) })),
    });
  const partial = timingLearner.createPartial();
  const segments = 3_000;
  for (let i = 0; i < segments; i++)
    timingLearner.learn(
      partial,
      page(() => 1 + random()),
      { bucket: i % 30, client: 0, quarantined: false },
    );
  const model = timingLearner.compile(partial, {
    profile,
    symbols,
    segments,
    clients: 0,
    buckets: 30,
    previous: [],
    sensitiveTables: [],
  });
  /** The first three are slowest, the fourth is slow, too. */
  const slow = page((call) => [300, 280, 260, 40, 1.5][call]!);
  const judged = (...services: string[]) => {
    const latency = services.map((service) => ({ call: { service }, maxMs: 1_000 }));
    const judge = createEditJudge([
      edit({ state: 'approved', latency: [...latency, { call: { service: 'nobody' }, maxMs: 1 }] }),
    ])!;
    const evidence = {
      structure: createEvidence(),
      timing: createEvidence(),
      parameters: createEvidence(),
      status: createEvidence(),
    };
    model.score(slow, JudgementStage.absence, evidence.timing);
    const thresholds = [0.9, 0.9, 0.9];
    judge.revise(slow, JudgementStage.absence, evidence, createStructureMatch(), thresholds, (group, segment) =>
      group === 'timing' ? model.unlisted!(segment) : [],
    );
    const { surprise, findings } = evidence.timing;
    return { surprise, services: findings.map(({ service }) => service) };
  };
  const before = judged();
  expect(before.services.sort()).toEqual(['offer', 'price', 'stock']);
  const after = judged('stock', 'price', 'offer', 'shop');
  expect(after.services).toEqual(['review']);
  expect(after.surprise).toBeGreaterThan(2);
  expect(judged('stock', 'price', 'offer', 'review', 'shop')).toEqual({ surprise: 0, services: [] });
});
