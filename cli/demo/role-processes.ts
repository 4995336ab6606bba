/** The roles of a demo on Kafka: each a process of its own, as in production; the embedded ClickHouse stays with the demo. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { connectClickHouse } from '../../runtime/clickhouse/client.ts';
import { processEnvironment } from '../../runtime/config/environment.ts';
import { SpanwardenError } from '../../runtime/errors.ts';
import { type Child, programBeside, startChild } from '../../runtime/lifecycle/child.ts';
import type { Logger } from '../../runtime/telemetry/logger.ts';
import type { Config } from '../../schemas/config/index.ts';
import { countedDecisions, countRows, type Role, type RolesStatus, type RunningRoles } from '../roles.ts';
import { hostPort } from './addresses.ts';

export interface RoleProcesses extends RunningRoles {
  pids(): readonly { readonly name: string; readonly pid: number }[];
  /** Kills one of several processes of a role with SIGKILL; the others take over. Gives its name. */
  killOne(role: Role): string;
}

export interface RoleProcessesDeps {
  /** Where the configuration of the processes is written; it holds the webhook's secret. */
  readonly directory: string;
  readonly logger: Logger;
}

interface RoleProcess {
  readonly role: Role;
  readonly child: Child;
  killed: boolean;
}

/** In the order in which spans pass them. */
const PROCESSES: readonly { readonly role: Role; readonly count: number }[] = [
  { role: 'collector', count: 1 },
  { role: 'trainer', count: 1 },
  { role: 'detector', count: 2 },
  { role: 'responder', count: 1 },
];
const STATUS_TIMEOUT_MS = 5_000;

export async function startRoleProcesses(config: Config, deps: RoleProcessesDeps): Promise<RoleProcesses> {
  const { directory, logger } = deps;
  const clickhouse = await connectClickHouse(config.clickhouse, { log: logger });
  const processes: RoleProcess[] = [];
  let stopping = false;

  async function stop(deadlineMs: number): Promise<void> {
    stopping = true;
    for (const { role } of PROCESSES) {
      const own = processes.filter((one) => one.role === role);
      await Promise.all(own.map(({ child }) => child.stop(deadlineMs)));
    }
    await clickhouse.stop(deadlineMs);
  }

  try {
    const file = join(directory, 'spanwarden.yaml');
    await writeFile(file, stringify(config), { mode: 0o600 });
    for (const { role, count } of PROCESSES) {
      for (let i = 0; i < count; i++) {
        const child = startChild({
          name: count === 1 ? role : `${role} ${i + 1}`,
          program: programBeside('../spanwarden.ts', import.meta.url),
          args: ['run', role, '--config', file, '--attached'],
          env: inherited(),
          onNote: (line) => void process.stderr.write(`${line}\n`), // log lines, as the roles write them
        });
        processes.push({ role, child, killed: false });
      }
    }
    const ports = new Map(
      await Promise.all(processes.map(async ({ child }) => [child.name, await child.ready] as const)),
    );
    const collector = ports.get('collector')!;
    const httpHost = config.http.host;
    const statusUrl = (name: string): string => `http://${hostPort(httpHost, ports.get(name)!.http!)}/status`;
    const alive = (): RoleProcess[] => processes.filter(({ killed }) => !killed);
    const failed = Promise.race([
      ...processes.map(async (one): Promise<never> => {
        const code = await one.child.gone;
        if (one.killed || stopping) return new Promise<never>(() => {});
        throw new SpanwardenError('STOPPED', `the process of the ${one.child.name} ended with ${code}`);
      }),
    ]);
    failed.catch(() => {}); // whoever waits for it hears of it
    return {
      addresses: {
        collector: {
          grpc: addressOf(config.collector.host, collector.otlpGrpc!),
          http: addressOf(config.collector.host, collector.otlpHttp!),
        },
        clickhouse: { url: clickhouse.url, tcpPort: clickhouse.embedded?.tcpPort ?? null },
        metrics: processes.map(({ child }) => ({
          name: child.name,
          url: `http://${hostPort(httpHost, ports.get(child.name)!.http!)}`,
        })),
      },
      status: async () =>
        merged(await Promise.all(alive().map(({ child }) => statusOf(statusUrl(child.name), child.name)))),
      counts: () => countRows(clickhouse),
      decisions: (nowMs) => countedDecisions(clickhouse, nowMs),
      pids: () => alive().map(({ child }) => ({ name: child.name, pid: child.pid })),
      killOne(role) {
        const one = alive().findLast((candidate) => candidate.role === role)!;
        one.killed = true;
        process.kill(one.child.pid, 'SIGKILL');
        return one.child.name;
      },
      failed,
      stop,
    };
  } catch (error) {
    await stop(STATUS_TIMEOUT_MS);
    throw error;
  }
}

const addressOf = (host: string, port: number) => ({ host, port, url: `http://${hostPort(host, port)}` });

/** Settings come from the file alone. */
const inherited = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(processEnvironment()).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined &&
        !entry[0].startsWith('SPANWARDEN_') &&
        entry[0] !== 'CLICKHOUSE_URL' &&
        entry[0] !== 'KAFKA_BROKERS',
    ),
  );

async function statusOf(url: string, name: string): Promise<RolesStatus> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    return (await response.json()) as RolesStatus;
  } catch (cause) {
    throw new SpanwardenError('STOPPED', `the ${name} does not answer`, { cause });
  }
}

/** One status of several processes: sums, and what holds only if it holds for all. */
function merged(all: readonly RolesStatus[]): RolesStatus {
  const detectors = all.flatMap(({ detector }) => detector ?? []);
  const [first] = detectors;
  const sum = (of: (one: (typeof detectors)[number]) => number): number =>
    detectors.reduce((total, one) => total + of(one), 0);
  const segments = sum((one) => one.segments);
  return {
    ...Object.assign({}, ...all),
    ...(first !== undefined && {
      detector: {
        version: detectors.every(({ version }) => version === first.version) ? first.version : '',
        alerting: detectors.every(({ alerting }) => alerting),
        segments,
        spans: sum(({ spans }) => spans),
        clientsResolved: segments === 0 ? 0 : sum((one) => one.segments * one.clientsResolved) / segments,
        alertOnly: detectors.some(({ alertOnly }) => alertOnly),
        lag: sum(({ lag }) => lag),
        largestLag: Math.max(...detectors.map(({ largestLag }) => largestLag)),
      },
    }),
  };
}
