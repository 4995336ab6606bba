/** `train` and `score` from the command line on every format, told by content or by --format. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { jsonToTracesData } from '../../schemas/otlp/json.ts';
import { datasetFile } from '../functional/datasets-directory.ts';
import { otlpLines } from '../functional/offline/otlp-lines.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-formats-e2e-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
const fixture = (name: string): string => join(import.meta.dirname, '../functional/offline/formats', name);
const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR };

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const run = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, ['cli/spanwarden.ts', ...args], { env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });

/** The same with something on standard input. */
async function runWith(input: Buffer, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['cli/spanwarden.ts', ...args], { env });
  child.stdin.end(input);
  const code = new Promise<number>((resolve) => child.on('close', (ended) => resolve(ended ?? -1)));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, out, err };
}

const line = otlpLines({ seed: 1, traces: 2, startMs: 1_750_000_000_000 })[0]!;
const body = Buffer.from(jsonToTracesData(line).bytes);
const length = Buffer.alloc(4);
length.writeUInt32BE(body.length);
writeFileSync(at('traces.jsonl'), `${line}\n`);
writeFileSync(at('traces.bin'), Buffer.concat([length, body]));

describe.each([
  ['OTLP lines', at('traces.jsonl'), 'otlp', 2],
  ['OTLP messages', at('traces.bin'), 'otlp', 2],
  ['Jaeger', fixture('jaeger.json'), 'jaeger', 2],
  ['Zipkin', fixture('zipkin.json'), 'zipkin', 2],
  ['Zipkin lines', fixture('zipkin.jsonl'), 'zipkin', 2],
])('%s', (_, input, format, traces) => {
  test('is learned and scored, one line a trace', async () => {
    const trained = await run('train', input, '--out', at('baseline.gz'));
    expect(trained).toMatchObject({ code: 0, err: expect.stringContaining(`${traces} of ${traces} traces learned`) });
    expect(trained.err).not.toContain('passed over');
    const scored = await run(
      'score',
      '--baseline',
      at('baseline.gz'),
      input,
      '--format',
      format,
      '--out',
      at('scores'),
    );
    expect(scored).toMatchObject({ code: 0, err: expect.stringContaining(`${traces} traces`) });
    const ids = readFileSync(at('scores'), 'utf8')
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one).traceId);
    expect(new Set(ids).size).toBe(traces);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });
});

test('standard input is told by its content too', async () => {
  const trained = await runWith(readFileSync(fixture('zipkin.json')), 'train', '-', '--out', at('stdin.gz'));
  expect(trained).toMatchObject({ code: 0, err: expect.stringContaining('2 of 2 traces learned') });
});

test('what cannot be read is counted and told with its place; the rest is learned', async () => {
  const jaeger = JSON.parse(readFileSync(fixture('jaeger.json'), 'utf8'));
  jaeger.data[0].spans[1].spanID = 'none';
  jaeger.data.splice(1, 0, { oops: true });
  writeFileSync(at('bad.json'), JSON.stringify(jaeger, undefined, 1));
  const { code, err } = await run('train', at('bad.json'), '--out', at('bad.gz'));
  expect(code).toBe(0);
  expect(err).toContain('2 of 2 traces learned');
  expect(err).toContain('passed over: 1 lines or elements, 1 spans');
  expect(err).toMatch(/bad\.json: element 1 at byte \d+: span 2: no valid spanID/);
  expect(err).toMatch(/bad\.json: element 2 at byte \d+: no trace/);
});

test('a format that is none, and one that the input has not', async () => {
  expect(await run('train', fixture('jaeger.json'), '--format', 'xml', '--out', at('x.gz'))).toMatchObject({
    code: 2,
    err: expect.stringContaining('--format takes otlp, jaeger, zipkin'),
  });
  const wrong = await run(
    'score',
    '--baseline',
    at('baseline.gz'),
    fixture('jaeger.json'),
    '--format',
    'zipkin',
    '--out',
    at('y'),
  );
  expect(wrong).toMatchObject({ code: 0, err: expect.stringContaining('no valid traceId') });
});

const samples = ['jaeger-ui.json', 'zipkin-1040-spans.json', 'otlp-trace.json'].map((name) =>
  datasetFile(`samples/${name}`, `train and score on ${name}`),
);
test.skipIf(samples.includes(undefined))('samples of other projects are learned and scored', async () => {
  for (const sample of samples) {
    expect(await run('train', sample!, '--out', at('sample.gz'))).toMatchObject({
      code: 0,
      err: expect.stringContaining('1 of 1 traces learned'),
    });
    const scored = await run('score', '--baseline', at('sample.gz'), sample!, '--out', '-');
    expect(scored.code).toBe(0);
    expect(scored.out.trim().split('\n')).toHaveLength(1);
  }
});
