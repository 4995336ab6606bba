/**
 * The services of docker-compose.yml without an engine: each role a process with its command, its environment and its
 * configuration file from there, Kafka with the composed settings, ClickHouse under the composed files. Only addresses
 * differ. With REFERENCE_COLLECTOR also the demo's Collector with its file, in front.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, test } from 'vitest';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../functional/clickhouse/server.ts';
import { referenceCollector } from '../functional/collector/reference-collector.ts';
import { ask, startComposedServer } from '../functional/deploy/server.ts';
import { createTraffic, freePort, until } from '../functional/roles/running.ts';
import { type Broker, startBroker } from '../kafka/broker.ts';
import { noOwnBroker } from '../kafka/for-tests.ts';
import { type HeldProcess, startHeld } from '../kafka/held-process.ts';
import { type Compose, loadCompose } from '../unit/compose/compose.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const PASSWORDS = { writer: 'of the roles', reader: 'of people', console: 'of the console' };

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** What the image makes of its environment: KAFKA_A_B is a.b, a double underscore an underscore. */
function brokerProperties(environment: Readonly<Record<string, string>>): Record<string, string> {
  const found = Object.entries(environment).filter(([name]) => /^KAFKA_(?!HEAP_OPTS)/.test(name));
  return Object.fromEntries(
    found.map(([name, value]) => [
      name
        .slice('KAFKA_'.length)
        .toLowerCase()
        .replace(/__|_/g, (dash) => (dash === '_' ? '.' : '_')),
      value,
    ]),
  );
}

/** Those that say where: the broker here listens elsewhere. */
const ADDRESSES = /listener|log\.dirs|quorum\.voters|node\.id|process\.roles/;

async function startComposedBroker(compose: Compose): Promise<Broker> {
  const properties = brokerProperties(compose.services.kafka!.environment!);
  const others = Object.fromEntries(Object.entries(properties).filter(([name]) => !ADDRESSES.test(name)));
  const broker = await startBroker({ properties: others });
  cleanups.push(() => broker.stop());
  // a name that is no setting of Kafka's would be told without its value
  const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 4, name: String(broker.nodeId) }],
  });
  await admin.disconnect();
  const known = new Map(resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]));
  for (const [name, value] of Object.entries(properties))
    expect([name, known.get(name)]).toEqual([name, ADDRESSES.test(name) ? expect.any(String) : value]);
  return broker;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  said(sentence: string): Record<string, unknown> | undefined;
  readonly errors: () => Record<string, unknown>[];
}

/** What a process of the service has around it. */
function environmentOf(
  compose: Compose,
  name: string,
  addresses: Readonly<Record<string, string>>,
): Record<string, string> {
  const { environment } = compose.services[name]!;
  const all = { ...environment, ...addresses, SPANWARDEN_CONFIG: join(ROOT, 'docker/spanwarden.yaml') };
  return Object.fromEntries(
    Object.entries(all).filter(([key]) => key.startsWith('SPANWARDEN_') || key in environment!),
  );
}

