/** The embedded ClickHouse: starts, stays ours alone, ends with us, and leaves nothing behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts';
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../../runtime/clickhouse/embedded.ts';
import { clickhouseSection } from '../../../schemas/config/clickhouse.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from './server.ts';

const ask = async (
  url: string,
  user: string,
  password: string,
  query: string,
): Promise<{ ok: boolean; text: string }> => {
  const response = await fetch(url, {
    method: 'POST',
    body: query,
    headers: { connection: 'close', 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
  });
  return { ok: response.ok, text: (await response.text()).trim() };
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe.skipIf(noClickHouse)('embedded ClickHouse', () => {
  const directory = noClickHouse ? '' : temporaryDirectory();
  let server: EmbeddedClickHouse;
  beforeAll(async () => {
    server = await startEmbeddedClickHouse({ dataDir: directory });
    await ask(server.url, server.user, server.password, 'CREATE DATABASE spanwarden ENGINE = Atomic');
    await ask(
      server.url,
      server.user,
      server.password,
      'CREATE TABLE spanwarden.t ENGINE = MergeTree ORDER BY n AS SELECT 1 AS n',
    );
  });
  afterAll(async () => {
    await server?.stop();
    removeDirectory(directory);
  });

  test('the administrator needs the password of this start', async () => {
    expect((await ask(server.url, server.user, server.password, 'SELECT version()')).text).toMatch(/^26\./);
    expect(await ask(server.url, server.user, '', 'SELECT 1')).toMatchObject({ ok: false });
    expect(server.password).not.toBe('');
  });

  test('the reader reads our database and nothing else, and writes nothing', async () => {
    const reader = (query: string) => ask(server.url, 'reader', '', query);
    expect(await reader('SELECT n FROM spanwarden.t')).toEqual({ ok: true, text: '1' });
    for (const query of [
      'INSERT INTO spanwarden.t VALUES (2)',
      'DROP TABLE spanwarden.t',
      'SET readonly = 0',
      "SELECT * FROM file('/etc/hostname', 'LineAsString')",
      "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
      'SYSTEM STOP LISTEN HTTP',
      'SELECT * FROM system.users',
    ])
      expect(await reader(query), query).toMatchObject({ ok: false });
  });

  test('the user its own first session needs is of no use to anybody else', async () => {
    for (const query of [
      'SELECT n FROM spanwarden.t',
      "SELECT * FROM file('/etc/hostname', 'LineAsString')",
      'SYSTEM STOP LISTEN TCP',
    ])
      expect(await ask(server.url, 'default', '', query), query).toMatchObject({ ok: false });
  });

  test('a second one on the same directory is told so, and the first goes on', async () => {
    await expect(startEmbeddedClickHouse({ dataDir: directory })).rejects.toMatchObject({ code: 'CLICKHOUSE_LOCKED' });
    expect(await ask(server.url, 'reader', '', 'SELECT 1')).toEqual({ ok: true, text: '1' });
    expect(readdirSync(directory).filter((name) => name.startsWith('run-'))).toHaveLength(1);
  });

  test('a taken port is named with its setting, and nothing is left behind', async () => {
    const other = temporaryDirectory();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    try {
      for (const [setting, ports] of [
        ['httpPort', { httpPort: port }],
        ['tcpPort', { tcpPort: port }],
      ] as const) {
        const failure = startEmbeddedClickHouse({ dataDir: other, ...ports });
        await expect(failure).rejects.toMatchObject({ code: 'PORT_TAKEN', message: expect.stringContaining(setting) });
      }
      expect(readdirSync(other).filter((name) => name.startsWith('run-'))).toEqual([]);
    } finally {
      taken.close();
      removeDirectory(other);
    }
  });

  test('acknowledged rows survive kill -9, and a clean stop', async () => {
    const own = temporaryDirectory();
    try {
      let one = await startEmbeddedClickHouse({ dataDir: own });
      const admin = (query: string) => ask(one.url, one.user, one.password, query);
      await admin('CREATE DATABASE spanwarden ENGINE = Atomic');
      await admin('CREATE TABLE spanwarden.t (n UInt64) ENGINE = MergeTree ORDER BY n');
      expect((await admin('INSERT INTO spanwarden.t SELECT number FROM numbers(1000)')).ok).toBe(true);
      process.kill(one.pid, 'SIGKILL');
      expect(await one.exited).toMatchObject({ signal: 'SIGKILL' });
      one = await startEmbeddedClickHouse({ dataDir: own });
      expect((await admin('SELECT count() FROM spanwarden.t')).text).toBe('1000');
      await admin('INSERT INTO spanwarden.t SELECT number FROM numbers(10)');
      expect(await one.stop()).toMatchObject({ code: 0, signal: null });
      one = await startEmbeddedClickHouse({ dataDir: own });
      expect((await admin('SELECT count() FROM spanwarden.t')).text).toBe('1010');
      await one.stop();
      expect(readdirSync(own).filter((name) => name.startsWith('run-'))).toEqual([]);
    } finally {
      removeDirectory(own);
    }
  });

  test('a parent that is killed takes it along', async () => {
    const own = temporaryDirectory();
    const module = fileURLToPath(new URL('../../../runtime/clickhouse/embedded.ts', import.meta.url));
    const script = `import { startEmbeddedClickHouse } from ${JSON.stringify(module)};
      const server = await startEmbeddedClickHouse({ dataDir: ${JSON.stringify(own)} });
      console.log(server.pid);`;
    const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
      const pid = Number(line);
      expect(isAlive(pid)).toBe(true);
      parent.kill('SIGKILL');
      await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
      expect(readdirSync(own).filter((name) => name.startsWith('run-'))).toEqual([]);
      const again = await startEmbeddedClickHouse({ dataDir: own }); // the directory is free
      await again.stop();
    } finally {
      parent.kill('SIGKILL');
      removeDirectory(own);
    }
  });

  test('two connections on one directory share one server; commands attach to it, and say when there is none', async () => {
    const own = temporaryDirectory();
    const config = clickhouseSection.parse({ embedded: { directory: own } });
    try {
      await expect(connectClickHouse(config, { attachOnly: true })).rejects.toMatchObject({
        code: 'CLICKHOUSE_UNAVAILABLE',
      });
      const both = await Promise.all([connectClickHouse(config), connectClickHouse(config)]);
      const attached = await connectClickHouse(config, { attachOnly: true });
      expect(both.filter((one) => one.embedded !== undefined)).toHaveLength(1);
      expect(attached.url).toBe(both[0]!.url);
      expect((await attached.client.ping()).success).toBe(true);
      await attached.stop();
      await Promise.all(both.map((one) => one.stop()));
      expect(readdirSync(own).filter((name) => name !== 'data' && name !== 'clickhouse.log')).toEqual([]);
    } finally {
      removeDirectory(own);
    }
  });
});
