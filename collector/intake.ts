/**
 * What happens to a request's bytes, whichever way they came: cut by trace, written to the log, and answered when the log
 * has them. Not before: an acknowledged span is a durable one.
 */
import { randomInt } from 'node:crypto';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Log, NewRecord } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { CollectorConfig } from '../schemas/config/collector.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import { REJECTION_NAMES, SpanRejection } from '../schemas/otlp/check-span.ts';
import { createTraceCutter } from '../schemas/otlp/cut.ts';
import { jsonToTracesData } from '../schemas/otlp/json.ts';
import type { Answer, Refusal } from './answer.ts';
import type { Lease } from './budget.ts';
import { createFittingWriter } from './fit.ts';

export interface Intake {
  /** Takes a protobuf body. The lease holds what the request holds until the log has taken it, and is released here. */
  protobuf(body: Uint8Array, lease: Lease): Promise<Answer>;
  /** The same for a JSON body. */
  json(body: Buffer, lease: Lease): Promise<Answer>;
  /** Counts and words a refusal that was found before the body was whole; releases the lease. */
  refuse(refusal: Refusal, lease: Lease): Answer;
  /** From now on every request is refused with `stopping`. */
  close(): void;
  /** Resolves when no request waits for the log any more, or after `deadlineMs`. */
  drained(deadlineMs: number): Promise<void>;
}

