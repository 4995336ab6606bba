/** Starts the shop's processes and stops them all; none outlives the process that called. */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Ports } from './attached.ts';
import { type Child, programBeside, startChild } from './child.ts';

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
    // The databases last: what is under way may still need them.
    const databases = children.filter(({ name }) => name === DATABASE);
    const others = children.filter(({ name }) => name !== DATABASE);
    await Promise.all(others.map((child) => child.stop(deadlineMs)));
    await Promise.all(databases.map((child) => child.stop(deadlineMs)));
  };
  try {
    start(DATABASE, './database/main.ts', []);
    start('edge', './edge/main.ts', []);
    for (const service of SERVICES) start(service, './main.ts', [service]);
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
  };
}
