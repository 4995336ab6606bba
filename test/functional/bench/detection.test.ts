/** The bench of detection judges what `score` judges: the same verdicts, from a baseline that went through a file. */
import { expect, it } from 'vitest';
import { incidentsOf, judge, learn, rangeOf, type TraceScore } from '../../bench/detection/detector.ts';
import { createNursery } from '../../bench/detection/planting.ts';
import { JUDGE_MS, LEARN_MS, recordsOf, traffic } from '../../bench/detection/world.ts';

it('judges held traces as score does, mutants of one trace each by itself', { timeout: 120_000 }, async () => {
  const detector = await learn(traffic({ seed: 1, traces: 1_500, startMs: LEARN_MS }));
  const clean = traffic({ seed: 2, traces: 300, startMs: JUDGE_MS });
  const verdicts = judge(detector, recordsOf(clean));
  const scores = new Map<string, TraceScore>();
  await incidentsOf(detector, clean, rangeOf(clean), scores);
  expect(scores.size).toBe(clean.length);
  expect(verdicts.unjudged).toBe(0);
  for (const [i, { traceId }] of clean.entries()) {
    expect(scores.get(traceId)!.p).toBe(verdicts.p[i]!);
    expect(scores.get(traceId)!.score).toBe(verdicts.score[i]!);
  }

  const nursery = createNursery(detector, recordsOf(clean.slice(0, 40)), [], 1);
  const mutants = nursery.plant('moved', 80); // more than traces: some share a trace id
  const found = judge(detector, mutants.records);
  expect(mutants.records.length).toBe(80);
  expect(found.unjudged).toBe(0);
  expect(found.p.filter((p) => p <= 1e-2).length).toBeGreaterThan(40);
});
