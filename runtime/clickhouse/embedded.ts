/**
 * Starts a real ClickHouse on loopback as a child process, from `libchdb.so` as npm ships it (ARCHITECTURE decision 2).
 * Ready in about half a second; it ends when `stop` is called or this process dies, however it dies.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { SpanwardenError } from '../errors.ts';
import { ADMIN_USER, READY_QUERY, serverDocument, startStatements, usersDocument } from './embedded-settings.ts';

export interface EmbeddedOptions {
  readonly dataDir: string;
  /** The reader may read this database alone. */
  readonly database?: string;
  /** 0 = any free port. */
  readonly httpPort?: number;
  readonly tcpPort?: number;
  /** '' = the user `reader` needs no password. */
  readonly readerPassword?: string;
  readonly maxMemoryBytes?: number;
  readonly fsync?: boolean;
  readonly readyMs?: number;
  /** Of the administrator; default: a new one. */
  readonly password?: string;
}

export interface EmbeddedExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last the server said; '' after a clean end. */
  readonly message: string;
}

export interface EmbeddedClickHouse {
  /** `http://127.0.0.1:<httpPort>`. */
  readonly url: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly pid: number;
  /** Administrator, with a password made for this start. */
  readonly user: string;
  readonly password: string;
  /** Settles when the server ended, asked to or not. */
  readonly exited: Promise<EmbeddedExit>;
  /** Ends it cleanly; killed after `graceMs` (acknowledged rows survive that). */
  stop(graceMs?: number): Promise<EmbeddedExit>;
}

const PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': '@chdb/lib-linux-x64-gnu',
  'linux-arm64': '@chdb/lib-linux-arm64-gnu',
  'darwin-arm64': '@chdb/lib-darwin-arm64',
  'darwin-x64': '@chdb/lib-darwin-x64',
};
const WAY_OUT = 'name a ClickHouse server with CLICKHOUSE_URL (clickhouse.url)';

/** Path of the library, or why there is none. */
export function findEmbeddedLibrary(): { readonly path: string } | { readonly missing: string } {
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  if (name === undefined) return { missing: `no embedded ClickHouse exists for ${platform}` };
  const { resolve: find } = createRequire(import.meta.url);
  try {
    find('ffi-rs');
    return { path: find(`${name}/libchdb.so`) }; // named .so on macOS too
  } catch {
    return { missing: `the optional packages ${name} and ffi-rs are not installed (npm install --include=optional)` };
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Run directories that a killed process left; young ones may belong to a start that is going on. */
async function sweep(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith('run-')) continue;
    const path = join(dataDir, name);
    const age = await stat(path).then(
      (s) => Date.now() - s.mtimeMs,
      () => 0,
    );
    if (age > 600_000) await rm(path, { recursive: true, force: true });
  }
}

/** What a server that ended while starting meant. */
function startError(exit: EmbeddedExit, options: EmbeddedOptions, dataDir: string): SpanwardenError {
  const said = exit.message.replace(/^Logging \w+ to .*\n?/, '').trim();
  if (said.includes('Cannot lock file'))
    return new SpanwardenError(
      'CLICKHOUSE_LOCKED',
      `another ClickHouse already uses ${dataDir}: stop it, choose another directory (clickhouse.embedded.directory), or ${WAY_OUT}`,
    );
  const taken = /Listen \[[^\]]*\]:(\d+) failed.*(already in use|Permission denied|ermission)/s.exec(said);
  if (taken)
    return new SpanwardenError(
      'PORT_TAKEN',
      `embedded ClickHouse: port ${taken[1]} on 127.0.0.1 cannot be listened on; set ${
        Number(taken[1]) === options.tcpPort ? 'clickhouse.embedded.tcpPort' : 'clickhouse.embedded.httpPort'
      } to another (0 = any free port)`,
    );
  const how = exit.signal ?? exit.code ?? 'unknown';
  return new SpanwardenError(
    'CLICKHOUSE_UNAVAILABLE',
    `embedded ClickHouse ended while starting (${how}): ${said || 'it said nothing'}`,
  );
}

/**
 * Starts the server. Throws CLICKHOUSE_MISSING without its package, CLICKHOUSE_LOCKED when another one uses the
 * directory, PORT_TAKEN, CLICKHOUSE_UNAVAILABLE when it ended or was not ready in time; then nothing is left behind.
 */
