/** A machine that stalls while stories are open: everybody waits, and no two stories become one by it. */
import { describe, expect, it } from 'vitest';
import { keeperOf } from './keeping.ts';
import { DAY, findingOf, verdictOf } from './verdicts.ts';

const SLOW = '81.2.69.1';
const THIEF = '81.2.69.2';
const slowness = (hard: boolean, startMs: number) =>
  findingOf({
    kind: 'self-time',
    group: 'timing',
    hard,
    explanationKey: 'reports',
    service: 'reports',
    operation: 'GET /sales',
    parameter: '',
    severity: hard ? 5 : 1,
    startMs,
    endMs: startMs + 1_500,
  });

describe('slowness that is not certain', () => {
  it('joins what is open, and merges nothing', () => {
    const { feed, rows, keeper } = keeperOf();
    feed(verdictOf({ client: SLOW, findings: [slowness(true, DAY)], p: 1e-6, appendMs: DAY + 2_000 }));
    keeper.tick(DAY + 10_000);
    feed(verdictOf({ client: THIEF, findings: [findingOf({ startMs: DAY + 20_000 })], appendMs: DAY + 20_000 }));
    const open = () => [...rows.values()].filter(({ state }) => state === 'open').map(({ kind }) => kind);
    expect(open().sort()).toEqual(['self-time', 'statement']);
    feed(verdictOf({ client: THIEF, findings: [slowness(false, DAY + 60_000)], p: 1e-5, appendMs: DAY + 60_000 }));
    keeper.tick(DAY + 70_000);
    expect(open().sort()).toEqual(['self-time', 'statement']);
  });
});
