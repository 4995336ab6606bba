/** Partitions taken over, read again and given away: from where to read, and what of it was stored and said before. */
import { isRetryable } from '../runtime/errors.ts';
import type { Assignment, Log } from '../runtime/log/port.ts';
import { rewind } from '../runtime/log/rewind.ts';
import type { DetectorConfig } from '../schemas/config/detector.ts';
import type { Core } from './core/core.ts';
import { beginningAt, type Owned, ownedFrom } from './owned.ts';
import type { Rows, StoredVerdict } from './rows.ts';
import { saidEvents } from './said-events.ts';
import type { Storing } from './storing.ts';
import type { Versions } from './versions.ts';
import { STORE_WAIT_MS, settles, within } from './waits.ts';

export interface TakingOver {
  /** From where to read. */
  assigned(assignment: Assignment): Promise<number>;
  revoked(partition: number): void;
  /** From where each partition would be read again; the function given begins that, unless one was handed over meanwhile. */
  prepareReread(): Promise<() => boolean>;
}

export interface TakingOverDeps {
  readonly log: Log;
  readonly partitions: Map<number, Owned>;
  readonly core: Core;
  readonly rows: Rows;
  readonly storing: Storing;
  readonly versions: Versions;
  /** Newest verdict by id of the segments that begin at `fromOffset` or later, of the day of `sinceMs` and later. */
  storedVerdicts(partition: number, fromOffset: number, sinceMs: number): Promise<ReadonlyMap<string, StoredVerdict>>;
  /** Calls again while what is asked is away. */
  untilReached<T>(call: () => Promise<T>): Promise<T>;
  seek(partition: number, offset: number): void;
  /** What others hold of the partition is read again. */
  forget(partition: number): void;
  /** And is another's now. */
  drop(partition: number): void;
  readonly now: () => number;
}

interface Start {
  readonly offset: number;
  /** A former owner may still be writing until then. */
  readonly notBeforeMs: number;
  readonly verdicts: ReadonlyMap<string, StoredVerdict>;
  readonly untilOffset: number;
}

export function createTakingOver(config: DetectorConfig, deps: TakingOverDeps): TakingOver {
  const { log, partitions, core, rows, storing, versions, untilReached } = deps;

  async function assigned(assignment: Assignment): Promise<number> {
    const { partition } = assignment;
    await settles(STORE_WAIT_MS, storing.settled()); // what was given away may still be on its way into the store
    const start = await startOf(assignment);
    const said = await untilReached(async () => {
      const { latest } = await log.offsets('spans');
      return saidEvents(log, partition, latest[partition]!);
    });
    partitions.set(partition, ownedFrom(assignment, start.offset, said));
    begin(partition, assignment.committed, start);
    return start.offset;
  }

  /** Partitions that are held already must not wait for a store that is away: alerts go on, this one is looked up later. */
  async function startOf(assignment: Assignment): Promise<Start> {
    if (!versions.alerting) return untilReached(() => lookBack(assignment));
    try {
      if (!storing.alertOnly) return await within(STORE_WAIT_MS, lookBack(assignment));
    } catch (error) {
      if (!isRetryable(error)) throw error;
      storing.enterAlertOnly();
    }
    const { partition, committed } = assignment;
    const offset = await untilReached(() => rewind(log, 'spans', partition, committed, core.warmUpMs));
    return { offset, notBeforeMs: 0, verdicts: new Map(), untilOffset: committed };
  }

  /**
   * Where to read from, so that segments which straddle the committed offset are whole; and what is stored of the records
   * from there on: a crash, or a former owner, may have left more than was committed.
   */
  async function lookBack({ partition, committed, generation }: Assignment): Promise<Start> {
    const offset = await rewind(log, 'spans', partition, committed, core.warmUpMs);
    const [first] = await log.read('spans', partition, offset, 1);
    const { earliest, latest } = await log.offsets('spans');
    const verdicts =
      first === undefined
        ? new Map<string, StoredVerdict>()
        : await deps.storedVerdicts(partition, offset, first.appendMs);
    let last = committed;
    // what lies beyond the end was stored of another log: its topic was made anew
    for (const { firstOffset } of verdicts.values())
      if (firstOffset > last && firstOffset < latest[partition]!) last = firstOffset;
    const isFirst = verdicts.size === 0 && committed <= earliest[partition]! && generation <= 1;
    const notBeforeMs = isFirst ? 0 : deps.now() + config.handOverMs;
    return { offset, notBeforeMs, verdicts, untilOffset: last + config.replayMargin };
  }

  function begin(partition: number, committed: number, { verdicts, untilOffset, notBeforeMs }: Start): void {
    rows.replay(partition, verdicts, untilOffset, notBeforeMs);
    core.resume(partition, committed);
  }

  /** From where each partition would be read again; the function given begins that, unless one was handed over meanwhile. */
  async function prepareReread(): Promise<() => boolean> {
    const starts: [Owned, Start][] = [];
    for (const owned of partitions.values()) {
      starts.push([owned, await lookBack({ ...owned.assignment, committed: owned.committed })]);
    }
    return () => {
      if (starts.length !== partitions.size) return false;
      if (starts.some(([owned]) => partitions.get(owned.assignment.partition) !== owned)) return false;
      for (const [owned, start] of starts) {
        const { partition } = owned.assignment;
        forget(partition);
        begin(partition, owned.committed, start);
        if (owned.repeats === null && owned.eventsSaid !== null) owned.repeats = { until: owned.eventsSaid, own: true };
        Object.assign(owned, beginningAt(start.offset));
        deps.seek(partition, start.offset);
      }
      return true;
    };
  }

  function forget(partition: number): void {
    core.drop(partition);
    rows.drop(partition);
    deps.forget(partition);
  }

  return {
    assigned,
    revoked(partition) {
      forget(partition);
      deps.drop(partition);
      partitions.delete(partition);
      if (partitions.size === 0) rows.clear(); // the next owner reads them again
    },
    prepareReread,
  };
}
