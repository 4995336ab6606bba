/** docs/alerts.md describes the alert body that schemas/alerts/alert.schema.json declares: every field, and a valid example. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';

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
  const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });
  addFormats.default(ajv);
  const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const validate = ajv.compile(schema);
  expect(validate(JSON.parse(example)), JSON.stringify(validate.errors)).toBe(true);
});
