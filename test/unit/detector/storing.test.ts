/** When rows are inserted and what is committed then: members cut off, commits that fail, rows held back, a store away. */
import { describe, expect, it } from 'vitest';
import { type Owned, ownedFrom } from '../../../detector/owned.ts';
import type { Rows } from '../../../detector/rows.ts';
import { createStoring } from '../../../detector/storing.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { detectorSection } from '../../../schemas/config/detector.ts';

function create() {
  const partitions = new Map<number, Owned>([
    [0, { ...ownedFrom({ partition: 0, generation: 1, committed: 0 }, 0, null), said: 50 }],
  ]);
  const state = { nowMs: 10_000, confirmed: true, bytes: 10, spans: 5, held: 0, away: false, commitFails: false };
  const flushed: number[] = [];
  const commits: number[] = [];
  const rows: Rows = {
    add: () => {},
    replay: () => {},
    isReplay: () => false,
    async flush(nowMs) {
      if (state.away) throw new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'away');
      flushed.push(nowMs);
      if (nowMs === Number.POSITIVE_INFINITY) state.held = 0;
      const handed = state.spans - state.held;
      state.spans = state.held;
      if (state.held === 0) state.bytes = 0;
      return handed;
    },
    floor: () => Number.POSITIVE_INFINITY,
    passed: () => {},
    drop: () => {},
    clear: () => {
      state.bytes = 0;
      state.spans = 0;
    },
    get spans() {
      return state.spans;
    },
    heldSpans: () => state.held,
    get bytes() {
      return state.bytes;
    },
    replayed: 0,
  };
  const metrics = createMetrics();
  const storing = createStoring(
    { ...detectorSection.parse({ flushSpans: 100 }), maxUnstoredBytes: 1_000 },
    {
      rows,
      partitions,
      flushInventory: async () => {},
      reachable: async () => !state.away,
      confirmed: () => state.confirmed,
      async commit(_owned, offset) {
        if (state.commitFails) throw new SpanwardenError('LOG_UNAVAILABLE', 'no coordinator');
        commits.push(offset);
        return true;
      },
      prepareReread: async () => () => true,
      logger: createLogger({ name: 'test', level: 'silent' }),
      metrics,
      now: () => state.nowMs,
    },
  );
  const turn = async (): Promise<void> => {
    state.nowMs += 2_000;
    await storing.afterBatch();
    await storing.settled();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { state, storing, turn, flushed, commits };
}

describe('storing', () => {
  it('inserts, then commits what is durable', async () => {
    const { turn, flushed, commits } = create();
    await turn();
    expect([flushed, commits]).toEqual([[12_000], [50]]);
  });

  it('keeps the rows of a member that may have lost its partitions, until it hears that it has not', async () => {
    const { state, turn, flushed, storing } = create();
    state.confirmed = false;
    await turn();
    expect(flushed).toEqual([]);
    state.confirmed = true;
    await turn();
    expect(flushed).toHaveLength(1);
    expect(storing.alertOnly).toBe(false);
  });

  it('goes into alert-only mode when such a member has no room left', async () => {
    const { state, turn, flushed, storing } = create();
    state.confirmed = false;
    state.bytes = 1_000;
    await turn();
    expect([flushed, storing.alertOnly]).toEqual([[], true]);
  });

  it('does not take a group that cannot be committed to for a store that is away', async () => {
    const { state, turn, flushed, commits, storing } = create();
    state.commitFails = true;
    await turn();
    state.bytes = 990;
    await turn();
    expect([flushed.length, commits.length, storing.alertOnly]).toEqual([2, 0, false]);
    state.commitFails = false;
    await turn();
    expect(commits).toEqual([50]);
  });

  it('many rows that wait for a former owner do not end their waiting; memory running short does', async () => {
    const { state, turn, flushed } = create();
    state.spans = state.held = 10_000;
    await turn();
    expect(flushed).toEqual([12_000]);
    state.bytes = 1_000;
    await turn();
    expect(flushed.at(-1)).toBe(Number.POSITIVE_INFINITY);
  });
});
