/** docker-compose.yml as Compose itself reads it, where one is installed; no engine is needed for that. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), 'spanwarden-compose-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, 'docker'));
copyFileSync(join(ROOT, 'docker/new-env.sh'), join(directory, 'docker/new-env.sh'));
const environmentFile = join(directory, 'docker/.env');

const sh = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: directory } });
const makeEnvironment = () => sh('sh', [join(directory, 'docker/new-env.sh')]);

test('docker/new-env.sh makes passwords that differ, for its owner alone, and never changes what is there', () => {
  expect(makeEnvironment().status).toBe(0);
  expect(statSync(environmentFile).mode & 0o777).toBe(0o600);
  const text = readFileSync(environmentFile, 'utf8');
  const secrets = [...text.matchAll(/^[A-Z_]+=([0-9a-f]{48})$/gm)].map(([, secret]) => secret);
  expect(new Set(secrets).size).toBe(6);
  const again = makeEnvironment();
  expect([again.status, again.stdout]).toEqual([0, expect.stringContaining('nothing was changed')]);
  expect(readFileSync(environmentFile, 'utf8')).toBe(text);
});

test('docker/new-env.sh adds to a file of an earlier release what it lacks, and keeps the rest', () => {
  const whole = readFileSync(environmentFile, 'utf8');
  // without an end of its last line, and a secret left empty
  const earlier = whole
    .replace(/^CONSOLE_TOKEN=.*\n/m, '')
    .replace(/^GRAFANA_PASSWORD=.*$/m, 'GRAFANA_PASSWORD=')
    .replace(/^TRUSTED_PROXIES=$/m, 'TRUSTED_PROXIES=10.0.0.0/8')
    .trimEnd();
  writeFileSync(environmentFile, earlier);
  try {
    const { status, stdout } = makeEnvironment();
    expect(status).toBe(0);
    expect(stdout.trimEnd()).toMatch(/completed with: GRAFANA_PASSWORD CONSOLE_TOKEN$/);
    const text = readFileSync(environmentFile, 'utf8');
    expect(text.startsWith(`${earlier}\n`)).toBe(true);
    expect(text.slice(earlier.length)).toMatch(
      /^\nGRAFANA_PASSWORD=[0-9a-f]{48}\n# [^\n]*\nCONSOLE_TOKEN=[0-9a-f]{48}\n$/,
    );
  } finally {
    writeFileSync(environmentFile, whole);
  }
});

const composes: readonly (readonly string[])[] = [['docker', 'compose'], ['docker-compose']];
const found = composes.find(([command, ...args]) => sh(command!, [...args, 'version']).status === 0);
if (found === undefined)
  console.warn('\n!!! SKIPPED: docker-compose.yml as Compose reads it: no docker compose is installed\n');

describe.skipIf(found === undefined)('docker compose config', () => {
  const config = (...args: string[]) => {
    const [command, ...first] = found!;
    return sh(command!, [...first, ...args, '--profile', 'demo', 'config']);
  };

  test('is content with the file', () => {
    const { status, stdout, stderr } = config('--env-file', environmentFile);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    for (const name of ['kafka', 'clickhouse', 'collector', 'trainer', 'detector', 'responder', 'grafana', 'shop'])
      expect(stdout).toMatch(new RegExp(`^ {2}${name}:$`, 'm'));
  });

  test('refuses to start without passwords, and says what to do', () => {
    const { status, stderr } = config();
    expect(status).not.toBe(0);
    expect(stderr).toContain('docker/new-env.sh');
  });
});
