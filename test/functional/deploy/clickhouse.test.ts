/** The composed ClickHouse: what its users may and may not, and that the roles can do all they do as one of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { searchTrace } from '../../unit/detector/traffic.ts';
import { EPOCH_MS } from '../../unit/traces/otlp.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { post, settingsOf, start, until } from '../roles/running.ts';
import { ADMIN, ask, type ComposedServer, startComposedServer } from './server.ts';

const PASSWORDS = { writer: 'of the roles', reader: 'of people', console: 'of the console' };

describe.skipIf(noClickHouse)('the composed ClickHouse', () => {
  const [directory, data] = [temporaryDirectory(), temporaryDirectory()];
  let server: ComposedServer;
  const asRole = (query: string): Promise<string> => ask(server.url, 'spanwarden', PASSWORDS.writer, query);
  const asReader = (query: string): Promise<string> => ask(server.url, 'reader', PASSWORDS.reader, query);

  beforeAll(async () => {
    server = await startComposedServer(data, PASSWORDS);
  });
  afterAll(async () => {
    await server?.stop();
    for (const made of [directory, data]) removeDirectory(made);
  });

  test('all roles work as `spanwarden`: they make the schema, store, and read back at the next start', {
    timeout: 150_000,
  }, async () => {
    const spans = searchTrace(1, Date.now() - EPOCH_MS, '198.51.100.1');
    for (const spansTtlDays of [14, 15]) {
      const clickhouse = { url: server.url, user: 'spanwarden', password: PASSWORDS.writer, spansTtlDays };
      const running = await start(directory, settingsOf(directory, { clickhouse }), [], 'roles started');
      try {
        expect((await fetch(`${running.http}/readyz`)).status).toBe(200);
        if (spansTtlDays === 14) expect(await post(running.otlp, spans)).toBe(200);
        await until('the spans', async () => (await asRole('SELECT count() FROM spanwarden.otel_traces')) === '4');
      } finally {
        running.child.kill('SIGTERM');
        expect(await running.ended).toBe(0);
      }
      expect(running.lines.filter(({ level }) => level === 'error')).toEqual([]);
    }
    expect(await asRole('SHOW CREATE TABLE spanwarden.otel_traces')).toContain('toIntervalDay(15)');
    expect(await asRole('OPTIMIZE TABLE spanwarden.otel_traces FINAL')).toBe('');
  });

  test('`spanwarden` owns its database and nothing else', async () => {
    expect(await asRole('CREATE DATABASE other')).toBe('ACCESS_DENIED');
    expect(await asRole('CREATE USER u')).toBe('ACCESS_DENIED');
    expect(await asRole('SYSTEM SHUTDOWN')).toBe('ACCESS_DENIED');
    expect(await asRole("SELECT * FROM file('/etc/passwd', 'LineAsString')")).toBe('ACCESS_DENIED');
  });

  test('`reader` reads the database, sets its own limits within bounds, and changes nothing', async () => {
    expect(await asReader('SELECT count() FROM spanwarden.otel_traces')).toBe('4');
    expect(await asReader('SELECT 1 SETTINGS max_execution_time = 60, max_threads = 1')).toBe('1');
    expect(await asReader('SELECT 1 SETTINGS max_execution_time = 1000')).toBe('SETTING_CONSTRAINT_VIOLATION');
    expect(await asReader('SELECT 1 SETTINGS max_memory_usage = 9000000000')).toBe('SETTING_CONSTRAINT_VIOLATION');
    expect(await asReader('SELECT 1 SETTINGS readonly = 0')).toMatch(/READONLY|SETTING_CONSTRAINT_VIOLATION/);
    for (const statement of [
      "INSERT INTO spanwarden.schema_files (name) VALUES ('x')",
      'DROP TABLE spanwarden.otel_traces',
      'ALTER TABLE spanwarden.otel_traces DELETE WHERE 1',
      'CREATE TABLE spanwarden.mine (x Int8) ENGINE = Memory',
    ])
      expect(await asReader(statement)).toMatch(/^(READONLY|ACCESS_DENIED)$/);
    expect(await asReader('SELECT * FROM system.users')).toBe('ACCESS_DENIED');
    expect(await asReader("SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')")).toMatch(
      /^(READONLY|ACCESS_DENIED)$/,
    );
  });

  test('without the password nobody gets in', async () => {
    for (const user of ['spanwarden', 'reader', 'console']) {
      expect(await ask(server.url, user, '', 'SELECT 1')).toBe('AUTHENTICATION_FAILED');
      expect(await ask(server.url, user, 'guess', 'SELECT 1')).toBe('AUTHENTICATION_FAILED');
    }
  });

  test('the server file is taken: acknowledged rows are on disk, its own tables do not grow without end', async () => {
    const asAdmin = (query: string): Promise<string> => ask(server.url, ADMIN.user, ADMIN.password, query);
    const setting = "SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_after_insert'";
    expect(await asAdmin(setting)).toBe('1');
    expect(await asAdmin('SYSTEM FLUSH LOGS')).toBe('');
    expect(
      await asAdmin("SELECT create_table_query LIKE '%toIntervalDay(7)%' FROM system.tables WHERE name = 'query_log'"),
    ).toBe('1');
    const logs = "SELECT groupArray(name) FROM system.tables WHERE database = 'system' AND match(name, '_log$')";
    expect(await asAdmin(logs)).toMatch(/^\['(query|part|error)_log'/);
    expect(await asAdmin(logs)).not.toMatch(/trace_log|metric_log|text_log/);
  });
});
