/**
 * Recent traffic out of the spans topic, read beside whoever writes and reads it: no group, no commit. Where the log holds
 * more than can be looked at, stretches spread evenly over the time are read whole, so that every segment is as likely to be
 * in as any other, and is in with all its spans.
 */
import type { LogReader } from '../../runtime/log/create.ts';
import type { LogRecord } from '../../runtime/log/port.ts';
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import { RecordKind } from '../../schemas/log/topics.ts';
import type { AssemblerSink } from '../../traces/assembly/contract.ts';
import type { SegmentSpans } from '../../traces/segment.ts';
import { createRandom, type Random } from './mutations/random.ts';
import { givenOf, nothingCovered, type RecentCovered, type RecentOptions, type RecentTraffic } from './recent.ts';
import { createSegmentSample } from './sample.ts';

export interface RecentLogDeps {
  readonly log: Pick<LogReader, 'offsets' | 'read'>;
  readonly assembly: AssemblyConfig;
  createAssembler(config: AssemblyConfig, sink: AssemblerSink): RecentAssembler;
  readonly now: () => number;
}

/** What is needed of an assembler: segments that begin below an offset are assembled in silence. */
interface RecentAssembler {
  add(partition: number, offset: number, appendMs: number, value: Uint8Array): boolean;
  advance(partition: number, streamMs: number): void;
  resume(partition: number, committed: number): void;
}

/** Records a segment may take on the way to the sample; more than the whole sample needs are passed over in stretches. */
const RECORDS_A_SEGMENT = 8;
/** Reading everything is better than stretches of it up to so many times what they would read. */
const WHOLE_UP_TO = 4;
const MOST_STRETCHES = 64;
const FEWEST_STRETCHES = 4;
const READ_RECORDS = 2_000;
/** Records appended lately may have others of an earlier time behind them: log-append time is given at the commit. */
const END_LAG_MS = 300;

/** Offsets [from, to) whose segments are wanted: those that begin in it. */
interface Stretch {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

export function createRecentLog({ log, assembly, createAssembler, now }: RecentLogDeps): RecentTraffic {
  let covered = nothingCovered();
  /** How long after a segment's first record it may settle, when it ends as most do. */
  const settlesMs = assembly.graceMs + assembly.absenceGraceMs + assembly.idleMs;

  async function* segments(options: RecentOptions): AsyncGenerator<SegmentSpans> {
    covered = nothingCovered();
    const random = createRandom(options.seed);
    const sample = createSegmentSample(options.most, random);
    const stretches = await plan(options, random, covered);
    for (const stretch of stretches) {
      await readStretch(stretch, (spans) => sample.add(spans), options.signal);
      options.progress?.(sample.seen);
    }
    yield* givenOf(sample, covered);
  }

  async function plan(options: RecentOptions, random: Random, into: RecentCovered): Promise<Stretch[]> {
    const { earliest, latest } = await log.offsets('spans');
    const sinceMs = options.sinceMs === undefined ? Number.NEGATIVE_INFINITY : now() - options.sinceMs;
    const parts: Stretch[] = [];
    for (const [partition, first] of earliest.entries()) {
      const to = latest[partition]!;
      const from = await firstSince(partition, first, to, sinceMs);
      if (from < to) parts.push({ partition, from, to });
    }
    const records = parts.reduce((sum, { from, to }) => sum + to - from, 0);
    const wanted = options.most * RECORDS_A_SEGMENT;
    if (records <= WHOLE_UP_TO * wanted) return parts;
    into.whole = false;
    const stretches: Stretch[] = [];
    for (const part of parts)
      stretches.push(...(await spread(part, (wanted * (part.to - part.from)) / records, random)));
    return stretches;
  }

  /** Stretches of a part with `wanted` records in all, one in each equal share of it, at a random place. */
  async function spread({ partition, from, to }: Stretch, wanted: number, random: Random): Promise<Stretch[]> {
    const spanMs = Math.max(1, (await appendMsAt(partition, to - 1)) - (await appendMsAt(partition, from)));
    // beside its own records, a stretch costs those that come until its last segments have settled
    const beside = ((to - from) / spanMs) * settlesMs;
    const count = Math.round(Math.min(MOST_STRETCHES, Math.max(FEWEST_STRETCHES, wanted / Math.max(1, beside))));
    const share = (to - from) / count;
    const length = Math.min(share, Math.max(1, wanted / count));
    return Array.from({ length: count }, (_, i) => {
      const start = Math.floor(from + share * i + random.next() * (share - length));
      return { partition, from: start, to: Math.min(to, Math.ceil(start + length)) };
    });
  }

  const appendMsAt = async (partition: number, offset: number): Promise<number> =>
    (await log.read('spans', partition, offset, 1))[0]?.appendMs ?? now();

  /** First offset appended at `sinceMs` or later: append times are monotonic in a partition. */
  async function firstSince(partition: number, first: number, end: number, sinceMs: number): Promise<number> {
    if (sinceMs === Number.NEGATIVE_INFINITY) return first;
    let low = first;
    let high = end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await appendMsAt(partition, middle)) >= sinceMs) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async function readStretch(
    { partition, from, to }: Stretch,
    wanted: (spans: SegmentSpans) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    /** Traces that begin in the stretch: afterwards only their records matter. */
    const begun = new Set<string>();
    const settled = new Set<string>();
    let reading = true;
    const assembler = createAssembler(assembly, {
      closed() {},
      withdrawn() {},
      reused() {},
      forgotten() {},
      settled(spans) {
        settled.add(spans.traceId);
        if (spans.firstOffset >= from && spans.firstOffset < to) wanted(spans);
      },
    });
    const fromMs = await appendMsAt(partition, from);
    const before = await firstSince(partition, Math.max(0, from - READ_RECORDS), from, fromMs - assembly.idleMs);
    // what began before is assembled in silence, so that its later spans make no segments of their own
    assembler.resume(partition, from);
    let lastMs = fromMs;
    let endMs = Number.POSITIVE_INFINITY;
    for (let next = before; reading; ) {
      signal?.throwIfAborted();
      const records = await log.read('spans', partition, next, READ_RECORDS);
      if (records.length === 0) break;
      next = records.at(-1)!.offset + 1;
      for (const record of records) {
        covered.records++;
        lastMs = record.appendMs;
        if (record.offset < to) endMs = record.appendMs + settlesMs;
        // nothing of the stretch is there any more: nothing is waited for
        else if (endMs === Number.POSITIVE_INFINITY) endMs = record.appendMs;
        else if (record.appendMs > endMs) {
          assembler.advance(partition, record.appendMs);
          reading = false;
          break;
        }
        take(record);
      }
    }
    // nothing more is there: time alone goes on
    if (reading) assembler.advance(partition, Math.max(lastMs, now() - END_LAG_MS));
    for (const traceId of begun) if (!settled.has(traceId)) covered.unfinished++;

    function take({ offset, appendMs, kind, key, value }: LogRecord): void {
      if (kind === RecordKind.spans && (offset < to || begun.has(key))) {
        if (offset >= from && offset < to) begun.add(key);
        assembler.add(partition, offset, appendMs, value);
      }
      assembler.advance(partition, appendMs);
    }
  }

  return {
    segments,
    get covered() {
      return covered;
    },
  };
}
