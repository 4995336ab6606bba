/** An alert, `incidents expect --always`, and the version that comes of it: not alerted again, while another attack is. */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { readAccess } from '../../../console/token.ts';
import { applySchema } from '../../../runtime/clickhouse/schema.ts';
import { createLog, ensureTopics } from '../../../runtime/log/create.ts';
import { kafkaSection } from '../../../schemas/config/kafka.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { searchTrace } from '../../unit/detector/traffic.ts';
import { EPOCH_MS, type WireSpan } from '../../unit/traces/otlp.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { SECRET, startBodyReceiver } from '../roles/receiver.ts';
import { createClickHouse, post, publish, rowsOf, settingsOf, start, until } from '../roles/running.ts';

const run = promisify(execFile);
const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const now = (): number => Date.now() - EPOCH_MS;

interface VerdictRow {
  readonly version: string;
  readonly kinds: string[];
  readonly anomalous: boolean;
}

describe.skipIf(noClickHouse)('an incident that was expected', () => {
  it('does not alert again once the version with its edit is in effect; another attack still does; retiring ends it', async () => {
    const directory = temporaryDirectory();
    cleanups.push(() => removeDirectory(directory));
    const receiver = await startBodyReceiver();
    cleanups.push(() => receiver.stop());
    const clickhouse = await createClickHouse(directory);
    cleanups.push(() => clickhouse.kill());
    const store = await clickhouse.start();
    cleanups.push(() => store.stop());
    await applySchema(store);
    const settings = settingsOf(directory, {
      clickhouse: clickhouse.settings,
      alerts: { destinations: [{ name: 'test', url: receiver.url, secret: SECRET }] },
    });
    const logConfig = { log: logSection.parse(settings.log), kafka: kafkaSection.parse(settings.kafka) };
    const log = createLog(logConfig);
    await log.start();
    await ensureTopics(log, logConfig.log);
    await log.stop(1_000);
    const version = await publish(directory, store, settings);
    const running = await start(directory, settings, [], 'roles started');
    cleanups.push(async () => {
      running.child.kill('SIGKILL');
      await running.ended;
    });

    let trace = 0;
    const send = async (client: string, oddity: 'none' | 'pair' | 'statement'): Promise<string> => {
      const spans: WireSpan[] = searchTrace(++trace, now() - 60, client, oddity);
      expect(await post(running.otlp, spans)).toBe(200);
      return spans[0]!.traceId!;
    };
    const verdictOf = async (traceId: string, stage = 'absence judged'): Promise<VerdictRow | undefined> => {
      const [row] = await rowsOf<VerdictRow>(
        store,
        `SELECT version, \`findings.kind\` AS kinds, anomalous FROM spanwarden.verdicts_latest
         WHERE trace_id = '${traceId}' AND stage >= '${stage}' AND state = 'scored'`,
      );
      return row;
    };
    const judgedBy = (wanted: string): Promise<void> =>
      until(`version ${wanted} judges`, async () => {
        await send(`198.51.100.${trace % 40}`, 'none');
        const found = await rowsOf(store, `SELECT 1 FROM spanwarden.verdicts WHERE version = '${wanted}' LIMIT 1`);
        return found.length > 0;
      });

    const access = (await readAccess(join(directory, 'console')))!;
    expect(statSync(join(directory, 'console', 'access.json')).mode & 0o777).toBe(0o600);
    const ask = async <T>(path: string, body?: object): Promise<T> => {
      const answer = await fetch(`${access.url}/api/v1/${path}`, {
        headers: { authorization: `Bearer ${access.token}`, 'content-type': 'application/json' },
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      });
      const said = (await answer.json()) as T;
      if (!answer.ok) throw new Error(`${answer.status} ${JSON.stringify(said)}`);
      return said;
    };
    const spanwarden = async (...args: string[]): Promise<string> =>
      (
        await run(process.execPath, ['cli/spanwarden.ts', ...args, '--config', join(directory, 'config.yaml')], {
          env: { PATH: process.env.PATH, HOME: process.env.HOME },
        })
      ).stdout;

    await judgedBy(version);
    const first = await send('203.0.113.9', 'pair');
    await until('the alert', () => receiver.titles().some((title) => title.includes('gateway → payments')));
    await until('its verdict', async () => (await verdictOf(first)) !== undefined);
    expect((await verdictOf(first))?.kinds).toContain('service-pair');
    let incident = '';
    await until('the incident', async () => {
      const { incidents } = await ask<{ incidents: { id: string; kind: string }[] }>('incidents?state=open');
      incident = incidents.find(({ kind }) => kind === 'service-pair')?.id ?? '';
      return incident !== '';
    });

    // shown before it is done
    const dry = await spanwarden('incidents', 'expect', incident, '--always', '--dry-run');
    expect(dry).toContain('service-pair gateway → payments is expected');
    expect(dry).toContain('1 kept away');
    expect((await ask<{ edits: unknown[] }>('edits')).edits).toEqual([]);

    const done = await spanwarden('incidents', 'expect', incident, '--always', '--expires', '30d', '--json');
    const { edit, action } = JSON.parse(done) as {
      edit: {
        document: { id: string; approve: { kind: string }[]; expiresMs: number };
        preview: { judgedAgain: { changed: number; incidents: { keptAway: number } } };
      };
      action: { editId: string };
    };
    expect(edit.document.approve.map(({ kind }) => kind)).toContain('service-pair');
    expect(edit.document.expiresMs).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    expect(edit.preview.judgedAgain).toMatchObject({ changed: 1, incidents: { keptAway: 1, made: 0 } });
    expect(action.editId).toBe(edit.document.id);
    await until('the incident is expected', async () => {
      const { state } = await ask<{ state: string }>(`incidents/${incident}`);
      return state === 'expected';
    });

    const edited = async (notThis: string): Promise<string> => {
      let found = '';
      await until('a version with other edits', async () => {
        const { versions } = await ask<{ versions: { version: string; kind?: string }[] }>('baseline/versions');
        found = versions.find((one) => one.kind === 'edited' && one.version !== notThis)?.version ?? '';
        return found !== '';
      });
      return found;
    };
    const withEdit = await edited('');
    await judgedBy(withEdit);
    const alerts = receiver.titles().length;
    const again = await send('203.0.113.10', 'pair');
    const attack = await send('203.0.113.11', 'statement');
    await until('another attack is alerted', () => receiver.titles().length > alerts);
    await until('its verdict', async () => (await verdictOf(attack)) !== undefined);
    expect((await verdictOf(attack))?.kinds).toContain('statement');
    // by now it would have been judged for what is absent, had anything been odd
    expect(await verdictOf(again, 'closed')).toEqual({ version: withEdit, kinds: [], anomalous: false });
    expect(receiver.titles().slice(alerts).join()).not.toContain('payments');

    expect(await spanwarden('edits', 'list')).toContain(`${edit.document.id}  r1  approved`);
    await spanwarden('edits', 'retire', edit.document.id, '--comment', 'no longer');
    await judgedBy(await edited(withEdit));
    const after = await send('203.0.113.12', 'pair');
    await until('its verdict', async () => (await verdictOf(after)) !== undefined);
    expect((await verdictOf(after))?.kinds).toContain('service-pair');
    const { revisions } = await ask<{ revisions: { document: { state: string } }[] }>(`edits/${edit.document.id}`);
    expect(revisions.map(({ document }) => document.state)).toEqual(['retired', 'approved']);

    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(await readAccess(join(directory, 'console'))).toBeUndefined();
  });
});
