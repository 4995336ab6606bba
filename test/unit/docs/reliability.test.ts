/** docs/reliability.md names tests that exist: a test that is renamed or removed must be renamed or replaced there. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const named = [...read('docs/reliability.md').matchAll(/`(test\/[^`]+)` › ([^|\n]+?)(?=<br>| \|)/g)].map(
  ([, file, name]) => ({ file: file!, name: name! }),
);

test('it names tests', () => {
  expect(named.length).toBeGreaterThan(80);
});

test.each(named)('$file › $name', ({ file, name }) => {
  const source = read(file).replaceAll("\\'", "'").replaceAll('\\"', '"');
  expect(source).toContain(name);
});
