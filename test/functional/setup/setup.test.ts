/** setup.mjs in small checkouts of its own: what it says, and when it does nothing. */
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let root: string;
let cache: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'spanwarden-setup-test-'));
  cache = await mkdtemp(join(tmpdir(), 'spanwarden-setup-cache-'));
  await copyFile(new URL('../../../setup.mjs', import.meta.url), join(root, 'setup.mjs'));
});
afterEach(async () => {
  for (const directory of [root, cache]) await rm(directory, { recursive: true, force: true });
});

async function checkout(dependencies: Record<string, string>): Promise<void> {
  const own = { name: 'checkout', version: '1.0.0', dependencies };
  const packages: Record<string, unknown> = { '': own };
  for (const [name, version] of Object.entries(dependencies)) packages[`node_modules/${name}`] = { version };
  await writeFile(join(root, 'package.json'), JSON.stringify(own));
  await writeFile(
    join(root, 'package-lock.json'),
    JSON.stringify({ name: own.name, version: own.version, lockfileVersion: 3, requires: true, packages }),
  );
}

/** Nothing listens on port 1: every fetch fails at once. */
function setUp(...args: string[]): Promise<{ code: number | null; said: string }> {
  const env = { ...process.env, npm_config_registry: 'http://127.0.0.1:1/', npm_config_cache: cache };
  const child = spawn(process.execPath, ['setup.mjs', ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += `stdout: ${chunk}`;
  });
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}

test('says what it fetches and how much, installs, and says nothing the next time', async () => {
  await checkout({});
  const first = await setUp();
  expect(first.code).toBe(0);
  expect(first.said).toMatch(/^setup: installing .* about \d+ MB to fetch, \d+ MB on disk/);
  expect(first.said).not.toContain('stdout');
  expect(await setUp()).toEqual({ code: 0, said: '' });
});

test('a changed lock is installed again', async () => {
  await checkout({});
  await setUp();
  const lock = join(root, 'package-lock.json');
  await writeFile(lock, `${await readFile(lock, 'utf8')}\n`);
  await rm(join(root, 'node_modules/.package-lock.json'), { force: true });
  expect((await setUp()).code).toBe(0);
  expect(await setUp()).toEqual({ code: 0, said: '' });
});

test('without network it ends with one clear line, and will try again', async () => {
  await checkout({ 'no-such-package': '1.0.0' });
  const { code, said } = await setUp('--quiet');
  expect(code).toBe(1);
  expect(said.trim().split('\n')).toHaveLength(2);
  expect(said).toMatch(/\nsetup: no network: cannot reach the package registry http:\/\/127\.0\.0\.1:1;/);
  await expect(readFile(join(root, 'node_modules/.spanwarden-setup'))).rejects.toThrow('ENOENT');
});

test('two at once: one installs, the other waits and finds it done', async () => {
  await checkout({});
  const both = await Promise.all([setUp(), setUp()]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(both.filter(({ said }) => said.includes('installing'))).toHaveLength(1);
});

test('a lock left behind by a killed set-up is taken over', async () => {
  await checkout({});
  const { pid } = spawn(process.execPath, ['-e', '']);
  await setUp();
  await rm(join(root, 'node_modules'), { recursive: true, force: true });
  const { createHash } = await import('node:crypto');
  const { realpath } = await import('node:fs/promises');
  const id = createHash('sha256')
    .update(await realpath(root))
    .digest('hex')
    .slice(0, 16);
  const file = join(tmpdir(), `spanwarden-setup-${process.getuid?.() ?? 0}-${id}.lock`);
  await writeFile(file, String(pid));
  const { code, said } = await setUp();
  expect(code).toBe(0);
  expect(said).toContain('installing');
  expect((await readdir(tmpdir())).filter((name) => name.includes(id))).toEqual([]);
});
