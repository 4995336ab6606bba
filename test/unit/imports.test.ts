/** Every file keeps to the folder table of the architecture; and the rules do catch what breaks them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { importsOf, MAY_IMPORT, violations } from './import-rules.ts';

const ROOT = join(import.meta.dirname, '../..');

function sources(folder: string): string[] {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(m?ts|mjs)$/.test(entry.name))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
      .filter((file) => !file.includes('node_modules/'));
  } catch {
    return []; // a role that does not exist yet
  }
}

test.each(Object.keys(MAY_IMPORT))('%s imports what it may, and is pure where it must be', (folder) => {
  const broken = sources(folder).flatMap((file) => violations(file, readFileSync(join(ROOT, file), 'utf8')));
  expect(broken).toEqual([]);
});

test('there is source to look at', () => {
  for (const folder of ['schemas', 'traces', 'baseline', 'runtime']) expect(sources(folder).length).toBeGreaterThan(5);
});

test('imports are found in every form', () => {
  const source = `
    import { a } from './a.ts';
    import type { B } from "../b.ts";
    import './side-effect.ts';
    export * from './c.ts';
    const d = await import('./d.ts');
    import {
      e,
    } from './e.ts';
    type F = import('./f.ts').F;
    const words = of === 'learned' ? ', may have been learned from' : '';
    // import './commented.ts';
    /* import './out.ts'; */`;
  expect(importsOf(source)).toEqual(['./a.ts', '../b.ts', './side-effect.ts', './c.ts', './d.ts', './e.ts', './f.ts']);
});

test.each([
  ['traces/a.ts', "import { x } from '../runtime/log/port.ts';", 'may not import runtime/log/port.ts'],
  ['traces/a.ts', "import { x } from '../baseline/model.ts';", 'may not import baseline/model.ts'],
  ['schemas/log/a.ts', "import type { x } from '../../traces/segment.ts';", 'may not import traces/segment.ts'],
  ['responder/service.ts', "import { x } from '../baseline/model.ts';", 'may not import baseline/model.ts'],
  ['runtime/a.ts', "import { x } from '../collector/main.ts';", 'may not import collector/main.ts'],
  ['responder/incidents/keeper.ts', "import { x } from '../service.ts';", 'may do I/O'],
  ['responder/actors/kept/a.ts', "import { x } from '../judging/telling.ts';", 'lies left of it'],
  ['baseline/a.ts', "import { readFileSync } from 'node:fs';", 'not known to be free of I/O'],
  ['baseline/a.ts', "import { setTimeout } from 'node:timers/promises';", 'not known to be free of I/O'],
  ['baseline/a.ts', "import fs from 'fs';", 'not known to be free of I/O'],
  ['traces/a.ts', "import { request } from 'undici';", 'not known to be free of I/O'],
  ['traces/a.ts', 'const now = Date.now();', 'reads the clock'],
  ['traces/a.ts', 'const now = new Date();', 'reads the clock'],
  ['traces/a.ts', 'const now = performance.now();', 'reads the clock'],
  ['baseline/a.ts', 'const x = Math.random();', 'rolls dice'],
  ['baseline/a.ts', 'setTimeout(() => {}, 1);', 'waits'],
  ['detector/a.ts', 'const x = process.env.HOME;', 'reads process.env'],
  ['elsewhere/a.ts', '', 'not in the table'],
])('%s with %s is caught', (file, source, what) => {
  expect(violations(file, source)).toEqual([expect.stringContaining(what)]);
});

test.each([
  ['traces/a.ts', "import { x } from '../schemas/otlp/cursor.ts';"],
  ['baseline/match/a.ts', "import { x } from '../../traces/segment.ts';"],
  ['baseline/a.ts', "import { SpanwardenError } from '../runtime/errors.ts';"],
  ['baseline/a.ts', "import { createHash } from 'node:crypto';"],
  ['traces/a.ts', 'const day = new Date(appendMs);'],
  ['baseline/a.ts', "const words = ['from', 'join'];"],
  ['traces/a.ts', "/** Never Date.now(). */ const name = 'process.runtime.name'; // Math.random()"],
  ['runtime/config/environment.ts', 'const x = process.env;'],
  ['detector/a.ts', 'const now = Date.now();'],
])('%s with %s is fine', (file, source) => {
  expect(violations(file, source)).toEqual([]);
});
