/** package-lock.json serves every platform: npm ci refuses it when it lacks an optional package, whatever the platform. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
// @ts-expect-error plain JavaScript, without types
import { completeLock, missingOptional } from '../../../.ci/complete-lock.mjs';

const lock = JSON.parse(readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8'));

test('package-lock.json names every optional package (else: node .ci/complete-lock.mjs)', () => {
  expect(missingOptional(lock)).toEqual([]);
});

test('what npm left out is added for its platform and no other', () => {
  const cut = {
    packages: {
      '': { name: 'x' },
      'node_modules/b': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: { 'b-linux-x64-musl': '1.0.0', a: '1.0.0' },
      },
      'node_modules/b/node_modules/a': { version: '1.0.0' },
    },
  };
  expect(completeLock(cut).packages['node_modules/b-linux-x64-musl']).toEqual({
    version: '1.0.0',
    os: ['linux'],
    cpu: ['x64'],
    libc: ['musl'],
    dev: true,
    optional: true,
  });
  expect(missingOptional(completeLock(cut))).toEqual([]);
});
