/** A started collector on free ports, with a log that the test holds in its hand. */

import { type CollectorAddresses, createCollector } from '../../../collector/service.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import type { NewRecord } from '../../../runtime/log/port.ts';
import { createSilentLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../../runtime/telemetry/metrics.ts';
import { collectorSection } from '../../../schemas/config/collector.ts';
import { decodeTracesData, encodeTracesData, type ProtoSpan } from '../../unit/otlp/proto.ts';

/** Keeps what it is given; `hold` makes produce wait until `let`, `fail` makes it reject. */
export interface HandLog {
  readonly records: NewRecord[];
  produce(topic: string, records: readonly NewRecord[]): Promise<void>;
  /** From now on produce waits. */
  hold(): void;
  /** What waits goes through, and what comes. */
  let(): void;
  fail(code: 'LOG_FULL' | 'LOG_UNAVAILABLE' | undefined): void;
  /** Resolves when `count` produce calls wait. */
  waiting(count: number): Promise<void>;
}

export function createHandLog(): HandLog {
  const records: NewRecord[] = [];
  let gate: PromiseWithResolvers<void> | undefined;
  let failure: 'LOG_FULL' | 'LOG_UNAVAILABLE' | undefined;
  let waiting = 0;
  let watch: { count: number; resolve: () => void } | undefined;
  return {
    records,
    async produce(topic, batch) {
      if (topic !== 'spans') throw new TypeError(`unexpected topic ${topic}`);
      if (failure !== undefined) throw new SpanwardenError(failure, 'told to fail');
      if (gate !== undefined) {
        waiting++;
        if (watch !== undefined && waiting >= watch.count) watch.resolve();
        await gate.promise;
        waiting--;
      }
      records.push(...batch);
    },
    hold() {
      gate ??= Promise.withResolvers();
    },
    let() {
      gate?.resolve();
      gate = undefined;
    },
    fail(code) {
      failure = code;
    },
    waiting(count) {
      if (waiting >= count) return Promise.resolve();
      return new Promise((resolve) => {
        watch = { count, resolve };
      });
    },
  };
}

export interface StartedCollector {
  readonly log: HandLog;
  readonly metrics: Metrics;
  readonly addresses: CollectorAddresses;
  /** `http://127.0.0.1:PORT/v1/traces` */
  readonly url: string;
  /** `127.0.0.1:PORT` */
  readonly target: string;
  /** Counter without its prefix. */
  count(name: string, labels?: Record<string, string>): number;
  stop(deadlineMs?: number): Promise<void>;
}

export async function startCollector(settings: object = {}): Promise<StartedCollector> {
  const log = createHandLog();
  const metrics = createMetrics();
  const config = collectorSection.parse({ grpcPort: 0, httpPort: 0, ...settings });
  const collector = createCollector(config, { log, logger: createSilentLogger(), metrics });
  const addresses = await collector.start();
  return {
    log,
    metrics,
    addresses,
    url: `http://127.0.0.1:${addresses.http.port}/v1/traces`,
    target: `127.0.0.1:${addresses.grpc.port}`,
    count: (name, labels) => metrics.counter(`collector_${name}`, '').value(labels),
    stop: (deadlineMs = 2_000) => collector.stop(deadlineMs),
  };
}

/** Every span in the log: hex trace id (checked against the record's key) and name. */
export function spansIn(log: HandLog): { traceId: string; name: string }[] {
  return log.records.flatMap((record) => {
    const spans = (decodeTracesData(record.value).resourceSpans ?? []).flatMap((resource) =>
      (resource.scopeSpans ?? []).flatMap((scope) => scope.spans ?? []),
    );
    return spans.map((span) => {
      const traceId = Buffer.from(span.traceId!).toString('hex');
      if (traceId !== record.key) throw new Error(`a span of trace ${traceId} under key ${record.key}`);
      return { traceId, name: span.name ?? '' };
    });
  });
}

export const spanOf = (trace: number, span: number, more: ProtoSpan = {}): ProtoSpan => ({
  traceId: new Uint8Array(16).fill(trace),
  spanId: new Uint8Array(8).fill(span),
  name: `span ${span}`,
  ...more,
});

export const requestOf = (...spans: ProtoSpan[]): Buffer =>
  Buffer.from(
    encodeTracesData({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
          scopeSpans: [{ scope: { name: 'test' }, spans }],
        },
      ],
    }),
  );

/** A well-formed request of about `bytes` bytes. */
export const requestOfSize = (bytes: number): Buffer =>
  requestOf(spanOf(1, 1, { attributes: [{ key: 'fill', value: { stringValue: 'x'.repeat(bytes) } }] }));
