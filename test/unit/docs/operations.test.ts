/** docs/operations.md names metrics, settings and labels that exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeConfig } from '../../../schemas/config/describe.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = readFileSync(join(root, 'docs/operations.md'), 'utf8');
const sources = ['collector', 'detector', 'trainer', 'responder', 'console', 'runtime', 'traces']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, String(name))),
  )
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

const metrics = [
  ...text.matchAll(/`((?:collector|detector|trainer|responder|console|log|assembly|reading)_[a-z_]+)(\{[^`]*\})?`/g),
];
const settings = new Set(describeConfig().map(({ path }) => path));
const named = [
  ...text.matchAll(
    /`((?:log|kafka|collector|detector|trainer|incidents|console|assembly|clickhouse|telemetry)\.[A-Za-z.]+)`/g,
  ),
];

test('it names metrics and settings', () => {
  expect(metrics.length).toBeGreaterThan(12);
  expect(named.length).toBeGreaterThan(12);
});

test.each(metrics.map(([, name]) => name!))('%s is a metric', (name) => {
  expect(sources).toMatch(new RegExp(`'${name}'`));
});

test.each(
  metrics.flatMap(([, , labels]) => [...(labels ?? '').matchAll(/"([a-z0-9_]+)"/g)].map(([, value]) => value!)),
)('label value %s exists', (value) => {
  const camel = value.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  expect(sources).toMatch(new RegExp(`\\b(${value}|${camel})\\b`));
});

test.each(named.map(([, path]) => path!))('%s is a setting', (path) => {
  expect([...settings].some((known) => known === path || known.startsWith(`${path}.`))).toBe(true);
});
