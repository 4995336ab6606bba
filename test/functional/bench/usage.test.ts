/** Every command of package.json that measures says how it is used, and refuses what it does not know, before it does anything. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { scripts: Record<string, string> };
const commands = Object.entries(scripts).flatMap(([name, script]) => {
  const words = /env node (.*)$/.exec(script)?.[1]?.split(' ');
  return /^(bench|kafka|test:package)/.test(name) && words !== undefined ? [{ name, words }] : [];
});

const run = (words: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, words, { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });

describe.each(commands)('npm run $name', ({ name, words }) => {
  it('--help tells how it is used', async () => {
    const { code, stdout, stderr } = await run([...words, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^usage: npm run ${name} `));
  });

  it('with an option that it does not have is refused in a line', async () => {
    const { code, stdout, stderr } = await run([...words, '--nope']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^Unknown option '--nope'.*\n--help tells more\n$/);
  });
});

it('there are five', () => expect(commands).toHaveLength(5));
