/** One bounded read of a partition, outside any group. */
import { SpanwardenError } from '../../errors.ts';
import { backoffMs } from './backoff.ts';
import { createBufferPool } from './buffer-pool.ts';
import { type Cluster, CONTROL } from './cluster.ts';
import { KafkaError } from './failures.ts';
import { sendFetch } from './fetch-request.ts';
import type { Library } from './library.ts';
import { EARLIEST, listOffsets } from './offsets.ts';
import { createRecordReader, type RawRecord } from './record-reader.ts';

export interface ReadOptions {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxRecords: number;
  readonly requestTimeoutMs: number;
}

/** Single reads are not worth one. */
const NO_POOL = createBufferPool(0);
const MIN_BYTES = 65_536;
const MAX_BYTES = 4 * 1_048_576;
/** About as much as a record takes: few records need not cost megabytes. */
const RECORD_BYTES = 2_048;

export async function readPartition<R>(
  options: ReadOptions,
  deps: { readonly cluster: Cluster; readonly library: Library },
  decode: (partition: number, raw: RawRecord) => R,
): Promise<R[]> {
  const { topic, partition, maxRecords } = options;
  const { cluster, library } = deps;
  const endMs = performance.now() + options.requestTimeoutMs;
  const out: R[] = [];
  let unreadable: string | undefined;
  const reader = createRecordReader(library, options.offset, (_at, _next, reason) => {
    unreadable = reason;
  });
  let from = options.offset;
  let appendMs = 0;
  for (let attempt = 0; ; ) {
    const node = (cluster.topic(topic) ?? (await cluster.refresh(topic)))?.leaders[partition] ?? -1;
    const wanted = Math.min(MAX_BYTES, Math.max(MIN_BYTES, (maxRecords - out.length) * RECORD_BYTES));
    let problem: unknown = 'it has no leader';
    try {
      if (node >= 0) {
        const [answer] = await cluster.request(node, CONTROL, (connection) =>
          sendFetch(
            connection,
            library,
            topic,
            [{ partition, offset: from, maxBytes: wanted }],
            { maxWaitMs: 0, maxBytes: wanted },
            NO_POOL,
          ),
        );
        problem = `error ${answer?.errorCode}`;
        if (answer?.errorCode === KafkaError.offsetOutOfRange) {
          const first = (await listOffsets(cluster, topic, [partition], EARLIEST)).get(partition);
          if (first !== undefined && first <= from) return out;
          if (first !== undefined) {
            from = first;
            reader.clear(first);
            continue;
          }
        } else if (answer?.errorCode === KafkaError.none) {
          const next = reader.add(answer.records);
          while (out.length < maxRecords && reader.next()) {
            const { record } = reader;
            if (record.timestampMs < appendMs) record.timestampMs = appendMs;
            else appendMs = record.timestampMs;
            out.push(decode(partition, record));
          }
          if (unreadable !== undefined)
            throw new SpanwardenError('LOG_UNAVAILABLE', `${topic}/${partition} cannot be read: ${unreadable}`);
          if (out.length >= maxRecords || next === undefined || next >= answer.end) return out;
          from = next;
          attempt = 0;
          continue;
        }
      }
    } catch (error) {
      if (cluster.stopped || !(error instanceof SpanwardenError) || !error.retryable) throw error;
      problem = error.message;
    }
    if (performance.now() > endMs)
      throw new SpanwardenError('LOG_UNAVAILABLE', `${topic}/${partition} cannot be read at present: ${problem}`);
    await new Promise((resolve) => setTimeout(resolve, backoffMs(++attempt)));
    await cluster.refresh(topic).catch(() => null);
  }
}