/** A service as its container would run it, until it says that its roles run. */
async function startService(
  compose: Compose,
  name: string,
  addresses: Readonly<Record<string, string>>,
): Promise<Running> {
  const { command } = compose.services[name]!;
  const child = spawn(process.execPath, [join(ROOT, 'cli/spanwarden.ts'), ...command!], {
    env: environmentOf(compose, name, addresses),
    cwd: '/', // nothing may be written beside it
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  let over = false;
  const ended = once(child, 'close').then(([code]) => {
    over = true;
    return code as number | null;
  });
  cleanups.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines = (): Record<string, unknown>[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => (line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : { msg: line }));
  const said = (sentence: string) => lines().find(({ msg }) => msg === sentence);
  await until(`${name} runs`, () => over || said('roles started') !== undefined, 90_000);
  if (over) throw new Error(`${name} ended: ${text.slice(-2_000)}`);
  return { child, ended, said, errors: () => lines().filter(({ level }) => level === 'error' || level === 'fatal') };
}

/** The demo's Collector, told where it listens and where ours does. */
async function startCollectorOfDemo(directory: string, target: string): Promise<{ port: number; held: HeldProcess }> {
  const [grpc, http] = [await freePort(), await freePort()];
  const file = join(directory, 'otel-collector.yaml');
  const text = readFileSync(join(ROOT, 'docker/otel-collector.yaml'), 'utf8')
    .replace(
      'grpc: { endpoint: 0.0.0.0:4317 }',
      `grpc: { endpoint: 127.0.0.1:${grpc} }\n      http: { endpoint: 127.0.0.1:${http} }`,
    )
    .replace('endpoint: collector:4317', `endpoint: ${target}`)
    .replace('telemetry: { logs: { level: warn } }', 'telemetry: { logs: { level: info }, metrics: { level: none } }');
  writeFileSync(file, text);
  const held = await startHeld({
    what: 'the OpenTelemetry Collector',
    command: referenceCollector!,
    args: ['--config', file],
    removeAlso: '',
  });
  cleanups.push(async () => {
    held.signal('SIGKILL');
    await held.exited;
  });
  await held.says('Everything is ready', 60_000);
  return { port: http, held };
}

if (referenceCollector === undefined)
  console.warn(
    "\n!!! NOT TRIED: the demo's OpenTelemetry Collector with its file; set REFERENCE_COLLECTOR to its directory\n",
  );

describe.skipIf(noClickHouse || noOwnBroker)('the composed services', () => {
  test('take spans, store them through Kafka with two detectors, and end cleanly', async () => {
    const compose = loadCompose({
      CLICKHOUSE_PASSWORD: PASSWORDS.writer,
      CLICKHOUSE_CONSOLE_PASSWORD: PASSWORDS.console,
      CLICKHOUSE_READER_PASSWORD: PASSWORDS.reader,
      GRAFANA_PASSWORD: 'not needed here',
      CONSOLE_TOKEN: 'a-token-of-the-composed-console',
      REDACTION_KEY: '0123456789abcdef',
    });
    const [directory, data] = [temporaryDirectory(), temporaryDirectory()];
    cleanups.push(() => {
      for (const made of [directory, data]) removeDirectory(made);
    });
    const broker = await startComposedBroker(compose);
    const server = await startComposedServer(data, PASSWORDS);
    cleanups.push(() => server.stop());
    const addresses = {
      KAFKA_BROKERS: broker.address,
      CLICKHOUSE_URL: server.url,
      SPANWARDEN_HTTP_PORT: '0',
      SPANWARDEN_HTTP_HOST: '127.0.0.1',
      SPANWARDEN_COLLECTOR_HOST: '127.0.0.1',
      SPANWARDEN_COLLECTOR_GRPC_PORT: '0',
      SPANWARDEN_COLLECTOR_HTTP_PORT: '0',
      SPANWARDEN_CONSOLE_PORT: '0',
      SPANWARDEN_CONSOLE_DIRECTORY: join(directory, 'console'),
    };
    const names = ['collector', 'responder', 'detector', 'detector', 'trainer', 'console'];
    const running: Running[] = [];
    for (const name of names) running.push(await startService(compose, name, addresses));
    for (const { said } of running)
      await until('ready', async () => (await fetch(`${said('roles started')!.http}/readyz`)).status === 200);

    // as `docker compose exec console … edits list` would: it listens on every address, and is found by loopback
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'cli/spanwarden.ts'), 'edits', 'list'], {
      env: environmentOf(compose, 'console', addresses),
      cwd: '/',
    });
    expect(stdout).toBe('no edits\n');

    const listens = running[0]!.said('collector listens') as Record<'grpc' | 'http', { port: number }>;
    const port =
      referenceCollector === undefined
        ? listens.http.port
        : (await startCollectorOfDemo(directory, `127.0.0.1:${listens.grpc.port}`)).port;
    const traffic = createTraffic(() => `http://127.0.0.1:${port}/v1/traces`);
    cleanups.push(() => traffic.stop());
    await until('enough traffic', () => traffic.acknowledged.size > 1_000);
    await traffic.stop();

    const asReader = (query: string): Promise<string> => ask(server.url, 'reader', PASSWORDS.reader, query);
    await until('every acknowledged span, once', async () => {
      const counted = await asReader('SELECT count(), uniqExact(TraceId, SpanId) FROM spanwarden.otel_traces');
      return counted === `${traffic.acknowledged.size}\t${traffic.acknowledged.size}`;
    });
    for (const { child } of running) child.kill('SIGTERM');
    expect(await Promise.all(running.map(({ ended }) => ended))).toEqual(names.map(() => 0));
    expect(running.flatMap(({ errors }) => errors())).toEqual([]);
  });
});
