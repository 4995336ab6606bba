// Adds to package-lock.json the optional packages of other platforms that npm left out: `node .ci/complete-lock.mjs`.
// npm drops an optional package that the registry at hand does not list, and `npm ci` then refuses the lock everywhere.
// The added entries have no integrity; they are only ever fetched on the platforms they are made for.
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../package-lock.json', import.meta.url);

/** Operating system, processor and C library from a name such as `@scope/cli-linux-x64-musl`; null when it tells none. */
function platformOf(name) {
  const found =
    /(android|darwin|freebsd|linux|openharmony|win32|windows)-(x64|arm64|arm|ia32|riscv64|ppc64|s390x|loong64)/.exec(
      name,
    );
  if (!found) return null;
  const [, os, cpu] = found;
  const libc =
    os !== 'linux' ? undefined : name.includes('musl') ? ['musl'] : /gnu|glibc/.test(name) ? ['glibc'] : undefined;
  return { os: [os === 'windows' ? 'win32' : os], cpu: [cpu], ...(libc ? { libc } : {}) };
}

/** Optional dependencies that no entry of the lock stands for: [name, version, whether for development only]. */
export function missingOptional(lock) {
  const missing = [];
  for (const [path, entry] of Object.entries(lock.packages))
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const places = [`node_modules/${name}`, `${path}/node_modules/${name}`];
      if (!places.some((place) => lock.packages[place])) missing.push({ name, version, dev: entry.dev === true });
    }
  return missing;
}

export function completeLock(lock) {
  const packages = { ...lock.packages };
  for (const { name, version, dev } of missingOptional(lock)) {
    const platform = platformOf(name);
    if (!platform || !/^\d/.test(version)) throw new Error(`cannot tell for which platform ${name}@${version} is`);
    packages[`node_modules/${name}`] = { version, ...platform, ...(dev ? { dev: true } : {}), optional: true };
  }
  const [[root, own], ...rest] = Object.entries(packages);
  rest.sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { ...lock, packages: Object.fromEntries([[root, own], ...rest]) };
}

if (import.meta.main ?? process.argv[1]?.endsWith('complete-lock.mjs')) {
  const lock = JSON.parse(readFileSync(FILE, 'utf8'));
  const missing = missingOptional(lock);
  if (missing.length > 0) writeFileSync(FILE, `${JSON.stringify(completeLock(lock), null, 2)}\n`);
  console.error(
    missing.length > 0 ? `added ${missing.map(({ name }) => name).join(', ')}` : 'package-lock.json is complete',
  );
}
