/** Builds and starts roles on shared plumbing: log, ClickHouse, HTTP server. The only place that knows all of them. */
import { COLLECTIVE_DEFAULTS, type CollectiveSnapshot, createCollectiveJudge } from '../baseline/timing/collective.ts';
import { type ForeignPlan, planForeign } from '../collector/foreign/plan.ts';
import { type CollectorAddresses, createCollector } from '../collector/service.ts';
import { createConsoleRole } from '../console/main.ts';
import type { ConsoleStatus } from '../console/service.ts';
import { createDetectorRole } from '../detector/main.ts';
import type { DetectorStatus } from '../detector/service.ts';
import { createResponderRole } from '../responder/main.ts';
import type { ResponderStatus } from '../responder/service.ts';
import { type ClickHouse, connectClickHouse } from '../runtime/clickhouse/client.ts';
import { applySchema, schemaReady } from '../runtime/clickhouse/schema.ts';
import { countMatched, readDecisions } from '../runtime/clickhouse/stored-decisions.ts';
import { readEdits } from '../runtime/clickhouse/stored-edits.ts';
import { isRetryable, SpanwardenError } from '../runtime/errors.ts';
import { createHttpServer, type HttpServer } from '../runtime/http/server.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import { createLog, ensureTopics } from '../runtime/log/create.ts';
import { createForeignTopics } from '../runtime/log/kafka/foreign.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Platform } from '../runtime/platform.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../runtime/telemetry/metrics.ts';
import type { Decision } from '../schemas/alerts/decision.ts';
import type { Config } from '../schemas/config/index.ts';
import { createRedactor } from '../traces/redaction/redactor.ts';
import { redactVerdict } from '../traces/redaction/verdict.ts';
import { createEditsSource } from '../trainer/edits.ts';
import { createTrainerRole } from '../trainer/main.ts';
import type { TrainerStatus } from '../trainer/service.ts';
import { createJudgeAgain } from './console/judge-again.ts';

export const ALL_ROLES = ['collector', 'trainer', 'detector', 'responder', 'console'] as const;
export type Role = (typeof ALL_ROLES)[number];

export interface RoleAddresses {
  /** Where each process serves metrics, health and status. */
  readonly metrics: readonly { readonly name: string; readonly url: string }[];
  readonly collector?: CollectorAddresses;
  readonly clickhouse?: { readonly url: string; readonly tcpPort: number | null };
}

export interface RolesStatus {
  readonly collector?: { readonly spansAccepted: number };
  readonly trainer?: TrainerStatus;
  readonly detector?: DetectorStatus;
  readonly responder?: ResponderStatus;
  readonly console?: ConsoleStatus;
}

export interface RunningRoles {
  readonly addresses: RoleAddresses;
  status(): Promise<RolesStatus>;
  /** Rows in ClickHouse: distinct traces, spans. */
  counts(): Promise<{ traces: number; spans: number }>;
  /** Newest first; those in force with what they met until now. */
  decisions(nowMs: number): Promise<readonly Decision[]>;
  /** Rejects when a role ends by itself. */
  readonly failed: Promise<never>;
  stop(deadlineMs: number): Promise<void>;
}

export interface RolesDeps {
  readonly logger: Logger;
  /** Ends a start that waits for ClickHouse: it rejects with STOPPED, and nothing is left behind. */
  readonly signal?: AbortSignal;
}

interface RunningRole extends Service<unknown> {
  status(): Promise<unknown>;
  readonly ended: Promise<void>;
}

const RETRY_MS = 1_000;
const ROLLBACK_MS = 5_000;

/**
 * Starts the roles in the order in which spans pass them, and resolves when all run. `/readyz` says no until then. While
 * ClickHouse is down the collector takes spans already, and the others wait.
 */
export async function startRoles(config: Config, roles: readonly Role[], deps: RolesDeps): Promise<RunningRoles> {
  const { logger } = deps;
  const metrics = createMetrics();
  const stops = createStops(logger);
  stops.push('metrics', () => metrics.stop());
  try {
    return await startOn(config, roles, deps, metrics, stops);
  } catch (error) {
    await stops.stop(ROLLBACK_MS);
    throw error;
  }
}

