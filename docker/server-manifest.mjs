// Takes out of package.json and package-lock.json, in the folder it runs in, what a server image does without: the embedded
// ClickHouse (544 MB), the TensorFlow.js that no role uses (95 MB), and the Node of checkouts. `npm ci --omit=optional` would not do: the compiler's binary is optional too.
import { readFileSync, writeFileSync } from 'node:fs';

const WITHOUT = [
  '@chdb/lib-linux-x64-gnu',
  'ffi-rs',
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-layers',
];
/** Packages that only they bring. */
const THEIRS = [
  /^node_modules\/(@chdb|@yuuang)\/|^node_modules\/ffi-rs$/,
  /^node_modules\/@tensorflow\/|^node_modules\/@types\/(emscripten|long|offscreencanvas|seedrandom)$|^node_modules\/@webgpu\/types$/,
  /^node_modules\/(node-fetch|seedrandom|tr46|webidl-conversions|whatwg-url)$/,
  /^node_modules\/(node-(linux|darwin)-|spanwarden-node$)|^\.ci\/node$/,
];

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const write = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

function without(manifest) {
  const { workspaces, optionalDependencies = {}, ...rest } = manifest;
  const kept = Object.entries(optionalDependencies).filter(([name]) => !WITHOUT.includes(name));
  return kept.length === 0 ? rest : { ...rest, optionalDependencies: Object.fromEntries(kept) };
}

const lock = read('package-lock.json');
const packages = Object.entries(lock.packages).filter(([path]) => !THEIRS.some((theirs) => theirs.test(path)));
write('package.json', without(read('package.json')));
write('package-lock.json', {
  ...lock,
  packages: Object.fromEntries(packages.map(([path, entry]) => [path, path === '' ? without(entry) : entry])),
});
