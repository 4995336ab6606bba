/**
 * What people do with an alert, on the processes as they run: the walk of docs/analysts.md from a webhook's body to the rows behind
 * it, with the queries of the page; and dead letters, from the command line, over a crash.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { READER_USER } from '../../../runtime/clickhouse/embedded-settings.ts';
import { applySchema } from '../../../runtime/clickhouse/schema.ts';
import { createLog, ensureTopics } from '../../../runtime/log/create.ts';
import { kafkaSection } from '../../../schemas/config/kafka.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { orderTrace, searchTrace } from '../../unit/detector/traffic.ts';
import { EPOCH_MS, type WireSpan } from '../../unit/traces/otlp.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { SECRET } from '../roles/receiver.ts';
import { createClickHouse, post, publish, type Running, rowsOf, settingsOf, start, until } from '../roles/running.ts';
import { type Receiver, startReceiver, type Taken } from './receivers.ts';

const run = promisify(execFile);
const ATTACKER = '203.0.113.9';
const cleanups: (() => Promise<unknown> | unknown)[] = [];

interface Body {
  readonly type: string;
  readonly timestamp: string;
  readonly data: {
    readonly title: string;
    readonly incident: { readonly id: string; readonly kind: string };
    readonly client: { readonly address: string };
    readonly traces: readonly { readonly id: string; readonly link: string }[];
    readonly sql: string;
    readonly test?: boolean;
  };
}

/** The queries of the walk, by the bold words that begin its step. */
function walkOf(page: string): ReadonlyMap<string, string> {
  const section = page.slice(page.indexOf('## From an alert to the rows behind it'));
  const steps = section
    .slice(0, section.indexOf('\n## ', 5))
    .matchAll(/^\d\. \*\*(.+?)\*\*[\s\S]*?(?=^\d\. |(?![\s\S]))/gm);
  return new Map([...steps].map(([text, name]) => [name!, /```sql walk\n([\s\S]*?)```/.exec(text!)?.[1] ?? '']));
}

