/** What every log shows of itself, whichever it is. */
import type { TopicName } from '../../schemas/log/topics.ts';
import { SpanwardenError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export function createLogMetrics(metrics: Metrics | undefined) {
  if (!metrics) return undefined;
  return {
    records: metrics.counter('log_appended_records_total', 'Records that became durable in the log'),
    bytes: metrics.counter('log_appended_bytes_total', 'Bytes of record values that became durable in the log'),
    rejected: metrics.counter('log_rejected_total', 'Produce calls that the log refused'),
    skipped: metrics.counter('log_skipped_records_total', 'Records that were removed before they were read'),
    lag: (topic: TopicName | string, group: string, lags: () => ReadonlyMap<number, number>): (() => void) =>
      metrics.gauge('log_lag_records', 'Records that a group has not been given yet, by partition', () =>
        [...lags()].map(([partition, records]) => [records, { topic, group, partition }] as const),
      ),
    commit: metrics.histogram('log_transaction_seconds', 'Time of one durable transaction of the log'),
  };
}

export type LogMetrics = NonNullable<ReturnType<typeof createLogMetrics>>;

/** The same promise, with what became of the records counted. */
export function counted(
  meters: LogMetrics,
  topic: TopicName,
  records: number,
  bytes: number,
  durable: Promise<void>,
): Promise<void> {
  return durable.then(
    () => {
      meters.records.add(records, { topic });
      meters.bytes.add(bytes, { topic });
    },
    (error: unknown) => {
      meters.rejected.add(1, { topic, reason: error instanceof SpanwardenError ? error.code : 'error' });
      throw error;
    },
  );
}