export interface IntakeDeps {
  readonly log: Pick<Log, 'produce'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One produce call is not larger than this, so that no single request fills the log's queue. */
const PRODUCE_BYTES = 8 * 1_048_576;

const PROBLEMS: Readonly<Record<Refusal, string>> = {
  malformed: 'the request is not well-formed TracesData',
  corrupt: 'the body is not what its content encoding says',
  too_large: 'the request is over the size limit',
  encoding: 'this content encoding is not supported',
  content_type: 'this content type is not supported',
  timeout: 'the request did not arrive in time',
  overload: 'too much is in flight; send again later',
  log_slow: 'the log is slow; send again later',
  log_full: 'the log is full; send again later',
  log_unavailable: 'the log is not available; send again later',
  stopping: 'the collector is stopping; send again later',
};

export function createIntake(config: CollectorConfig, deps: IntakeDeps): Intake {
  const { logger, metrics } = deps;
  const writer = createFittingWriter(deps.log);
  const cutter = createTraceCutter(
    { maxRecordBytes: config.maxRecordBytes, maxOutputBytes: config.maxCutBytes },
    randomInt(2 ** 31),
  );
  const received = metrics.counter('collector_spans_received_total', 'Spans in requests that could be read').with({});
  const accepted = metrics.counter('collector_spans_accepted_total', 'Spans acknowledged: durable in the log').with({});
  const rejected = metrics.counter('collector_spans_rejected_total', 'Spans left out one by one, by reason');
  const refused = metrics.counter('collector_requests_refused_total', 'Requests refused whole, by reason');
  const requests = metrics.counter('collector_requests_total', 'Requests read whole').with({});
  const bytes = metrics.counter('collector_bytes_received_total', 'Bytes of requests, after decompression').with({});
  const records = metrics.counter('collector_records_total', 'Records given to the log').with({});
  const logSeconds = metrics.histogram('collector_log_seconds', 'Time until the log had a request');

  let closing = false;
  let waiting = 0;
  let onDrained: (() => void) | undefined;
  /** One line an episode, not one a request: set while the log fails. */
  let logFailing = false;

  const refuse = (refusal: Refusal, problem = PROBLEMS[refusal]): Answer => {
    refused.add(1, { reason: refusal });
    return { accepted: false, refusal, problem };
  };

  /** Cuts `body` and gives the records to the log; settles with why it could not, or undefined. */
  function intoLog(body: Uint8Array, lease: Lease, rejectedBefore: readonly number[], before: number): Promise<Answer> {
    requests.add(1);
    bytes.add(body.length);
    const batches: NewRecord[][] = [];
    let batch: NewRecord[] = [];
    let batchBytes = 0;
    const cut = cutter.cut(body, (key, value) => {
      if (batchBytes > 0 && batchBytes + value.length > PRODUCE_BYTES) {
        batches.push(batch);
        batch = [];
        batchBytes = 0;
      }
      batchBytes += value.length;
      batch.push({ kind: RecordKind.spans, key, value });
    });
    if (batch.length > 0) batches.push(batch);
    const rejectedSpans = before + cut.rejected;
    received.add(cut.spans + rejectedSpans);
    if (rejectedSpans > 0) countRejected(rejectedBefore, cut.reasons);
    if (cut.outcome !== 'cut') {
      lease.release();
      return Promise.resolve(
        cut.outcome === 'malformed'
          ? refuse('malformed')
          : refuse('too_large', 'too many traces share a large resource; send fewer traces a request'),
      );
    }
    const reasons = REJECTION_NAMES.map((_, reason) => (rejectedBefore[reason] ?? 0) + (cut.reasons[reason] ?? 0));
    if (batches.length === 0) {
      lease.release();
      return Promise.resolve(acceptance(reasons));
    }
    lease.settle(cut.bytes); // the body is let go, the records are held
    records.add(cut.records);
    return produced(batches, cut.spans, lease, reasons);
  }

  function produced(batches: NewRecord[][], spans: number, lease: Lease, reasons: number[]): Promise<Answer> {
    const startedAt = performance.now();
    waiting++;
    return new Promise((resolve) => {
      let told = false;
      const late = setTimeout(() => {
        told = true; // once, whatever becomes of it
        resolve(refuse('log_slow'));
      }, config.logTimeoutMs);
      produceAll(batches)
        .then(
          (tooLarge) => {
            clearTimeout(late);
            logSeconds.add((performance.now() - startedAt) / 1_000);
            accepted.add(spans - tooLarge);
            if (tooLarge > 0) {
              rejected.add(tooLarge, { reason: REJECTION_NAMES[SpanRejection.tooLarge]! });
              reasons[SpanRejection.tooLarge]! += tooLarge;
            }
            if (logFailing) {
              logFailing = false;
              logger.info('the log takes spans again');
            }
            resolve(acceptance(reasons));
          },
          (error: unknown) => {
            clearTimeout(late);
            const full = error instanceof SpanwardenError && error.code === 'LOG_FULL';
            if (!logFailing) {
              logFailing = true;
              logger.warn({ err: error }, 'the log does not take spans; senders are told to come back');
            }
            if (!told) resolve(refuse(full ? 'log_full' : 'log_unavailable'));
          },
        )
        .finally(() => {
          lease.release();
          if (--waiting === 0) onDrained?.();
        });
    });
  }

  /**
   * One after another: a part that fails leaves the rest unwritten, and the sender sends all again. Resolves with how many
   * spans the log can't hold.
   */
  async function produceAll(batches: NewRecord[][]): Promise<number> {
    let tooLarge = 0;
    for (const batch of batches) tooLarge += await writer.write(batch);
    return tooLarge;
  }

  function countRejected(first: readonly number[], second: readonly number[]): void {
    for (let reason = 1; reason < REJECTION_NAMES.length; reason++) {
      const spans = (first[reason] ?? 0) + (second[reason] ?? 0);
      if (spans > 0) rejected.add(spans, { reason: REJECTION_NAMES[reason]! });
    }
  }

  return {
    protobuf(body, lease) {
      if (!closing) return intoLog(body, lease, [], 0);
      lease.release();
      return Promise.resolve(refuse('stopping'));
    },
    json(body, lease) {
      if (closing) {
        lease.release();
        return Promise.resolve(refuse('stopping'));
      }
      const read = jsonToTracesData(body.toString('utf8'));
      if (read.outcome === 'read') return intoLog(read.bytes, lease, read.reasons, read.rejected);
      lease.release();
      return Promise.resolve(refuse('malformed', read.problem));
    },
    refuse(refusal, lease) {
      lease.release();
      return refuse(refusal);
    },
    close() {
      closing = true;
    },
    drained(deadlineMs) {
      if (waiting === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const cut = setTimeout(resolve, deadlineMs);
        onDrained = () => {
          clearTimeout(cut);
          resolve();
        };
      });
    },
  };
}

/** The answer to a request that is in the log; `problem` as in `3 spans rejected: 2 trace_id, 1 malformed`. */
function acceptance(reasons: readonly number[]): Answer {
  const parts: string[] = [];
  let total = 0;
  for (let reason = 1; reason < REJECTION_NAMES.length; reason++) {
    const spans = reasons[reason] ?? 0;
    total += spans;
    if (spans > 0) parts.push(`${spans} ${REJECTION_NAMES[reason]}`);
  }
  if (total === 0) return { accepted: true, rejectedSpans: 0, problem: '' };
  const problem = `${total} ${total === 1 ? 'span' : 'spans'} rejected: ${parts.join(', ')}`;
  return { accepted: true, rejectedSpans: total, problem };
}