describe.skipIf(noClickHouse)('an alert, told', () => {
  const directory = temporaryDirectory();
  let hook: Receiver & { readonly taken: readonly Taken[] };
  let flaky: Receiver & { readonly taken: readonly Taken[] };
  let flakyStatus = 410;
  let settings: Record<string, object>;
  let running: Running;
  let reader: ClickHouseClient;
  let store: Awaited<ReturnType<Awaited<ReturnType<typeof createClickHouse>>['start']>>;
  let attack = '';
  const before: string[] = [];
  let body: Body;

  let trace = 0;
  const send = async (make: (trace: number, atMs: number) => WireSpan[]): Promise<string> => {
    const spans = make(++trace, Date.now() - EPOCH_MS - 60);
    expect(await post(running.otlp, spans)).toBe(200);
    return spans[0]!.traceId!;
  };
  const bodiesOf = (taken: readonly Taken[]): Body[] => taken.map((one) => JSON.parse(one.body) as Body);
  const ask = async <T>(query: string, parameters: Record<string, string> = {}): Promise<T[]> =>
    (await reader.query({ query, query_params: parameters, format: 'JSONEachRow' })).json<T>();
  const spanwarden = async (...args: string[]): Promise<{ code: number; out: string }> => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    const config = ['--config', join(directory, 'config.yaml')];
    return run(process.execPath, ['cli/spanwarden.ts', ...args, ...config], { env }).then(
      ({ stdout }) => ({ code: 0, out: stdout }),
      (error: { code: number; stdout: string; stderr: string }) => ({
        code: error.code,
        out: error.stdout + error.stderr,
      }),
    );
  };

  async function startProcess(): Promise<void> {
    running = await start(directory, settings, [], 'roles started');
  }
  async function kill(): Promise<void> {
    running.child.kill('SIGKILL');
    await running.ended;
  }

  beforeAll(async () => {
    cleanups.push(() => removeDirectory(directory));
    hook = await startReceiver(() => 204);
    flaky = await startReceiver(() => flakyStatus);
    cleanups.push(
      () => hook.stop(),
      () => flaky.stop(),
    );
    const clickhouse = await createClickHouse(directory);
    cleanups.push(() => clickhouse.kill());
    store = await clickhouse.start();
    cleanups.push(() => store.stop());
    await applySchema(store);
    settings = {
      ...settingsOf(directory, {
        clickhouse: clickhouse.settings,
        alerts: {
          traceLink: 'https://traces.example.com/{traceId}',
          destinations: [
            { name: 'hook', url: hook.url, secret: SECRET },
            { name: 'flaky', url: flaky.url, secret: SECRET },
          ],
        },
      }),
      response: { mode: 'simulate', port: 0, factsWaitMs: 500, rules: [{ name: 'any', minConfidence: 'medium' }] },
    };
    const logConfig = { log: logSection.parse(settings.log), kafka: kafkaSection.parse(settings.kafka) };
    const log = createLog(logConfig);
    await log.start();
    await ensureTopics(log, logConfig.log);
    await log.stop(1_000);
    const version = await publish(directory, store, settings);
    await startProcess();
    cleanups.push(kill);
    reader = createClient({ url: store.url, database: store.database, username: READER_USER });
    cleanups.push(() => reader.close());

    await until('the version judges', async () => {
      await send((n, atMs) => searchTrace(n, atMs, `198.51.100.${n % 40}`));
      const found = await rowsOf(store, `SELECT 1 FROM spanwarden.verdicts WHERE version = '${version}' LIMIT 1`);
      return found.length > 0;
    });
    for (let i = 0; i < 3; i++) before.push(await send((n, atMs) => searchTrace(n, atMs, ATTACKER)));
    before.push(await send((n, atMs) => orderTrace(n, atMs, ATTACKER)));
    attack = await send((n, atMs) => searchTrace(n, atMs, ATTACKER, 'pair'));
    await until('the alert', () => bodiesOf(hook.taken).some(({ data }) => data.incident.kind === 'service-pair'));
    body = bodiesOf(hook.taken).find(({ data }) => data.incident.kind === 'service-pair')!;
    await until('every row behind it', async () => {
      const [row] = await ask<{ verdicts: string; spans: string; incidents: string }>(
        `SELECT (SELECT count() FROM verdicts_latest WHERE client_address = '${ATTACKER}' AND state = 'scored') AS verdicts,
           (SELECT count() FROM incidents_latest WHERE id = '${body.data.incident.id}') AS incidents,
           (SELECT count() FROM otel_traces WHERE TraceId = '${attack}') AS spans`,
      );
      return Number(row!.verdicts) >= before.length + 1 && Number(row!.incidents) === 1 && Number(row!.spans) > 0;
    });
  });

  afterAll(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  it('leads from its body to the incident, the verdicts, the spans, the other requests of the client and what was decided', async () => {
    const walk = walkOf(readFileSync(new URL('../../../docs/analysts.md', import.meta.url), 'utf8'));
    expect([...walk.keys()]).toEqual([
      'The spans behind it',
      'The incident as it stands now',
      'Its verdicts',
      'The spans of one of them',
      'What else the client did',
      'What was decided about them',
    ]);
    const parameters = {
      incident: body.data.incident.id,
      client: body.data.client.address,
      trace: body.data.traces[0]!.id,
      day: body.timestamp.slice(0, 10),
    };
    const step = <T>(name: string): Promise<T[]> => {
      const query = walk.get(name)!;
      const wanted = [...query.matchAll(/\{(\w+):/g)].map((found) => found[1] as keyof typeof parameters);
      return ask<T>(query, Object.fromEntries(wanted.map((one) => [one, parameters[one]])));
    };
    expect(parameters).toMatchObject({ client: ATTACKER, trace: attack });

    const planted = searchTrace(trace, 0, ATTACKER, 'pair');
    const spans = await ask<{ TraceId: string; ServiceName: string; SpanName: string }>(body.data.sql);
    expect(spans.map(({ ServiceName, SpanName }) => `${ServiceName} ${SpanName}`).sort()).toEqual(
      planted.map(({ service, name }) => `${service} ${name}`).sort(),
    );
    expect(new Set(spans.map(({ TraceId }) => TraceId))).toEqual(new Set([attack]));

    const [incident, ...others] = await step<{ id: string; kind: string; client_address: string; trace_ids: string[] }>(
      'The incident as it stands now',
    );
    expect(others).toEqual([]);
    expect(incident).toMatchObject({ id: parameters.incident, kind: 'service-pair', client_address: ATTACKER });
    expect(incident!.trace_ids).toContain(attack);

    const verdicts = await step<{ trace_id: string; kinds: string[]; client_address: string; client_source: string }>(
      'Its verdicts',
    );
    expect(verdicts.map(({ trace_id }) => trace_id)).toEqual([attack]);
    expect(verdicts[0]!.kinds).toContain('service-pair');
    expect(verdicts[0]).toMatchObject({ client_address: ATTACKER, client_source: 'peer' });

    const tree = await step<{ SpanId: string; ParentSpanId: string }>('The spans of one of them');
    expect(tree.map(({ SpanId }) => SpanId).sort()).toEqual(planted.map(({ spanId }) => spanId!).sort());

    const also = await step<{ trace_id: string; anomalous: boolean }>('What else the client did');
    expect(also.map(({ trace_id }) => trace_id).sort()).toEqual([...before].sort());

    let decisions: { readonly state: string; readonly value: string; readonly reason: string }[] = [];
    await until('what was decided', async () => {
      decisions = await step('What was decided about them');
      return decisions.length > 0;
    });
    for (const { state, value, reason } of decisions) {
      expect(['simulated', 'refused']).toContain(state);
      expect(value).toBe(ATTACKER);
      expect(reason).not.toBe('');
    }
  });

  it('is a dead letter where it could not be told, survives a crash, and is told again under its id', async () => {
    const id = String(hook.taken.find((one) => one.body.includes(body.data.incident.id))!.headers['webhook-id']);
    const dead = async (): Promise<string[]> => {
      const { out } = await spanwarden('alerts', 'dead', '--destination', 'flaky', '--json');
      const lines = out.split('\n').filter((one) => one.startsWith('{'));
      return lines.map((one) => (JSON.parse(one) as { alert: { id: string } }).alert.id);
    };
    await until('the dead letter', async () => {
      const rows = await ask('SELECT 1 FROM dead_letters WHERE alert_id = {id:String}', { id });
      return rows.length > 0;
    });
    expect(await dead()).toContain(id);
    const tried = flaky.taken.length;
    await kill();
    flakyStatus = 200;
    await startProcess();
    expect(flaky.taken).toHaveLength(tried); // given up is given up
    expect((await spanwarden('alerts', 'replay', 'msg_nothing')).code).toBe(1);
    const asked = await spanwarden('alerts', 'replay', id.slice(0, 12), '--destination', 'flaky', '--by', 'ana');
    expect(asked).toMatchObject({ code: 0, out: expect.stringContaining('1 alert will be sent again') });
    await until('it is there', () => flaky.taken.length > tried);
    const again = flaky.taken.at(-1)!;
    expect(again.headers['webhook-id']).toBe(id);
    expect(again.body).toBe(flaky.taken.find(({ headers }) => headers['webhook-id'] === id)!.body);
    const signed = again.headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(again.body, signed)).toMatchObject({ data: { title: body.data.title } });
    await until('its row', async () => {
      const [row] = await ask<{ state: string }>(
        "SELECT state FROM alert_deliveries WHERE alert_id = {id:String} AND destination = 'flaky'",
        { id },
      );
      return row?.state === 'delivered';
    });
    expect(await dead()).not.toContain(id);
  });

  it('can be tried out: each destination says what it answers, and one that does not take it is a failure', async () => {
    flakyStatus = 200;
    const fine = await spanwarden('alerts', 'test');
    expect(fine.code).toBe(0);
    expect(fine.out).toMatch(/hook .*delivered \(204\)/);
    expect(fine.out).toMatch(/flaky .*delivered \(200\)/);
    const { data } = bodiesOf(hook.taken).at(-1)!;
    expect(data).toMatchObject({ test: true, title: expect.stringContaining('Nothing happened') });
    flakyStatus = 500;
    const broken = await spanwarden('alerts', 'test', '--destination', 'flaky', '--json');
    expect(broken.code).toBe(1);
    expect(JSON.parse(broken.out)).toMatchObject({ destination: 'flaky', delivered: false, httpStatus: 500 });
    expect((await spanwarden('alerts', 'test', '--destination', 'nobody')).code).toBe(2);
    expect((await spanwarden('alerts', 'replay')).code).toBe(2);
  });
});
