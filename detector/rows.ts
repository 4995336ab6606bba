/**
 * Rows on their way to ClickHouse: gathered, inserted one batch at a time, spans before verdicts, with replays and late
 * spans removed before insertion (ARCHITECTURE decision 8). Says which offsets are not durable yet.
 */
import type { Verdict } from '../schemas/log/verdict.ts';
import type { SegmentSpans } from '../traces/segment.ts';

export interface StoredVerdict {
  readonly revision: number;
  readonly spanCount: number;
}

export interface SegmentRow {
  readonly verdict: Verdict;
  /** null: the verdict alone. */
  readonly spans: SegmentSpans | null;
  /** Span ids that are stored already. */
  readonly skip: ReadonlySet<string> | null;
}

export interface RowStore {
  /** All of it is durable when this resolves. */
  insert(rows: readonly SegmentRow[]): Promise<void>;
  storedSpanIds(traceIds: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
}

export interface Rows {
  add(verdict: Verdict, spans: SegmentSpans | null, stored: 'new' | 'some' | 'all'): void;
  /** What the partition's former owner stored at or above the committed offset, and up to where to look closely. */
  replay(partition: number, verdicts: ReadonlyMap<string, StoredVerdict>, untilOffset: number): void;
  /** Inserts what is there; rejects when the store is away, and then nothing is lost. One at a time. */
  flush(): Promise<void>;
  /** Smallest first offset that is not durable; Infinity when all is. */
  floor(partition: number): number;
  /** Forgets a partition's rows. */
  drop(partition: number): void;
  /** Forgets everything: alert-only mode. */
  clear(): void;
  readonly spans: number;
  readonly bytes: number;
  /** Spans not inserted because they were stored before. */
  readonly replayed: number;
}

interface Pending {
  readonly verdict: Verdict;
  readonly spans: SegmentSpans | null;
  readonly lookUp: boolean;
}

/** Bytes of a row without spans: the verdict and what the batch needs for it. */
const VERDICT_BYTES = 1_000;

export function createRows(store: RowStore): Rows {
  let pending: Pending[] = [];
  let inserting: readonly Pending[] = [];
  let spanCount = 0;
  let bytes = 0;
  let replayed = 0;
  const replays = new Map<number, { verdicts: ReadonlyMap<string, StoredVerdict>; untilOffset: number }>();

  const sizeOf = ({ spans }: Pending): number => VERDICT_BYTES + (spans === null ? 0 : spanBytes(spans));

  function recount(): void {
    spanCount = 0;
    bytes = 0;
    for (const row of pending) {
      spanCount += row.spans?.spanCount ?? 0;
      bytes += sizeOf(row);
    }
  }

  async function flush(): Promise<void> {
    if (pending.length === 0 || inserting.length > 0) return;
    const taken = pending;
    inserting = taken;
    pending = [];
    try {
      const plain = taken.filter(({ lookUp }) => !lookUp);
      if (plain.length > 0) await store.insert(plain.map(({ verdict, spans }) => ({ verdict, spans, skip: null })));
      inserting = taken.filter(({ lookUp }) => lookUp);
      // one segment of a trace at a time: what the one inserts, the next must find
      while (inserting.length > 0) {
        const [first, rest] = onePerTrace(inserting);
        const known = await store.storedSpanIds(first.map(({ verdict }) => verdict.traceId));
        await store.insert(first.map(({ verdict, spans }) => ({ verdict, spans, skip: skipped(spans, known) })));
        inserting = rest;
      }
    } catch (error) {
      pending = [...inserting, ...pending];
      throw error;
    } finally {
      inserting = [];
      recount();
    }
  }

  function skipped(
    spans: SegmentSpans | null,
    known: ReadonlyMap<string, ReadonlySet<string>>,
  ): ReadonlySet<string> | null {
    const ids = spans === null ? undefined : known.get(spans.traceId);
    if (ids !== undefined) replayed += Math.min(ids.size, spans!.spanCount);
    return ids ?? null;
  }

  return {
    add(verdict, spans, stored) {
      const replay = replays.get(verdict.partition);
      const before = replay?.verdicts.get(verdict.id);
      if (before !== undefined && before.revision >= verdict.revision) {
        replayed += spans?.spanCount ?? 0;
        return;
      }
      const complete = before !== undefined && before.spanCount >= verdict.spanCount;
      const kept = complete || stored === 'all' ? null : spans;
      const lookUp =
        kept !== null && (stored === 'some' || (replay !== undefined && verdict.firstOffset < replay.untilOffset));
      pending.push({ verdict, spans: kept, lookUp });
      spanCount += kept?.spanCount ?? 0;
      bytes += sizeOf(pending.at(-1)!);
    },
    replay(partition, verdicts, untilOffset) {
      replays.set(partition, { verdicts, untilOffset });
    },
    flush,
    floor(partition) {
      let lowest = Infinity;
      for (const rows of [inserting, pending]) {
        for (const { verdict } of rows) {
          if (verdict.partition === partition && verdict.firstOffset < lowest) lowest = verdict.firstOffset;
        }
      }
      return lowest;
    },
    drop(partition) {
      pending = pending.filter(({ verdict }) => verdict.partition !== partition);
      replays.delete(partition);
      recount();
    },
    clear() {
      pending = [];
      recount();
    },
    get spans() {
      return spanCount;
    },
    get bytes() {
      return bytes;
    },
    get replayed() {
      return replayed;
    },
  };
}

function spanBytes(spans: SegmentSpans): number {
  let sum = 0;
  for (const record of spans.records) sum += record.byteLength;
  return sum;
}

function onePerTrace(rows: readonly Pending[]): [Pending[], Pending[]] {
  const seen = new Set<string>();
  const first: Pending[] = [];
  const rest: Pending[] = [];
  for (const row of rows) {
    if (seen.has(row.verdict.traceId)) rest.push(row);
    else {
      seen.add(row.verdict.traceId);
      first.push(row);
    }
  }
  return [first, rest];
}
