/**
 * Rows on their way to ClickHouse: encoded when they come, inserted one batch at a time, spans before verdicts; replays and
 * late spans are removed before insertion (ARCHITECTURE decision 8). Says which offsets are not durable yet.
 */
import type { Verdict } from '../schemas/log/verdict.ts';
import type { SegmentSpans } from '../traces/segment.ts';

export interface StoredVerdict {
  readonly revision: number;
  readonly spanCount: number;
  /** Offset of the segment's first record. */
  readonly firstOffset: number;
}

export interface RowBatch {
  /** null: the verdict alone. Spans whose id is in `knownSpanIds` are left out; the others are added to it. */
  add(spans: SegmentSpans | null, verdict: Verdict, knownSpanIds?: Set<string>): void;
  /** Takes out what was added of a partition and is not being written yet. */
  drop(partition: number): void;
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
  /**
   * What the partition's former owner stored at or above the committed offset, and up to where to look closely: not before
   * `notBeforeMs`, as an insert of that owner may still be under way.
   */
  replay(
    partition: number,
    verdicts: ReadonlyMap<string, StoredVerdict>,
    untilOffset: number,
    notBeforeMs: number,
  ): void;
  /** Whether the verdict's segment was stored by a former owner. */
  isReplay(verdict: Verdict): boolean;
  /**
   * Inserts what is there, but what must be looked up later than `nowMs`; rejects when the store is away, and then nothing
   * is lost. One call at a time. Gives the number of spans handed over.
   */
  flush(nowMs: number): Promise<number>;
  /** Smallest first offset that is not durable; Infinity when all is. */
  floor(partition: number): number;
  /** Everything below `offset` is committed: what a former owner stored of it need not be known any more. */
  passed(partition: number, offset: number): void;
  /** Forgets what waits of a partition. */
  drop(partition: number): void;
  /** Forgets everything: alert-only mode, or no partition is left. */
  clear(): void;
  readonly spans: number;
  /** Of them those that wait for a former owner's insert at `nowMs`. */
  heldSpans(nowMs: number): number;
  readonly bytes: number;
  /** Spans not given to the store because their verdict was stored before. */
  readonly replayed: number;
}

interface Waiting {
  readonly verdict: Verdict;
  readonly spans: SegmentSpans | null;
}

interface Replay {
  readonly verdicts: ReadonlyMap<string, StoredVerdict>;
  readonly untilOffset: number;
  readonly notBeforeMs: number;
}

type Offsets = Map<number, number>;

/** Rows looked up at once: their traces fit few statements, and what they add a bounded insert. */
const MAX_LOOKED_UP = 2_000;

