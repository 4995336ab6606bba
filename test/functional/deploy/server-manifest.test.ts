/** What a server image installs: all that the package needs, and nothing that only what it leaves out would bring. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url).pathname;

type Names = Readonly<Record<string, string>>;
interface Entry {
  readonly dependencies?: Names;
  readonly devDependencies?: Names;
  readonly optionalDependencies?: Names;
  readonly peerDependencies?: Names;
}
interface Lock {
  readonly packages: Readonly<Record<string, Entry>>;
}

/** Where Node finds a package from within another. */
function placeOf(packages: Lock['packages'], from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const place = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (packages[place] !== undefined) return place;
    if (at === '') return undefined;
  }
}

test('the manifest of the server image', () => {
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-manifest-'));
  try {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(ROOT, file), join(directory, file));
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'docker/server-manifest.mjs')], {
      cwd: directory,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    const read = <T>(file: string): T => JSON.parse(readFileSync(join(directory, file), 'utf8')) as T;
    const manifest = read<Entry>('package.json');
    const { packages } = read<Lock>('package-lock.json');
    expect(packages['']).toMatchObject({ dependencies: manifest.dependencies });
    expect([manifest.optionalDependencies, packages['']!.optionalDependencies]).toEqual([undefined, undefined]);

    const reached = new Set<string>();
    const open = [''];
    const missing: string[] = [];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (reached.has(at)) continue;
      reached.add(at);
      const { dependencies, devDependencies, optionalDependencies, peerDependencies } = packages[at]!;
      for (const name of Object.keys(dependencies ?? {}))
        if (placeOf(packages, at, name) === undefined) missing.push(`${name}, which ${at} needs`);
      const all = { ...dependencies, ...optionalDependencies, ...peerDependencies, ...(at === '' && devDependencies) };
      for (const name of Object.keys(all)) {
        const place = placeOf(packages, at, name);
        if (place !== undefined) open.push(place);
      }
    }
    expect(missing).toEqual([]);
    expect(Object.keys(packages).filter((place) => !reached.has(place))).toEqual([]);
    expect(Object.keys(packages).filter((place) => /tensorflow|chdb|ffi-rs/.test(place))).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
