/**
 * A batch of foreign records into our log: decoded, cut by trace, joined by trace, written, and written again until the
 * log has it. While the log is away or full nothing more is read, so nothing is lost and nothing piles up.
 */
import { randomInt } from 'node:crypto';
import { setImmediate as breathe, setTimeout as wait } from 'node:timers/promises';
import { isRetryable } from '../../runtime/errors.ts';
import type { ForeignRecord } from '../../runtime/log/foreign.ts';
import type { Log } from '../../runtime/log/port.ts';
import type { Logger } from '../../runtime/telemetry/logger.ts';
import type { BoundCounter, Metrics } from '../../runtime/telemetry/metrics.ts';
import type { CollectorConfig } from '../../schemas/config/collector.ts';
import { REJECTION_NAMES, SpanRejection } from '../../schemas/otlp/check-span.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { createFittingWriter } from '../fit.ts';
import { decodeForeign } from './decode.ts';
import { createTraceMerger, type TraceMerger } from './merge.ts';
import { createSkipLog } from './skip-log.ts';
import { createSlots } from './slots.ts';

export interface ForwardDeps {
  readonly log: Pick<Log, 'produce'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface Forwarder {
  /** Resolves when the log has all of them. Rejects only when `signal` ended a wait: nothing may be claimed then. */
  forward(topic: string, records: readonly ForeignRecord[], signal: AbortSignal): Promise<void>;
}

/** What became of a record: label `result` of the counter. */
const RESULTS = ['forwarded', 'empty', 'not_otlp', 'too_large', 'rejected'] as const;
type Result = (typeof RESULTS)[number];

/** Counters of one topic: looked up once a batch, not once a record. */
interface TopicCounters {
  readonly records: Readonly<Record<Result, BoundCounter>>;
  readonly bytes: BoundCounter;
}

/** Written to the log together. */
const PRODUCE_BYTES = 4 * 1_048_576;
/** Batches worked on at a time: bounds what is held, whatever the number of partitions. */
const BATCHES = 4;
/** So much is cut at a stretch; then senders of requests have their turn. */
const STRETCH_BYTES = 256 * 1_024;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

export function createForwarder(config: CollectorConfig, deps: ForwardDeps): Forwarder {
  const { logger, metrics } = deps;
  const writer = createFittingWriter(deps.log);
  const { maxRecordBytes, maxRequestBytes } = config;
  const cutter = createTraceCutter({ maxRecordBytes, maxOutputBytes: config.maxCutBytes }, randomInt(2 ** 31));
  const read = metrics.counter('collector_foreign_records_total', 'Records of foreign topics, by what became of them');
  const received = metrics.counter('collector_spans_received_total', 'Spans in requests that could be read').with({});
  const accepted = metrics.counter('collector_spans_accepted_total', 'Spans acknowledged: durable in the log').with({});
  const rejected = metrics.counter('collector_spans_rejected_total', 'Spans left out one by one, by reason');
  const written = metrics.counter('collector_records_total', 'Records given to the log').with({});
  const bytes = metrics.counter('collector_foreign_bytes_total', 'Bytes of records of foreign topics');
  const waits = metrics.counter(
    'collector_foreign_log_waits_total',
    'Times a batch of a foreign topic waited for the log',
  );
  const skips = createSkipLog(logger);
  const slots = createSlots(BATCHES);
  /** One line an episode: set while the log does not take spans. */
  let logFailing = false;

  function countersOf(topic: string): TopicCounters {
    const series = RESULTS.map((result) => [result, read.with({ topic, result })] as const);
    return { records: Object.fromEntries(series) as TopicCounters['records'], bytes: bytes.with({ topic }) };
  }

  /** Spans of the record that are in the merger now. */
  function cutInto(topic: string, counters: TopicCounters, record: ForeignRecord, merger: TraceMerger): number {
    const skip = (result: Result, problem: string): number => {
      counters.records[result].add(1);
      skips.say(topic, record, problem);
      return 0;
    };
    const size = record.value?.length ?? 0;
    counters.bytes.add(size);
    if (size > maxRequestBytes) return skip('too_large', `${size} bytes, over collector.maxRequestBytes`);
    const decoded = decodeForeign(record.value, config.kafka.encoding);
    if (decoded.outcome === 'empty') {
      counters.records.empty.add(1);
      return 0;
    }
    if (decoded.outcome === 'not_otlp') return skip('not_otlp', decoded.problem);
    const cut = cutter.cut(decoded.bytes, (traceId, value) => merger.add(traceId, value));
    if (cut.outcome === 'malformed') return skip('not_otlp', 'neither otlp_proto nor otlp_json');
    if (cut.outcome === 'too-large') return skip('too_large', 'over collector.maxCutBytes once cut by trace');
    const left = countRejected(decoded.reasons, cut.reasons);
    received.add(cut.spans + left);
    if (cut.spans === 0) {
      if (left > 0) return skip('rejected', 'none of its spans has valid ids');
      counters.records.empty.add(1);
      return 0;
    }
    counters.records.forwarded.add(1);
    return cut.spans;
  }

  function countRejected(first: readonly number[], second: readonly number[]): number {
    let total = 0;
    for (let reason = 1; reason < REJECTION_NAMES.length; reason++) {
      const spans = (first[reason] ?? 0) + (second[reason] ?? 0);
      if (spans > 0) rejected.add(spans, { reason: REJECTION_NAMES[reason]! });
      total += spans;
    }
    return total;
  }

  /** Tries until the log has them: what others gave to Kafka is not ours to drop. */
  async function write(merger: TraceMerger, spans: number, signal: AbortSignal): Promise<void> {
    const records = merger.take();
    let tooLarge = 0;
    for (let attempt = 0; ; attempt++) {
      try {
        tooLarge = await writer.write(records);
        break;
      } catch (error) {
        signal.throwIfAborted();
        waits.add(1);
        if (!logFailing) {
          const say = isRetryable(error) ? logger.warn.bind(logger) : logger.error.bind(logger);
          say({ err: error }, 'the log does not take spans of foreign topics; they wait in Kafka, and are tried again');
        }
        logFailing = true;
        const pause = isRetryable(error) ? Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt) : LAST_RETRY_MS;
        await wait(pause * (0.5 + Math.random() / 2), undefined, { signal });
      }
    }
    if (logFailing) logger.info('the log takes spans of foreign topics again');
    logFailing = false;
    written.add(records.length);
    accepted.add(spans - tooLarge);
    if (tooLarge > 0) rejected.add(tooLarge, { reason: REJECTION_NAMES[SpanRejection.tooLarge]! });
  }

  return {
    async forward(topic, records, signal) {
      const release = await slots.take();
      try {
        signal.throwIfAborted();
        const counters = countersOf(topic);
        const merger = createTraceMerger(maxRecordBytes);
        let spans = 0;
        let stretch = 0;
        for (const record of records) {
          stretch += record.value?.length ?? 0;
          if (stretch > STRETCH_BYTES) {
            stretch = 0;
            await breathe();
          }
          spans += cutInto(topic, counters, record, merger);
          if (merger.bytes < PRODUCE_BYTES) continue;
          await write(merger, spans, signal);
          spans = 0;
        }
        if (merger.bytes > 0) await write(merger, spans, signal);
      } finally {
        release();
      }
    },
  };
}