async function startOn(
  config: Config,
  roles: readonly Role[],
  { logger, signal }: RolesDeps,
  metrics: Metrics,
  stops: Stops,
): Promise<RunningRoles> {
  const foreign = roles.includes('collector') ? planForeign(config.collector, config.kafka) : undefined;
  const http = createHttpServer(config.http, { logger, metrics });
  const statuses: Record<string, () => Promise<unknown>> = {};
  const waiting = new Set<string>(roles);
  http.app.get('/status', async () => statusOf(statuses));
  http.readiness.register('roles', () => waiting.size === 0 || `still starting: ${[...waiting].join(', ')}`);

  // first, so that whoever waits for brokers or for ClickHouse can be asked what it waits for
  const httpAddress = await http.start();
  stops.push('http', (deadlineMs) => http.stop(deadlineMs));
  const log = createLog(config, { logger, metrics });
  stops.push('log', (deadlineMs) => log.stop(deadlineMs));
  // a start that waits for brokers ends; later the log is stopped last
  const giveUp = () => void log.stop(0);
  signal?.addEventListener('abort', giveUp);
  await log.start();
  signal?.removeEventListener('abort', giveUp);
  await ensureTopics(log, config.log);

  const clickhouse = await connectFor(roles, config, logger, http, stops);

  let collector: CollectorAddresses | undefined;
  if (roles.includes('collector')) {
    collector = await startCollector(config, foreign, { log, logger, metrics }, statuses, stops);
    waiting.delete('collector');
  }
  const failures: Promise<never>[] = [];
  if (clickhouse !== undefined) {
    await untilApplied(clickhouse, logger, signal, roles.some(appliesSchema));
    const platform: Platform = { config, log, clickhouse, logger, metrics };
    for (const role of ALL_ROLES) {
      if (role === 'collector' || !roles.includes(role)) continue;
      const service = createRole(role, platform);
      stops.push(role, (deadlineMs) => service.stop(deadlineMs));
      await service.start();
      statuses[role] = () => service.status();
      failures.push(
        service.ended.then(
          () => new Promise<never>(() => {}), // stopped on purpose
          (error: unknown) => Promise.reject(error),
        ),
      );
      waiting.delete(role);
    }
  }
  const failed = Promise.race([...failures, new Promise<never>(() => {})]);
  failed.catch((error: unknown) => {
    waiting.add(`one of them failed: ${error instanceof Error ? error.message : String(error)}`);
  });
  logger.info({ roles, http: httpAddress.url }, 'roles started');
  return {
    addresses: {
      metrics: [{ name: '', url: httpAddress.url }],
      ...(collector !== undefined && { collector }),
      ...(clickhouse !== undefined && {
        clickhouse: { url: clickhouse.url, tcpPort: clickhouse.embedded?.tcpPort ?? null },
      }),
    },
    status: () => statusOf(statuses),
    counts: () => countRows(clickhouse),
    decisions: (nowMs) => countedDecisions(clickhouse, nowMs),
    failed,
    stop: (deadlineMs) => stops.stop(deadlineMs),
  };
}

/** A collector alone needs no ClickHouse. */
async function connectFor(
  roles: readonly Role[],
  config: Config,
  logger: Logger,
  http: HttpServer,
  stops: Stops,
): Promise<ClickHouse | undefined> {
  if (roles.every((role) => role === 'collector')) return undefined;
  const clickhouse = await connectClickHouse(config.clickhouse, { log: logger });
  stops.push('clickhouse', (deadlineMs) => clickhouse.stop(deadlineMs));
  http.readiness.register('clickhouse schema', async () => (await schemaReady(clickhouse)) || 'not applied yet');
  return clickhouse;
}

async function startCollector(
  config: Config,
  plan: ForeignPlan | undefined,
  deps: { readonly log: Log; readonly logger: Logger; readonly metrics: Metrics },
  statuses: Record<string, () => Promise<unknown>>,
  stops: Stops,
): Promise<CollectorAddresses> {
  const foreign = plan && { plan, topics: createForeignTopics(config.kafka, deps) };
  const service = createCollector(config.collector, { ...deps, ...(foreign && { foreign }) });
  const addresses = await service.start();
  stops.push('collector', (deadlineMs) => service.stop(deadlineMs));
  const accepted = deps.metrics.counter('collector_spans_accepted_total', 'Spans accepted');
  statuses.collector = async () => ({ spansAccepted: accepted.value() });
  return addresses;
}

