/** Configuration: what wins over what, what is refused and how it is said, what is masked. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig, loadWith } from '../../../runtime/config/load.ts';
import { maskConfig } from '../../../runtime/config/mask.ts';
import { editDistance, nearest } from '../../../runtime/config/nearest.ts';
import { describeConfig } from '../../../schemas/config/describe.ts';
import { generatedFiles } from '../../../schemas/config/generate.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const yaml = (text: string): string => {
  const file = join(directory, `${files++}.yaml`);
  writeFileSync(file, text);
  return file;
};

test('without file and environment everything has its default', () => {
  const config = loadConfig({ env: {} });
  expect(config.http.host).toBe('127.0.0.1');
  expect(config.assembly.graceMs).toBe(2_000);
});

test('the file wins over defaults, the environment over the file, the command line over all', () => {
  const file = yaml('log:\n  leaseMs: 1000\n  pollMs: 20\n  directory: /from/file\nassembly:\n');
  const env = { SPANWARDEN_LOG_POLL_MS: '30', SPANWARDEN_LOG_DIRECTORY: '/from/env', SPANWARDEN_LOG_LEASE_MS: '' };
  const { log } = loadConfig({ file, env, overrides: { 'log.directory': '/from/command' } });
  expect([log.leaseMs, log.pollMs, log.directory]).toEqual([1000, 30, '/from/command']);
});

test('SPANWARDEN_CONFIG names the file; a missing file and broken YAML are said', () => {
  const file = yaml('http: {port: 1234}');
  expect(loadConfig({ env: { SPANWARDEN_CONFIG: file } }).http.port).toBe(1234);
  expect(() => loadConfig({ file: join(directory, 'no.yaml'), env: {} })).toThrow(/cannot read.*no\.yaml/);
  expect(() => loadConfig({ file: yaml('http: {port: 1'), env: {} })).toThrow(/CONFIG|yaml/i);
  expect(() => loadConfig({ file: yaml('- a'), env: {} })).toThrow(/must hold sections/);
});

test('unknown keys are errors naming the nearest known one', () => {
  expect(() => loadConfig({ file: yaml('log: {leasMs: 1000}'), env: {} })).toThrow(
    'log.leasMs is not a setting; the nearest known one is log.leaseMs',
  );
  expect(() => loadConfig({ file: yaml('asembly: {}'), env: {} })).toThrow(/nearest known one is assembly/);
  expect(() => loadConfig({ file: yaml('log: {graceMs: 1}'), env: {} })).toThrow(
    /nearest known one is assembly.graceMs/,
  );
  expect(() => loadConfig({ env: { SPANWARDEN_LOG_LEASEMS: '5' } })).toThrow(
    'unknown variable SPANWARDEN_LOG_LEASEMS; the nearest known one is SPANWARDEN_LOG_LEASE_MS',
  );
});

test('unknown keys inside a list name the nearest key of its items', () => {
  const file = yaml('alerts: {destinations: [{name: a, url: "https://x.example/", secrt: whsec_x}]}');
  expect(() => loadConfig({ file, env: {} })).toThrow(
    'alerts.destinations.0.secrt is not a setting; the nearest known one is alerts.destinations.0.secret',
  );
});

test('a value out of bounds is said with where it came from and what is wanted', () => {
  expect(() => loadConfig({ env: { SPANWARDEN_LOG_LEASE_MS: '1' } })).toThrow(
    /log\.leaseMs from SPANWARDEN_LOG_LEASE_MS: .*\(wanted: integer 200…300000, ms\)/,
  );
  expect(() => loadConfig({ env: { SPANWARDEN_LOG_LEASE_MS: 'soon' } })).toThrow(/log\.leaseMs from/);
});

test('all problems are said at once', () => {
  const file = yaml('log: {leaseMs: 0, pollMs: 0, x: 1}');
  try {
    loadConfig({ file, env: {} });
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(String(error).match(/\n {2}log\./g)).toHaveLength(3);
  }
});

test('variables take the form of their setting; well-known ones stand behind ours', () => {
  const schema = z.strictObject({
    store: z
      .strictObject({
        url: z.string().default(''),
        hosts: z.array(z.string()).default([]),
        quick: z.boolean().default(false),
        ratio: z.number().default(0),
        labels: z.record(z.string(), z.string()).default({}),
        maxBytes: z.number().int().nullable().default(1),
      })
      .prefault({}),
  });
  const load = (env: Record<string, string>) =>
    loadWith(schema, describeConfig(schema), { STORE_URL: 'store.url', HOSTS: 'store.hosts' }, { env }).store;
  expect(load({ STORE_URL: 'a', HOSTS: 'x:1, y:2' })).toMatchObject({ url: 'a', hosts: ['x:1', 'y:2'] });
  expect(load({ STORE_URL: 'a', SPANWARDEN_STORE_URL: 'b' }).url).toBe('b');
  expect(
    load({
      SPANWARDEN_STORE_QUICK: 'true',
      SPANWARDEN_STORE_RATIO: '1e-3',
      SPANWARDEN_STORE_LABELS: '{a: b}',
      SPANWARDEN_STORE_MAX_BYTES: '1_000',
      SPANWARDEN_STORE_URL: '0123',
    }),
  ).toMatchObject({ quick: true, ratio: 0.001, labels: { a: 'b' }, maxBytes: 1000, url: '0123' });
  expect(load({ SPANWARDEN_STORE_MAX_BYTES: 'null' }).maxBytes).toBeNull();
});

test('what is logged holds no secret', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const config = loadConfig({
    env: {
      SPANWARDEN_ALERTS_DESTINATIONS: JSON.stringify([
        { name: 'a', url: 'https://user:hunter2@hook.example/x?token=tok123', secret },
      ]),
    },
  });
  expect(config.alerts.destinations[0]).toMatchObject({ type: 'webhook', secret });
  const shown = JSON.stringify(maskConfig(config));
  for (const raw of [secret, 'hunter2', 'tok123']) expect(shown).not.toContain(raw);
  expect(shown).toContain('hook.example');
  expect(shown).toContain('"graceMs":2000');
});

test('what is logged holds no secret of any kind of destination', () => {
  const one = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const other = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
  const key = '0123456789abcdef0123456789ABCDEF';
  const destinations = [
    { name: 'rotating', url: 'https://hook.example/x', secret: [one, other], headers: { 'x-team': 'blue-key-1' } },
    { name: 'am', type: 'alertmanager', url: 'https://am.example', headers: { authorization: 'Basic YTpi' } },
    { name: 'v4', type: 'alertmanager-webhook', url: 'https://v4.example', secret: other },
    { name: 'pd', type: 'pagerduty', routingKey: key },
    { name: 'chat', type: 'slack', url: 'https://hooks.slack.com/services/T0/B0/sl4ckp4th' },
  ];
  const config = loadConfig({ env: { SPANWARDEN_ALERTS_DESTINATIONS: JSON.stringify(destinations) } });
  const shown = JSON.stringify(maskConfig(config));
  for (const raw of [one, other, key, 'blue-key-1', 'YTpi', 'sl4ckp4th']) expect(shown).not.toContain(raw);
  for (const known of ['rotating', 'am.example', 'v4.example', 'events.pagerduty.com']) expect(shown).toContain(known);
});

test.each([
  [{ name: 'a', url: 'https://a.example' }, 'secret'],
  [{ name: 'a', type: 'pager', url: 'https://a.example' }, 'type'],
  [{ name: 'a', type: 'slack', url: 'https://a.example', secret: 'x' }, 'destinations.0.secret is not a setting'],
  [{ name: 'a', type: 'alertmanager', url: 'https://a.example', headers: { host: 'b' } }, 'headers'],
  [{ name: 'a', type: 'alertmanager', url: 'https://a.example', headers: { 'x-a': 'b\r\nx-c: d' } }, 'headers'],
  [{ name: 'a', type: 'alertmanager', url: 'https://a.example', minStage: 'late' }, 'minStage'],
])('a destination that cannot be is refused: %j', (destination, where) => {
  const env = { SPANWARDEN_ALERTS_DESTINATIONS: JSON.stringify([destination]) };
  expect(() => loadConfig({ env })).toThrow(where);
});

test('two destinations of one name are refused: deliveries are kept by it', () => {
  const twice = { name: 'a', type: 'slack', url: 'https://hooks.slack.com/services/x' };
  expect(() => loadConfig({ env: { SPANWARDEN_ALERTS_DESTINATIONS: JSON.stringify([twice, twice]) } })).toThrow(
    'the same name',
  );
});

test('every setting has a text, and every number a unit or a plain meaning', () => {
  for (const setting of describeConfig()) expect(setting.text, setting.path).not.toBe('');
});

test('two settings never share an environment variable', () => {
  const names = describeConfig().map((setting) => setting.environment);
  expect(new Set(names).size).toBe(names.length);
});

test('docs/spanwarden.example.yaml and the table of the README are up to date', () => {
  for (const { name, present, wanted } of generatedFiles())
    expect(present === wanted, `${name}: run npm run docs:config`).toBe(true);
});

test('the example file is a valid configuration equal to the defaults', () => {
  const example = generatedFiles()[0]!;
  expect(loadConfig({ file: yaml(example.wanted), env: {} })).toEqual(loadConfig({ env: {} }));
});

test('edit distance counts swapped neighbours once', () => {
  expect(editDistance('retention', 'retenton')).toBe(1);
  expect(editDistance('lease', 'lesae')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
  expect(nearest('x', [])).toBe('');
});
