// Builds what the package holds into dist/: `npm run build`. Node strips no types under node_modules, so an installed
// Spanwarden must be JavaScript: tsc's, unbundled, file by file, comments kept, one target (Node 24), so that a stack trace
// names a file that can be read; hence no source maps. Files that are read at run time (SQL, JSON, …) go along.
// --no-check where not all packages are installed, as in an image: types are checked elsewhere.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PROJECT = join(ROOT, '.ci/tsconfig.build.json');
/** Folders whose files are the product: those of the compiler's configuration. */
export const FOLDERS = JSON.parse(readFileSync(PROJECT, 'utf8')).include.map((glob) => glob.split('/')[1]);
/** The command: checks Node's version before anything is loaded that an old one cannot read. */
const COMMAND = 'cli/bin.mjs';

const unchecked = process.argv.includes('--no-check');

const filesBelow = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

function compile(out) {
  const types = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const args = [join(types, 'bin/tsc'), '-p', PROJECT, '--outDir', out, ...(unchecked ? ['--noCheck'] : [])];
  const done = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (done.status !== 0) throw new Error(`tsc ended with ${done.status ?? done.signal}`);
}

/** Everything in the product's folders that is neither source nor for its readers. */
function copyData(out) {
  for (const folder of FOLDERS)
    for (const file of filesBelow(join(ROOT, folder))) {
      if (/\.(ts|md)$/.test(file)) continue;
      const target = join(out, relative(ROOT, file));
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(file, target);
    }
  chmodSync(join(out, COMMAND), 0o755);
}

/**
 * Paths of files that are found beside the asking one at run time (processes, threads, SQL): the compiler sees plain
 * texts, so nobody else notices when one is missing. `./x.ts` must be there as `./x.js`, whatever turns the one into the other.
 */
export function missingFiles(out) {
  const missing = [];
  for (const file of filesBelow(out)) {
    if (!/\.m?js$/.test(file)) continue;
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/[^\n]*/gm, '');
    for (const [, , path] of code.matchAll(/(['"`])(\.{1,2}\/[^'"`\n$]+)\1/g)) {
      if (!/\.\w+$/.test(path) && !path.endsWith('/')) continue;
      const target = fileURLToPath(new URL(path.replace(/\.ts$/, '.js'), pathToFileURL(file)));
      if (!existsSync(target)) missing.push(`${relative(out, file)}: ${path}`);
    }
  }
  return missing;
}

function build() {
  // beside its place until it is whole: a build that fails leaves the last one
  const out = join(ROOT, 'node_modules/.cache', `spanwarden-build-${process.pid}`);
  const place = join(ROOT, 'dist');
  try {
    compile(out);
    copyData(out);
    const missing = missingFiles(out);
    if (missing.length > 0) throw new Error(`read at run time, not in the build:\n  ${missing.join('\n  ')}`);
    rmSync(place, { recursive: true, force: true });
    renameSync(out, place);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url))
  try {
    build();
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
