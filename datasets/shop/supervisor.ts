/** Starts the shop's processes and stops them all; none outlives the process that called. */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Ports } from '../../runtime/lifecycle/attached.ts';
import { type Child, programBeside, startChild } from '../../runtime/lifecycle/child.ts';
import type { ShopKafka } from './jobs/settings.ts';
import type { ServiceSettings } from './main.ts';

/** The instrumented services, each a process. */
export const SERVICES = ['gateway', 'auth', 'catalog', 'inventory', 'orders', 'payment', 'reports', 'worker'] as const;

/** The part of a pino logger that is used here. */
export interface ShopLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ShopOptions {
  /** OTLP/gRPC endpoint: `http://127.0.0.1:4317`. */
  readonly otlpEndpoint: string;
  readonly logger: ShopLogger;
  /** Delay of the SDKs' batch export; their default is 5,000. */
  readonly exportDelayMs?: number;
  /** `service.version` of all services. */
  readonly version?: string;
  /** Jobs travel through Kafka in place of a table of the database. */
  readonly kafka?: ShopKafka;
}

export interface Shop {
  /** Loopback ports by part: `edge` (PROXY protocol v2, then HTTP), `internet`, `gateway` and the other services. */
  readonly ports: Ports;
  /** Address of the trusted proxy as the gateway sees it, for attribution. */
  readonly trustedProxies: readonly string[];
  pids(): readonly { readonly name: string; readonly pid: number }[];
  /** Rejects when a process of the shop ends without having been told to. */
  readonly failed: Promise<never>;
  stop(deadlineMs?: number): Promise<void>;
}

const STOP_DEADLINE_MS = 5_000;
const DATABASE = 'database';
/** First stop those that take requests and queue jobs, then who does the jobs, then what these need: data, the internet. */
const LAST: readonly (readonly string[])[] = [['worker'], [DATABASE, 'edge']];

export async function startShop(options: ShopOptions): Promise<Shop> {
  const { logger } = options;
  let stopping = false;
  const children: Child[] = [];
  const start = (name: string, program: string, args: readonly string[]): Child => {
    const child = startChild({
      name,
      program: programBeside(program, import.meta.url),
      args,
      env: environmentOf(name, options),
      onNote: (line) => logger.warn({ part: name, line }, 'a process of the shop wrote to standard error'),
    });
    children.push(child);
    return child;
  };
  const stop = async (deadlineMs = STOP_DEADLINE_MS): Promise<void> => {
    stopping = true;
    const late = LAST.flat();
    await stopAll(
      children.filter(({ name }) => !late.includes(name)),
      deadlineMs,
    );
    for (const names of LAST)
      await stopAll(
        children.filter(({ name }) => names.includes(name)),
        deadlineMs,
      );
  };
  try {
    start(DATABASE, './database/main.ts', []);
    start('edge', './edge/main.ts', []);
    const settings = JSON.stringify({ kafka: options.kafka ?? null } satisfies ServiceSettings);
    for (const service of SERVICES) start(service, './main.ts', [service, settings]);
    const ports: Record<string, number> = {};
    for (const part of await Promise.all(children.map((child) => child.ready))) Object.assign(ports, part);
    for (const child of children) child.tell(ports);
    logger.info({ edge: ports.edge, processes: children.length }, 'shop started');
    const failed = Promise.race(
      children.map(async (child): Promise<never> => {
        const code = await child.gone;
        if (stopping) return new Promise<never>(() => undefined);
        throw new SpanwardenError('STOPPED', `${child.name} of the shop ended with ${code}`);
      }),
    );
    failed.catch(() => undefined);
    return {
      ports,
      trustedProxies: ['127.0.0.1'],
      pids: () => children.map(({ name, pid }) => ({ name, pid })),
      failed,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const stopAll = async (children: readonly Child[], deadlineMs: number): Promise<void> => {
  await Promise.all(children.map((child) => child.stop(deadlineMs)));
};

/** What a deployment would set: the standard OpenTelemetry variables, and nothing else of ours. */
function environmentOf(name: string, options: ShopOptions): Record<string, string> {
  const instrumented = (SERVICES as readonly string[]).includes(name);
  if (!instrumented) return {};
  return {
    OTEL_SERVICE_NAME: name,
    OTEL_RESOURCE_ATTRIBUTES: `service.namespace=shop,service.version=${options.version ?? '1.4.0'},deployment.environment.name=demo`,
    OTEL_NODE_RESOURCE_DETECTORS: 'env,host,serviceinstance',
    OTEL_EXPORTER_OTLP_ENDPOINT: options.otlpEndpoint,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_BSP_SCHEDULE_DELAY: String(options.exportDelayMs ?? 500),
    // kafkajs 2.2.4 asks for a timer in the past whenever it is not throttled (network/requestQueue: throttledUntil - now);
    // Node makes that 1 ms, as it always did, and since version 24 warns.
    ...(options.kafka === undefined ? {} : { NODE_OPTIONS: '--disable-warning=TimeoutNegativeWarning' }),
  };
}