/** A console may run as a user who can make no table (docs/operations.md): it waits for the others. */
const appliesSchema = (role: Role): boolean => role !== 'collector' && role !== 'console';

/** ClickHouse may be down at start. */
async function untilApplied(
  clickhouse: ClickHouse,
  logger: Logger,
  signal: AbortSignal | undefined,
  applies: boolean,
): Promise<void> {
  for (let told = false; ; ) {
    if (signal?.aborted) throw new SpanwardenError('STOPPED', 'stopped before ClickHouse answered');
    try {
      if (applies) return await applySchema(clickhouse, { log: logger });
      if (await schemaReady(clickhouse)) return;
      throw new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'no other role has applied the schema yet');
    } catch (error) {
      if (!isRetryable(error)) throw error;
      if (!told) logger.warn({ err: error }, 'waiting for ClickHouse to have the schema');
      told = true;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function createRole(role: Exclude<Role, 'collector'>, platform: Platform): RunningRole {
  if (role === 'trainer') {
    const { clickhouse } = platform;
    return createTrainerRole(platform, () => createEditsSource({ edits: () => readEdits(clickhouse) }, Date.now));
  }
  if (role === 'detector') return createDetectorRole(platform);
  if (role === 'console') {
    const redactor = createRedactor(platform.config.redaction);
    return createConsoleRole(platform, {
      redaction: { redactor, redactVerdict: (verdict) => redactVerdict(redactor, verdict) },
      judgeAgain: createJudgeAgain(platform),
    });
  }
  return createResponderRole(platform, {
    createCollective: (snapshot) =>
      createCollectiveJudge(COLLECTIVE_DEFAULTS, (snapshot ?? undefined) as CollectiveSnapshot | undefined),
  });
}

/** What was started, and how it ends. */
interface Stops {
  push(name: string, stop: (deadlineMs: number) => Promise<void>): void;
  stop(deadlineMs: number): Promise<void>;
}

/** Roles drain in the order in which spans pass them, so that each still hands on what it has; then what they stand on. */
function createStops(logger: Logger): Stops {
  interface Part {
    readonly name: string;
    readonly stop: (deadlineMs: number) => Promise<void>;
  }
  const parts: Part[] = [];
  let stopping: Promise<void> | undefined;
  const isRole = (name: string): boolean => ALL_ROLES.some((role) => role === name);
  async function stopAll(deadlineMs: number): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    const leftMs = (): number => Math.max(0, Math.round(endMs - performance.now()));
    const end = ({ name, stop }: Part, withinMs: number): Promise<void> =>
      stop(withinMs).catch((error: unknown) => logger.error({ err: error, part: name }, 'could not stop cleanly'));
    // none of them may use up the time of those after it
    for (const part of parts.filter(({ name }) => isRole(name))) await end(part, leftMs() / 2);
    for (const part of parts.filter(({ name }) => !isRole(name)).reverse()) await end(part, leftMs());
  }
  return {
    push(name, stop) {
      parts.push({ name, stop });
    },
    stop(deadlineMs) {
      stopping ??= stopAll(deadlineMs);
      return stopping;
    },
  };
}

async function statusOf(statuses: Readonly<Record<string, () => Promise<unknown>>>): Promise<RolesStatus> {
  const entries = await Promise.all(
    Object.entries(statuses).map(async ([role, status]) => [role, await status()] as const),
  );
  return Object.fromEntries(entries) as RolesStatus;
}

/** With what those in force met until `nowMs`. */
export async function countedDecisions(clickhouse: ClickHouse | undefined, nowMs: number): Promise<Decision[]> {
  const all: Decision[] = [];
  if (clickhouse === undefined) return all;
  for (const one of await readDecisions(clickhouse)) {
    const inForce = one.state === 'simulated' || one.state === 'enforced';
    all.push(inForce ? { ...one, ...(await countMatched(clickhouse, one, nowMs)) } : one);
  }
  return all;
}

export async function countRows(clickhouse: ClickHouse | undefined): Promise<{ traces: number; spans: number }> {
  if (clickhouse === undefined) return { traces: 0, spans: 0 };
  const result = await clickhouse.client.query({
    query: `SELECT uniqExact(TraceId) AS traces, count() AS spans FROM ${clickhouse.database}.otel_traces`,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  });
  const [row] = await result.json<{ traces: number; spans: number }>();
  return row ?? { traces: 0, spans: 0 };
}
