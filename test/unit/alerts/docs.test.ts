/** docs/alerts.md describes the alert body that schemas/alerts/alert.schema.json declares: every field, and a valid example. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { closedSchema, compile, errorsOf } from './schema.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const schema = JSON.parse(read('schemas/alerts/alert.schema.json')) as Schema;
const page = read('docs/alerts.md');

function fieldsOf({ properties = {}, items }: Schema): string[] {
  const own = Object.entries(properties).flatMap(([name, inner]) => [name, ...fieldsOf(inner)]);
  return items === undefined ? own : [...own, ...fieldsOf(items)];
}

test.each([...new Set(fieldsOf(schema))])('names %s', (field) => {
  expect(page).toMatch(new RegExp(`["\`.]${field}["\`]`));
});

const kinds = /type FindingKind =([^;]+);/.exec(read('schemas/log/verdict.ts'))?.[1] ?? '';
test.each([...kinds.matchAll(/'([a-z-]+)'/g)].map(([, kind]) => kind!))('names the kind %s', (kind) => {
  expect(/\| `data\.incident\.kind` \|.*/.exec(page)?.[0]).toContain(`\`${kind}\``);
});

test('its example is an alert', () => {
  const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  expect(errorsOf(compile(closedSchema), JSON.parse(example))).toBe('');
});
