/**
 * The embedded ClickHouse under the composed server's own files: docker/clickhouse/users.xml and server.xml, as the container
 * merges them. One thing differs: user `default` stays, as the embedded server's first session needs it.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findEmbeddedLibrary } from '../../../runtime/clickhouse/embedded.ts';
import { serverDocument, startStatements, usersDocument } from '../../../runtime/clickhouse/embedded-settings.ts';

const ROOT = new URL('../../../', import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

export interface ComposedServer {
  readonly url: string;
  stop(): Promise<void>;
}

export const ADMIN = { user: 'admin', password: 'of the test' } as const;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface Passwords {
  readonly writer: string;
  readonly reader: string;
  readonly console: string;
}

/** Statements as a user: the answer's text, or the code of ClickHouse's exception. */
export async function ask(url: string, user: string, password: string, query: string): Promise<string> {
  const answer = await fetch(`${url}/?default_format=TSV`, {
    method: 'POST',
    body: query,
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
  });
  const text = (await answer.text()).trim();
  return answer.ok ? text : (/^Code: \d+.*\(([A-Z_]+)\)/s.exec(text)?.[1] ?? text);
}

export async function startComposedServer(directory: string, passwords: Passwords): Promise<ComposedServer> {
  const library = findEmbeddedLibrary();
  if ('missing' in library) throw new Error(library.missing);
  for (const folder of ['config.d', 'users.d']) mkdirSync(join(directory, folder));
  const users = textOf('docker/clickhouse/users.xml').replace('<default remove="remove"/>', '');
  writeFileSync(join(directory, 'users.d/spanwarden.xml'), users);
  writeFileSync(join(directory, 'config.d/spanwarden.xml'), textOf('docker/clickhouse/server.xml'));
  const maxMemoryBytes = 2_000_000_000;
  // `default` for the first session, and one who may look at everything; our users come from the file that is tried
  const first = usersDocument({
    database: 'none',
    adminSha256: sha256(ADMIN.password),
    readerSha256: '',
    maxMemoryBytes,
  })
    .replaceAll(/(<\/?)spanwarden>/g, `$1${ADMIN.user}>`)
    .replace(/<users>([\s\S]*)<reader>[\s\S]*?<\/reader>/, '<users>$1');
  writeFileSync(join(directory, 'users.xml'), first);
  const settings = { logFile: join(directory, 'server.log'), usersFile: join(directory, 'users.xml'), maxMemoryBytes };
  writeFileSync(join(directory, 'config.xml'), serverDocument({ ...settings, fsync: false }));
  const ports = join(directory, 'ports.tsv');
  const child = spawn(
    process.execPath,
    [
      new URL('runtime/clickhouse/embedded-child.ts', ROOT).pathname,
      library.path,
      `--config-file=${join(directory, 'config.xml')}`,
      `--path=${join(directory, 'data')}`,
      '--log-level=warning',
      '--listen_host=127.0.0.1',
      '--http_port=0',
      '--tcp_port=0',
      '--multiquery',
      `--query=${startStatements(ports)}`,
    ],
    {
      stdio: ['pipe', 'ignore', 'pipe'],
      cwd: mkdirSync(join(directory, 'run'), { recursive: true }),
      env: {
        PATH: '/usr/bin:/bin',
        TZ: 'UTC',
        SPANWARDEN_CLICKHOUSE_PASSWORD: passwords.writer,
        SPANWARDEN_CLICKHOUSE_READER_PASSWORD: passwords.reader,
        SPANWARDEN_CLICKHOUSE_CONSOLE_PASSWORD: passwords.console,
      },
    },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await exited;
  };
  for (const endMs = Date.now() + 30_000; child.exitCode === null && Date.now() < endMs; ) {
    const [port = ''] = readPorts(ports).split('\t');
    const url = `http://127.0.0.1:${port}`;
    if (
      port !== '' &&
      (await fetch(`${url}/ping`).then(
        ({ ok }) => ok,
        () => false,
      ))
    )
      return { url, stop };
    await new Promise((done) => setTimeout(done, 50));
  }
  await stop();
  throw new Error(`no ClickHouse under the composed files: ${said}`);
}

function readPorts(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
