/** The collector: OTLP over gRPC, HTTP and foreign Kafka topics in, one record a trace out to the `spans` topic. Wiring only. */
import type { Service } from '../runtime/lifecycle/service.ts';
import { type Started, startInOrder } from '../runtime/lifecycle/start.ts';
import type { ForeignTopics } from '../runtime/log/foreign.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { CollectorConfig } from '../schemas/config/collector.ts';
import { createByteBudget } from './budget.ts';
import type { ForeignPlan } from './foreign/plan.ts';
import { createForeignReaders } from './foreign/readers.ts';
import { createGrpcReceiver, type Receiver, type ReceiverAddress } from './grpc.ts';
import { createHttpReceiver } from './http.ts';
import { createIntake } from './intake.ts';

export interface CollectorDeps {
  /** The `spans` topic must exist. */
  readonly log: Pick<Log, 'produce'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Topics of others to read as well (foreign/plan.ts). Reading never keeps the receivers from starting. */
  readonly foreign?: { readonly plan: ForeignPlan; readonly topics: ForeignTopics };
}

export interface CollectorAddresses {
  readonly grpc: ReceiverAddress;
  readonly http: ReceiverAddress;
}

/** Starts both receivers and gives where they listen; PORT_TAKEN when one can't. Stopping ends what is under way first. */
export function createCollector(config: CollectorConfig, deps: CollectorDeps): Service<CollectorAddresses> {
  const { logger, metrics } = deps;
  const budget = createByteBudget(config.maxInFlightBytes);
  const intake = createIntake(config, deps);
  const grpc = createGrpcReceiver(config, { intake, budget, logger });
  const http = createHttpReceiver(config, { intake, budget, logger });
  const { foreign } = deps;
  const readers =
    foreign && createForeignReaders(config, foreign.plan, { log: deps.log, logger, metrics, foreign: foreign.topics });
  const unobserve: (() => void)[] = [];
  let started: Started<readonly [Receiver, Receiver]> | undefined;
  let stopped: Promise<void> | undefined;

  return {
    name: 'collector',
    async start() {
      started = await startInOrder([grpc, http], { logger });
      unobserve.push(
        metrics.gauge(
          'collector_in_flight_bytes',
          'Requests being received or waiting for the log',
          () => budget.usedBytes,
        ),
        metrics.gauge('collector_connections', 'Open connections', () => [
          [grpc.connections, { protocol: 'grpc' }],
          [http.connections, { protocol: 'http' }],
        ]),
      );
      await readers?.start();
      const [grpcAddress, httpAddress] = started.values as readonly [ReceiverAddress, ReceiverAddress];
      logger.info({ grpc: grpcAddress, http: httpAddress }, 'collector listens');
      return { grpc: grpcAddress, http: httpAddress };
    },
    stop(deadlineMs) {
      stopped ??= (async () => {
        const endAt = performance.now() + deadlineMs;
        intake.close();
        await Promise.all([started?.stop(deadlineMs), readers?.stop(deadlineMs)]);
        // Also those whose sender has gone: the log may be stopped after this.
        await intake.drained(Math.max(0, endAt - performance.now()));
        for (const end of unobserve) end();
      })();
      return stopped;
    },
  };
}