export function createRows(store: RowStore): Rows {
  let batch = store.createBatch();
  /** Rows whose trace must be looked up before their spans are encoded, and later rows of these traces: order is kept. */
  let waiting: Waiting[] = [];
  let waitingSpans = 0;
  let waitingBytes = 0;
  const waitingTraces = new Map<string, number>();
  /** By partition. */
  const waitingIn = new Map<number, number>();
  /** Smallest first offset by partition: of what was added since the last flush began, and of what it is writing. */
  let added: Offsets = new Map();
  let writing: Offsets = new Map();
  let replayed = 0;
  /** Grows when everything is forgotten: a flush that began before has nothing to say any more. */
  let epoch = 0;
  const replays = new Map<number, Replay>();

  const count = (partition: number, spans: number): void => {
    waitingIn.set(partition, (waitingIn.get(partition) ?? 0) + spans);
  };

  function wait(row: Waiting): void {
    waiting.push(row);
    const { traceId } = row.verdict;
    waitingTraces.set(traceId, (waitingTraces.get(traceId) ?? 0) + 1);
    if (row.spans !== null) {
      waitingSpans += row.spans.spanCount;
      count(row.verdict.partition, row.spans.spanCount);
      waitingBytes += bytesOf(row.spans);
    }
  }

  /** The row is encoded or forgotten. */
  function unwait({ verdict, spans }: Waiting): void {
    const left = waitingTraces.get(verdict.traceId)! - 1;
    if (left === 0) waitingTraces.delete(verdict.traceId);
    else waitingTraces.set(verdict.traceId, left);
    if (spans !== null) {
      waitingSpans -= spans.spanCount;
      count(verdict.partition, -spans.spanCount);
      waitingBytes -= bytesOf(spans);
    }
  }

  async function flush(nowMs: number): Promise<number> {
    const current = batch;
    const began = epoch;
    for (const [partition, offset] of added) note(writing, partition, offset);
    added = new Map();
    // what waits is looked up after everything before it is stored: what the one inserts, the next must find
    const isHeld = ({ verdict }: Waiting): boolean => (replays.get(verdict.partition)?.notBeforeMs ?? 0) > nowMs;
    let due = waiting.filter((row) => !isHeld(row));
    let handed = current.spans;
    await current.flush();
    while (epoch === began && due.length > 0) {
      const turn = due.slice(0, MAX_LOOKED_UP);
      due = due.slice(MAX_LOOKED_UP);
      const traceIds = new Set(turn.filter(({ spans }) => spans !== null).map(({ verdict }) => verdict.traceId));
      const stored = await store.storedSpanIds([...traceIds]);
      if (epoch !== began) return handed;
      const known = new Map([...traceIds].map((traceId) => [traceId, new Set(stored.get(traceId))]));
      const present = new Set(waiting);
      const standing = turn.filter((row) => present.has(row)); // a partition may have been dropped meanwhile
      for (const row of standing) {
        current.add(row.spans, row.verdict, row.spans === null ? undefined : known.get(row.verdict.traceId));
        unwait(row);
      }
      const encoded = new Set(standing);
      waiting = waiting.filter((row) => !encoded.has(row));
      handed += current.spans;
      await current.flush();
    }
    if (epoch !== began) return handed;
    writing = new Map();
    for (const { verdict } of waiting) note(writing, verdict.partition, verdict.firstOffset);
    return handed;
  }

  return {
    add(verdict, spans, stored) {
      const replay = replays.get(verdict.partition);
      const before = replay?.verdicts.get(verdict.id);
      if (before !== undefined && isStored(before, verdict)) {
        replayed += spans?.spanCount ?? 0;
        return;
      }
      note(added, verdict.partition, verdict.firstOffset);
      const complete = before !== undefined && before.spanCount >= verdict.spanCount;
      const given = stored === 'all' || complete ? null : spans;
      const doubtful =
        given !== null && (stored === 'some' || (replay !== undefined && verdict.firstOffset < replay.untilOffset));
      // a verdict that overtook the spans of the one before would hide, after a crash, that they are missing
      if (doubtful || waitingTraces.has(verdict.traceId)) wait({ verdict, spans: given });
      else batch.add(given, verdict);
    },
    replay(partition, verdicts, untilOffset, notBeforeMs) {
      replays.set(partition, { verdicts, untilOffset, notBeforeMs });
    },
    isReplay: (verdict) => replays.get(verdict.partition)?.verdicts.has(verdict.id) ?? false,
    flush,
    floor: (partition) => Math.min(added.get(partition) ?? Infinity, writing.get(partition) ?? Infinity),
    passed(partition, offset) {
      const replay = replays.get(partition);
      if (replay !== undefined && offset >= replay.untilOffset) replays.delete(partition);
    },
    drop(partition) {
      batch.drop(partition);
      const dropped = waiting.filter(({ verdict }) => verdict.partition === partition);
      for (const row of dropped) unwait(row);
      waiting = waiting.filter(({ verdict }) => verdict.partition !== partition);
      added.delete(partition);
      writing.delete(partition);
      replays.delete(partition);
    },
    clear() {
      epoch++;
      batch = store.createBatch();
      waiting = [];
      waitingSpans = 0;
      waitingBytes = 0;
      waitingTraces.clear();
      waitingIn.clear();
      added = new Map();
      writing = new Map();
    },
    get spans() {
      return batch.spans + waitingSpans;
    },
    heldSpans(nowMs) {
      let held = 0;
      for (const [partition, { notBeforeMs }] of replays)
        if (notBeforeMs > nowMs) held += waitingIn.get(partition) ?? 0;
      return held;
    },
    get bytes() {
      return batch.bytes + waitingBytes;
    },
    get replayed() {
      return replayed;
    },
  };
}

/**
 * Whether the stored row says all that `verdict` says. An origin given up has the revision of one still awaited: it is
 * written again rather than left out, as the row stored may be the earlier of the two.
 */
const isStored = (before: StoredVerdict, verdict: Verdict): boolean =>
  before.revision > verdict.revision || (before.revision === verdict.revision && verdict.originState !== 'unknown');

function note(offsets: Offsets, partition: number, offset: number): void {
  const known = offsets.get(partition);
  if (known === undefined || offset < known) offsets.set(partition, offset);
}

function bytesOf(spans: SegmentSpans): number {
  let sum = 0;
  for (const record of spans.records) sum += record.byteLength;
  return sum;
}
