/** Builds and starts roles on shared plumbing: log, ClickHouse, HTTP server. The only place that knows all of them. */
import { COLLECTIVE_DEFAULTS, type CollectiveSnapshot, createCollectiveJudge } from '../baseline/timing/collective.ts';
import { type CollectorAddresses, createCollector } from '../collector/service.ts';
import { createDetectorRole } from '../detector/main.ts';
import type { DetectorStatus } from '../detector/service.ts';
import { createResponderRole } from '../responder/main.ts';
import type { ResponderStatus } from '../responder/service.ts';
import { type ClickHouse, connectClickHouse } from '../runtime/clickhouse/client.ts';
import { applySchema, schemaReady } from '../runtime/clickhouse/schema.ts';
import { isRetryable } from '../runtime/errors.ts';
import { createHttpServer, type HttpAddress } from '../runtime/http/server.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import { createLog, ensureTopics } from '../runtime/log/create.ts';
import type { Platform } from '../runtime/platform.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import { createMetrics } from '../runtime/telemetry/metrics.ts';
import type { Config } from '../schemas/config/index.ts';
import { createTrainerRole } from '../trainer/main.ts';
import type { TrainerStatus } from '../trainer/service.ts';

export const ALL_ROLES = ['collector', 'trainer', 'detector', 'responder'] as const;
export type Role = (typeof ALL_ROLES)[number];

export interface RoleAddresses {
  readonly http?: HttpAddress;
  readonly collector?: CollectorAddresses;
  readonly clickhouse?: { readonly url: string; readonly tcpPort: number | null };
}

export interface RolesStatus {
  readonly collector?: { readonly spansAccepted: number };
  readonly trainer?: TrainerStatus;
  readonly detector?: DetectorStatus;
  readonly responder?: ResponderStatus;
}

export interface RunningRoles {
  readonly addresses: RoleAddresses;
  status(): Promise<RolesStatus>;
  /** Rows in ClickHouse: distinct traces, spans. */
  counts(): Promise<{ traces: number; spans: number }>;
  /** Rejects when a role ends by itself. */
  readonly failed: Promise<never>;
  stop(deadlineMs: number): Promise<void>;
}

interface RunningRole extends Service {
  status(): Promise<unknown>;
  readonly ended: Promise<void>;
}

const RETRY_MS = 1_000;

export async function startRoles(
  config: Config,
  roles: readonly Role[],
  deps: { readonly logger: Logger },
): Promise<RunningRoles> {
  const { logger } = deps;
  const metrics = createMetrics();
  const stops: (() => Promise<void>)[] = [];
  let deadline = 5_000;
  let stopping = false;
  const stop = async (deadlineMs: number): Promise<void> => {
    stopping = true;
    deadline = deadlineMs;
    for (const one of stops.splice(0).reverse()) {
      await one().catch((error: unknown) => logger.error({ err: error }, 'could not stop cleanly'));
    }
  };
  try {
    return await start();
  } catch (error) {
    await stop(2_000);
    throw error;
  }

  async function start(): Promise<RunningRoles> {
    stops.push(() => metrics.stop());
    const http = createHttpServer(config.http, { logger, metrics });
    const log = createLog(config.log, { logger, metrics });
    await log.start();
    stops.push(() => log.stop(deadline));
    await ensureTopics(log, config.log);

    const needsStore = roles.some((role) => role !== 'collector');
    const clickhouse = needsStore ? await connectClickHouse(config.clickhouse, { log: logger }) : undefined;
    if (clickhouse !== undefined) {
      stops.push(() => clickhouse.stop(deadline));
      http.readiness.register('clickhouse schema', async () => (await schemaReady(clickhouse)) || 'not applied yet');
    }
    const statuses: Record<string, () => Promise<unknown>> = {};
    http.app.get('/status', async () => statusOf(statuses));
    const httpAddress = await http.start();
    stops.push(() => http.stop(deadline));

    let collector: CollectorAddresses | undefined;
    if (roles.includes('collector')) {
      const service = createCollector(config.collector, { log, logger, metrics });
      collector = await service.start();
      stops.push(() => service.stop(deadline));
      const accepted = metrics.counter('collector_spans_accepted_total', 'Spans accepted');
      statuses.collector = async () => ({ spansAccepted: accepted.value() });
    }

    const failures: Promise<never>[] = [];
    if (clickhouse !== undefined) {
      const platform: Platform = { config, log, clickhouse, logger, metrics };
      await untilApplied(clickhouse);
      for (const role of roles) {
        if (role === 'collector') continue;
        const service = createRole(role, platform);
        await service.start();
        stops.push(() => service.stop(deadline));
        statuses[role] = () => service.status();
        failures.push(
          service.ended.then(
            () => new Promise<never>(() => {}), // stopped on purpose
            (error: unknown) => Promise.reject(error),
          ),
        );
      }
    }
    const failed = Promise.race([...failures, new Promise<never>(() => {})]);
    failed.catch(() => {});
    logger.info({ roles, http: httpAddress.url }, 'roles started');
    return {
      addresses: {
        http: httpAddress,
        ...(collector !== undefined && { collector }),
        ...(clickhouse !== undefined && {
          clickhouse: { url: clickhouse.url, tcpPort: clickhouse.embedded?.tcpPort ?? null },
        }),
      },
      status: () => statusOf(statuses),
      counts: () => countRows(clickhouse),
      failed,
      stop,
    };
  }

  /** ClickHouse may be down at start: the collector takes spans meanwhile, the others wait. */
  async function untilApplied(clickhouse: ClickHouse): Promise<void> {
    for (let told = false; ; ) {
      try {
        return await applySchema(clickhouse, { log: logger });
      } catch (error) {
        if (stopping || !isRetryable(error)) throw error;
        if (!told) logger.warn({ err: error }, 'waiting for ClickHouse to apply the schema');
        told = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

function createRole(role: Exclude<Role, 'collector'>, platform: Platform): RunningRole {
  if (role === 'trainer') return createTrainerRole(platform);
  if (role === 'detector') return createDetectorRole(platform);
  return createResponderRole(platform, {
    createCollective: (snapshot) =>
      createCollectiveJudge(COLLECTIVE_DEFAULTS, (snapshot ?? undefined) as CollectiveSnapshot | undefined),
  });
}

async function statusOf(statuses: Readonly<Record<string, () => Promise<unknown>>>): Promise<RolesStatus> {
  const entries = await Promise.all(
    Object.entries(statuses).map(async ([role, status]) => [role, await status()] as const),
  );
  return Object.fromEntries(entries) as RolesStatus;
}

async function countRows(clickhouse: ClickHouse | undefined): Promise<{ traces: number; spans: number }> {
  if (clickhouse === undefined) return { traces: 0, spans: 0 };
  const result = await clickhouse.client.query({
    query: `SELECT uniqExact(TraceId) AS traces, count() AS spans FROM ${clickhouse.database}.otel_traces`,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  });
  const [row] = await result.json<{ traces: number; spans: number }>();
  return row ?? { traces: 0, spans: 0 };
}
