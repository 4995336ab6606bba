/** The console works as the user that Compose and docs/operations.md make for it, and that user can do nothing else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readAccess } from '../../../console/token.ts';
import { type ClickHouse, connectClickHouse } from '../../../runtime/clickhouse/client.ts';
import { applySchema } from '../../../runtime/clickhouse/schema.ts';
import { writeVersion } from '../../../schemas/baselines/version.ts';
import { clickhouseSection } from '../../../schemas/config/clickhouse.ts';
import { loadedBaseline } from '../../unit/detector/traffic.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { startComposedServer } from '../deploy/server.ts';
import { publish, rowsOf, settingsOf, start, until } from '../roles/running.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const PASSWORDS = { writer: 'of the roles', reader: 'of people', console: 'of the console' };
const textOf = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

it('is the same in docs/operations.md, for a server of one’s own, as in Compose', () => {
  const users = textOf('docker/clickhouse/users.xml');
  const composed = /<users>[\s\S]*<console>([\s\S]*?)<\/console>/.exec(users)![1]!;
  const granted = [...composed.matchAll(/<query>(.*?)<\/query>/g)].map(
    ([, query]) => `${query} TO spanwarden_console;`,
  );
  const told = /## Users of ClickHouse[\s\S]*?```sql\n([\s\S]*?)```/.exec(textOf('docs/operations.md'))![1]!;
  expect(told.match(/^GRANT .*$/gm)).toEqual(granted);
  expect(told).toContain('allow_ddl = 0 CONST');
});

describe.skipIf(noClickHouse)('the console’s own user of ClickHouse', () => {
  it('is enough for the console, which waits for the schema, and for nothing beyond', async () => {
    const [directory, data] = [temporaryDirectory(), temporaryDirectory()];
    const server = await startComposedServer(data, PASSWORDS);
    cleanups.push(() => [directory, data].forEach(removeDirectory));
    cleanups.push(() => server.stop());
    const connect = async (user: string, password: string): Promise<ClickHouse> => {
      const clickhouse = await connectClickHouse(clickhouseSection.parse({ url: server.url, user, password }));
      cleanups.push(() => clickhouse.stop());
      return clickhouse;
    };
    const admin = await connect('spanwarden', PASSWORDS.writer);
    const own = { url: server.url, user: 'console', password: PASSWORDS.console };
    const settings = settingsOf(directory, { clickhouse: own });
    const console = await start(directory, settings, ['console'], 'waiting for ClickHouse to have the schema');
    cleanups.push(async () => {
      console.child.kill('SIGKILL');
      await console.ended;
    });
    expect(await rowsOf(admin, "SELECT name FROM system.tables WHERE database = 'spanwarden'")).toEqual([]);
    await applySchema(admin);
    const version = await publish(directory, admin, settings);
    const folder = join(directory, 'console');
    await until('the console', async () => (await readAccess(folder)) !== undefined);
    const { url, token } = (await readAccess(folder))!;
    const ask = async (method: string, path: string, body?: object): Promise<number> => {
      const answer = await fetch(`${url}/api/v1/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (answer.status >= 500) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return answer.status;
    };
    for (const path of [
      'edits',
      'incidents',
      'decisions',
      'alerts/dead',
      'baseline/names',
      'baseline/versions',
      'baseline/requests',
      `baseline/versions/${version}/export`,
    ]) {
      expect([path, await ask('GET', path)]).toEqual([path, 200]);
    }
    const edit = { state: 'pinned', entry: 'GET /search', thresholds: { timing: 0.9 } };
    expect(await ask('POST', 'edits', { edit, by: 'ada' })).toBe(201);
    expect(await ask('POST', 'edits/preview', { edit })).toBe(200);
    expect(await ask('POST', 'baseline/rollback', { version, by: 'ada' })).toBe(202);
    const imported = await fetch(`${url}/api/v1/baseline/import?by=ada`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
      body: [...writeVersion(loadedBaseline().entries)].join(''),
    });
    expect(imported.status, await imported.text()).toBeLessThan(500);
    expect(await rowsOf(admin, 'SELECT toUInt32(count()) AS n FROM spanwarden.baseline_edits')).toEqual([{ n: 1 }]);

    const user = await connect(own.user, own.password);
    const refused = async (query: string): Promise<string> => {
      try {
        await user.client.command({ query });
      } catch (error) {
        return (error as { type?: string }).type ?? String(error);
      }
      return 'done';
    };
    for (const query of [
      'CREATE TABLE spanwarden.mine (n UInt8) ENGINE = Memory',
      'CREATE VIEW spanwarden.mine AS SELECT 1',
      'DROP TABLE spanwarden.baseline_edits',
      'DROP DATABASE spanwarden',
      'TRUNCATE TABLE spanwarden.incidents',
      'ALTER TABLE spanwarden.verdicts ADD COLUMN mine UInt8',
      'ALTER TABLE spanwarden.verdicts DELETE WHERE 1',
      'DELETE FROM spanwarden.baseline_edits WHERE 1',
      'RENAME TABLE spanwarden.verdicts TO spanwarden.mine',
      'OPTIMIZE TABLE spanwarden.verdicts',
      'INSERT INTO spanwarden.incidents (id) VALUES (1)',
      'INSERT INTO spanwarden.verdicts (trace_id) VALUES (1)',
      "CREATE USER mine IDENTIFIED BY 'x'",
      'GRANT ALL ON *.* TO console',
      "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')",
      "SELECT * FROM file('/etc/passwd', 'LineAsString')",
      'SYSTEM SHUTDOWN',
      'SET allow_ddl = 1',
      'SELECT 1 SETTINGS allow_ddl = 1',
    ]) {
      expect([query, await refused(query)]).toEqual([
        query,
        expect.stringMatching(/^(ACCESS_DENIED|QUERY_IS_PROHIBITED|SETTING_CONSTRAINT_VIOLATION)$/),
      ]);
    }
  });
});