export async function startEmbeddedClickHouse(
  options: EmbeddedOptions,
  deps: { readonly log?: Logger } = {},
): Promise<EmbeddedClickHouse> {
  const library = findEmbeddedLibrary();
  if ('missing' in library)
    throw new SpanwardenError('CLICKHOUSE_MISSING', `no ClickHouse to start: ${library.missing}. Or ${WAY_OUT}`);
  const dataDir = resolve(options.dataDir);
  if (/['\\]/.test(dataDir))
    throw new SpanwardenError(
      'CONFIG_INVALID',
      `clickhouse.embedded.directory may hold no quote or backslash: ${dataDir}`,
    );
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await sweep(dataDir);
  const run = await mkdtemp(join(dataDir, 'run-')); // 0700, ours alone: a second start never disturbs the first
  const password = options.password ?? randomBytes(24).toString('base64url');
  const maxMemoryBytes = options.maxMemoryBytes ?? 2_000_000_000;
  const ports = join(run, 'ports.tsv');
  const usersFile = join(run, 'users.xml');
  const configFile = join(run, 'config.xml');
  const users = usersDocument({
    database: options.database ?? 'spanwarden',
    adminSha256: sha256(password),
    readerSha256: options.readerPassword ? sha256(options.readerPassword) : '',
    maxMemoryBytes,
  });
  const server = serverDocument({
    logFile: join(dataDir, 'clickhouse.log'),
    usersFile,
    maxMemoryBytes,
    fsync: options.fsync ?? true,
  });
  await Promise.all([writeFile(usersFile, users, { mode: 0o600 }), writeFile(configFile, server, { mode: 0o600 })]);

  const child = spawn(
    process.execPath,
    [
      childScript(),
      library.path,
      `--config-file=${configFile}`,
      `--path=${join(dataDir, 'data')}`,
      '--log-level=warning',
      '--listen_host=127.0.0.1', // exactly one, or port 0 does not work
      `--http_port=${options.httpPort ?? 0}`,
      `--tcp_port=${options.tcpPort ?? 0}`,
      '--multiquery',
      `--query=${startStatements(ports)}`,
    ],
    // own process group: Ctrl-C reaches us alone, and we decide
    { stdio: ['pipe', 'ignore', 'pipe'], env: childEnvironment(), cwd: run, detached: true },
  );
  const exited = watchExit(child).finally(() => rm(run, { recursive: true, force: true }));
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  const stop = async (graceMs = 10_000): Promise<EmbeddedExit> => {
    child.stdin?.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    try {
      return await exited;
    } finally {
      clearTimeout(timer);
    }
  };

  const readyMs = options.readyMs ?? 60_000;
  const deadline = Date.now() + readyMs;
  while (!ended && Date.now() < deadline) {
    const found = await probe(ports, password);
    if (found !== undefined) {
      deps.log?.info(
        { url: found.url, tcpPort: found.tcpPort, pid: child.pid, dataDir },
        'embedded ClickHouse is ready',
      );
      return { ...found, pid: child.pid ?? 0, user: ADMIN_USER, password, exited, stop };
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  if (ended) throw startError(await exited, options, dataDir);
  const exit = await stop(0);
  throw new SpanwardenError(
    'CLICKHOUSE_UNAVAILABLE',
    `embedded ClickHouse was not ready in ${readyMs} ms: ${exit.message.trim() || 'it said nothing'}`,
  );
}

/** The same file name beside this one: `.ts` in a checkout, `.js` in the published package. */
const childScript = (): string => {
  const own = fileURLToPath(import.meta.url);
  return fileURLToPath(new URL(`./embedded-child${extname(own)}`, import.meta.url));
};

/** Without our options for Node (a debugger's port, a test's loader) and without secrets that are none of its business. */
const childEnvironment = (): NodeJS.ProcessEnv => ({ PATH: '/usr/bin:/bin', TZ: 'UTC', LANG: 'C.UTF-8' });

function watchExit(child: ChildProcess): Promise<EmbeddedExit> {
  let message = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    message = (message + text).slice(-8_192);
  });
  child.stdin?.on('error', () => {}); // it may end before we close its stdin
  return new Promise((done) => {
    child.once('error', (error) => done({ code: null, signal: null, message: error.message }));
    child.once('close', (code, signal) => done({ code, signal, message }));
  });
}

async function probe(
  portsFile: string,
  password: string,
): Promise<Pick<EmbeddedClickHouse, 'url' | 'httpPort' | 'tcpPort'> | undefined> {
  const line = await readFile(portsFile, 'utf8').catch(() => '');
  if (!line.endsWith('\n')) return undefined;
  const [httpPort = 0, tcpPort = 0] = line.trim().split('\t').map(Number);
  const url = `http://127.0.0.1:${httpPort}`;
  const ready = await fetch(url, {
    method: 'POST',
    body: READY_QUERY,
    headers: { connection: 'close', 'X-ClickHouse-User': ADMIN_USER, 'X-ClickHouse-Key': password },
  }).then(
    async (response) => (await response.text()).trim() === '1',
    () => false,
  );
  return ready ? { url, httpPort, tcpPort } : undefined;
}
