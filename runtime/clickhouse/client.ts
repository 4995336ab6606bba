/** The connection every role has to ClickHouse: a named server, the one a process of ours runs here, or a new one. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import type { ClickHouseConfig } from '../../schemas/config/clickhouse.ts';
import { SpanwardenError } from '../errors.ts';
import { type EmbeddedClickHouse, type EmbeddedOptions, startEmbeddedClickHouse } from './embedded.ts';
import { type Supervised, supervise } from './supervised.ts';

export interface ClickHouse {
  readonly client: ClickHouseClient;
  /** Without credentials. */
  readonly url: string;
  readonly database: string;
  readonly config: ClickHouseConfig;
  /** Set when this connection started the server: then it is kept running, and ended by `stop`. */
  readonly embedded?: EmbeddedClickHouse | undefined;
  stop(graceMs?: number): Promise<void>;
}

interface Target {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

export interface ConnectDeps {
  readonly log?: Logger;
  /** Commands that only look: use the server that runs here, never start one (CLICKHOUSE_UNAVAILABLE when none does). */
  readonly attachOnly?: boolean;
}

/**
 * Connects. With a URL nothing is asked yet: a server that is down shows at the first statement, as
 * CLICKHOUSE_UNAVAILABLE. Without one, the server that another process of ours runs on the same directory is used, else
 * one is started (CLICKHOUSE_MISSING, PORT_TAKEN, CLICKHOUSE_LOCKED: see embedded.ts).
 */
export async function connectClickHouse(config: ClickHouseConfig, deps: ConnectDeps = {}): Promise<ClickHouse> {
  if (config.url !== '') return connectTo(namedTarget(config), config);
  const directory = resolve(config.embedded.directory);
  const running = await findRunning(directory);
  if (running !== undefined) return connectTo(running, config);
  if (deps.attachOnly === true)
    throw new SpanwardenError(
      'CLICKHOUSE_UNAVAILABLE',
      `no embedded ClickHouse runs on ${directory}: start Spanwarden there, or name a server with CLICKHOUSE_URL`,
    );
  const embedded = await startOrAttach(config, directory, deps);
  if (!('exited' in embedded)) return connectTo(embedded, config);
  await writeConnection(directory, embedded);
  const supervised = supervise(
    embedded,
    ({ httpPort, tcpPort, password }) =>
      startEmbeddedClickHouse({ ...embeddedOptions(config, directory), httpPort, tcpPort, password }, deps),
    deps.log,
  );
  return connectTo(embedded, config, supervised);
}

function namedTarget(config: ClickHouseConfig): Target {
  let url: URL;
  try {
    url = new URL(config.url);
  } catch (cause) {
    throw new SpanwardenError('CONFIG_INVALID', 'clickhouse.url is no URL: write http://host:8123', { cause });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new SpanwardenError('CONFIG_INVALID', 'clickhouse.url names the HTTP interface: http:// or https://');
  const user = config.user || decodeURIComponent(url.username) || 'default';
  const password = config.password || decodeURIComponent(url.password);
  url.username = url.password = '';
  return { url: url.href.replace(/\/$/, ''), user, password };
}

function connectTo(target: Target, config: ClickHouseConfig, supervised?: Supervised): ClickHouse {
  const client = createClient({
    url: target.url,
    username: target.user,
    password: target.password,
    application: 'spanwarden',
    request_timeout: config.requestTimeoutMs,
    max_open_connections: 8,
    // Statements name their database themselves, so that the first ones work before it exists.
    clickhouse_settings: { date_time_input_format: 'best_effort', wait_end_of_query: 1 },
    log: { level: ClickHouseLogLevel.OFF }, // errors are ours to tell, once
  });
  let stopped = false;
  return {
    client,
    url: target.url,
    database: config.database,
    config,
    get embedded() {
      return supervised?.current;
    },
    async stop(graceMs = 10_000) {
      if (stopped) return;
      stopped = true;
      await client.close();
      if (!supervised) return;
      await rm(connectionFile(resolve(config.embedded.directory)), { force: true });
      await supervised.stop(graceMs);
    },
  };
}

// The address and password of the server on a directory, for other processes of the same user (commands, other roles).

const connectionFile = (directory: string): string => join(directory, 'connection.json');

async function writeConnection(directory: string, { url, user, password }: Target): Promise<void> {
  const path = connectionFile(directory);
  await writeFile(`${path}.new`, JSON.stringify({ url, user, password }), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function findRunning(directory: string): Promise<Target | undefined> {
  let target: Target;
  try {
    target = JSON.parse(await readFile(connectionFile(directory), 'utf8')) as Target;
  } catch {
    return undefined;
  }
  // Another server may have got the port since: only ours knows this password.
  const answers = await fetch(target.url, {
    method: 'POST',
    body: 'SELECT 1',
    headers: { connection: 'close', 'X-ClickHouse-User': target.user, 'X-ClickHouse-Key': target.password },
    signal: AbortSignal.timeout(5_000),
  }).then(
    (response) => response.ok,
    () => false,
  );
  return answers ? target : undefined;
}

function embeddedOptions(config: ClickHouseConfig, directory: string): EmbeddedOptions {
  const { httpPort, tcpPort, readerPassword, maxMemoryBytes, fsync } = config.embedded;
  return { dataDir: directory, database: config.database, httpPort, tcpPort, readerPassword, maxMemoryBytes, fsync };
}

async function startOrAttach(
  config: ClickHouseConfig,
  directory: string,
  deps: ConnectDeps,
): Promise<EmbeddedClickHouse | Target> {
  try {
    return await startEmbeddedClickHouse(embeddedOptions(config, directory), deps);
  } catch (error) {
    if (!(error instanceof SpanwardenError) || error.code !== 'CLICKHOUSE_LOCKED') throw error;
    // Two roles may start at once: the one that came second waits for the first one's connection file.
    for (let attempt = 0; attempt < 50; attempt++) {
      const running = await findRunning(directory);
      if (running !== undefined) return running;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw error;
  }
}
