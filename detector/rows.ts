/**
 * Rows on their way to ClickHouse: encoded when they come, inserted one batch at a time, spans before verdicts; replays and
 * late spans are removed before insertion (ARCHITECTURE decision 8). Says which offsets are not durable yet.
 */
import type { Verdict } from '../schemas/log/verdict.ts';
import type { SegmentSpans } from '../traces/segment.ts';

export interface StoredVerdict {
  readonly revision: number;
  readonly spanCount: number;
}

export interface RowBatch {
  /** null: the verdict alone. `skipSpanIds`: spans that are stored already. */
  add(spans: SegmentSpans | null, verdict: Verdict, skipSpanIds?: ReadonlySet<string>): void;
  readonly spans: number;
  readonly bytes: number;
  /** What was added before is durable when this resolves; after a failure it is still there for the next call. */
  flush(): Promise<void>;
}

export interface RowStore {
  createBatch(): RowBatch;
  storedSpanIds(traceIds: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
}

export interface Rows {
  /** `new`: none of the spans was stored before; `some`: some may be; `all`: the verdict says something new, the spans nothing. */
  add(verdict: Verdict, spans: SegmentSpans | null, stored: 'new' | 'some' | 'all'): void;
  /** What the partition's former owner stored at or above the committed offset, and up to where to look closely. */
  replay(partition: number, verdicts: ReadonlyMap<string, StoredVerdict>, untilOffset: number): void;
  /** Inserts what is there; rejects when the store is away, and then nothing is lost. One call at a time. */
  flush(): Promise<void>;
  /** Smallest first offset that is not durable; Infinity when all is. */
  floor(partition: number): number;
  /** Forgets what waits of a partition. */
  drop(partition: number): void;
  /** Forgets everything: alert-only mode. */
  clear(): void;
  readonly spans: number;
  readonly bytes: number;
  /** Spans not inserted because they were stored before. */
  readonly replayed: number;
}

interface Waiting {
  readonly verdict: Verdict;
  readonly spans: SegmentSpans;
}

type Offsets = Map<number, number>;

export function createRows(store: RowStore): Rows {
  let batch = store.createBatch();
  /** Rows whose trace must be looked up before their spans are encoded. */
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  /** Smallest first offset by partition: of what was added since the last flush began, and of what it is writing. */
  let added: Offsets = new Map();
  let writing: Offsets = new Map();
  let replayed = 0;
  const replays = new Map<number, { verdicts: ReadonlyMap<string, StoredVerdict>; untilOffset: number }>();

  async function flush(): Promise<void> {
    const current = batch;
    merge(writing, added);
    added = new Map();
    const looked = waiting;
    waiting = [];
    waitingBytes = 0;
    try {
      await current.flush();
      // one segment of a trace at a time: what the one inserts, the next must find
      while (looked.length > 0) {
        const turn = takeOnePerTrace(looked);
        const known = await store.storedSpanIds(turn.map(({ verdict }) => verdict.traceId)).catch((error: unknown) => {
          looked.unshift(...turn);
          throw error;
        });
        for (const { verdict, spans } of turn) {
          const ids = known.get(verdict.traceId);
          if (ids !== undefined) replayed += Math.min(ids.size, spans.spanCount);
          current.add(spans, verdict, ids);
        }
        await current.flush();
      }
      if (current === batch) writing = new Map();
    } finally {
      if (current === batch) {
        waiting = [...looked, ...waiting];
        for (const { spans } of looked) waitingBytes += bytesOf(spans);
      }
    }
  }

  return {
    add(verdict, spans, stored) {
      const replay = replays.get(verdict.partition);
      const before = replay?.verdicts.get(verdict.id);
      if (before !== undefined && before.revision >= verdict.revision) {
        replayed += spans?.spanCount ?? 0;
        return;
      }
      note(added, verdict.partition, verdict.firstOffset);
      const complete = before !== undefined && before.spanCount >= verdict.spanCount;
      if (spans === null || stored === 'all' || complete) return batch.add(null, verdict);
      const doubtful = stored === 'some' || (replay !== undefined && verdict.firstOffset < replay.untilOffset);
      if (!doubtful) return batch.add(spans, verdict);
      waiting.push({ verdict, spans });
      waitingBytes += bytesOf(spans);
    },
    replay(partition, verdicts, untilOffset) {
      replays.set(partition, { verdicts, untilOffset });
    },
    flush,
    floor: (partition) => Math.min(added.get(partition) ?? Infinity, writing.get(partition) ?? Infinity),
    drop(partition) {
      waiting = waiting.filter(({ verdict }) => verdict.partition !== partition);
      added.delete(partition);
      writing.delete(partition);
      replays.delete(partition);
    },
    clear() {
      batch = store.createBatch();
      waiting = [];
      waitingBytes = 0;
      added = new Map();
      writing = new Map();
    },
    get spans() {
      return batch.spans + waiting.reduce((sum, { spans }) => sum + spans.spanCount, 0);
    },
    get bytes() {
      return batch.bytes + waitingBytes;
    },
    get replayed() {
      return replayed;
    },
  };
}

function note(offsets: Offsets, partition: number, offset: number): void {
  const known = offsets.get(partition);
  if (known === undefined || offset < known) offsets.set(partition, offset);
}

function merge(into: Offsets, from: Offsets): void {
  for (const [partition, offset] of from) note(into, partition, offset);
}

function bytesOf(spans: SegmentSpans): number {
  let sum = 0;
  for (const record of spans.records) sum += record.byteLength;
  return sum;
}

/** Takes the first row of each trace out of `rows`. */
function takeOnePerTrace(rows: Waiting[]): Waiting[] {
  const seen = new Set<string>();
  const taken: Waiting[] = [];
  const rest: Waiting[] = [];
  for (const row of rows.splice(0)) {
    if (seen.has(row.verdict.traceId)) rest.push(row);
    else {
      seen.add(row.verdict.traceId);
      taken.push(row);
    }
  }
  rows.push(...rest);
  return taken;
}
