/** `spanwarden check` on files: generated traffic always, real data where it is at hand. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateTraffic, type TrafficOptions } from '../../../datasets/generated/traffic.ts';
import { tracesJson } from '../../../datasets/load/otlp-json.ts';
import type { CheckReport } from '../../../detector/check/report.ts';
import { datasetFile } from '../datasets-directory.ts';
import { spanwarden } from './command.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-check-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);

function writeTraffic(name: string, options: TrafficOptions): string {
  const lines = Array.from(generateTraffic(options), ({ record }) => JSON.stringify(tracesJson(Buffer.from(record))));
  writeFileSync(at(name), gzipSync(lines.join('\n'), { level: 1 }));
  return at(name);
}

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 2, 2, 8);

describe('generated traffic', () => {
  const baseline = at('baseline.gz');
  let next: string;
  beforeAll(async () => {
    const learned = writeTraffic('learned.jsonl.gz', { seed: 1, traces: 3_000, startMs: START_MS });
    next = writeTraffic('next.jsonl.gz', { seed: 2, traces: 1_000, startMs: START_MS + DAY_MS });
    expect((await spanwarden('train', learned, '--out', baseline)).code).toBe(0);
  });

  it('like what was learned passes, and the report says what it rests on', async () => {
    const { code, out, err } = await spanwarden(
      ...['check', '--baseline', baseline, '--input', next, '--each', '20', '--json'],
    );
    const report = JSON.parse(out) as CheckReport;
    expect({ code, failures: report.failures, err }).toEqual({ code: 0, failures: [], err: expect.any(String) });
    expect(report.outcome).toBe('passed');
    expect(report.withoutMatch).toBe(0);
    expect(report.traffic.from).toMatch(/^2026-03-03T08:00/);
    expect(report.kinds.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['missing', 'foreign', 'attack: sql']));
    for (const { recall } of report.kinds.filter(({ kind }) => /foreign|new destination/.test(kind)))
      expect(recall.verdict).toBeGreaterThan(0.5);
  });

  it('of another system fails, each reason in one line with the way out', async () => {
    const other = writeTraffic('other.jsonl.gz', {
      ...{ seed: 3, traces: 1_000, startMs: START_MS + DAY_MS },
      contamination: { share: 0.5, shape: 'uniform' },
    });
    const { code, out } = await spanwarden('check', '--baseline', baseline, '--input', other, '--each', '5');
    expect(code).toBe(3);
    const [first, ...lines] = out.split('\n');
    expect(first).toMatch(/^FAILED: version [0-9a-f]+ is not to be trusted on this traffic$/);
    const reasons = lines.slice(0, lines.indexOf(''));
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons)
      expect(reason).toMatch(/^ {2}(match|ties|ranking|rate|drowning|observe|rules): .+; .+/);
    expect(out).toContain('too many to be taken for real anomalies');
  });

  it('too little of it is neither a pass nor a failure', async () => {
    const few = writeTraffic('few.jsonl.gz', { seed: 4, traces: 50, startMs: START_MS + DAY_MS });
    const { code, out } = await spanwarden('check', '--baseline', baseline, '--input', few);
    expect(code).toBe(1);
    expect(out).toMatch(/^NOT ENOUGH to judge version/);
    expect(out).toMatch(/whole requests were found; to say anything it takes 1000/);
  });

  it('more than asked for is sampled', async () => {
    const { out } = await spanwarden(
      ...['check', '--baseline', baseline, '--input', next, '--segments', '1000', '--each', '5', '--json'],
    );
    const { traffic } = JSON.parse(out) as CheckReport;
    expect(traffic.sampled).toBe(1_000);
    expect(traffic.segments).toBeGreaterThan(1_000);
  });
});

describe('wrong use', () => {
  it.each([
    ['files without --input', ['check', 'x.jsonl'], 2, /files go behind --input/],
    ['--input alone', ['check', '--input', 'x.jsonl'], 2, /--input needs --baseline/],
    ['a time without a unit', ['check', '--since', '5'], 2, /--since takes a time such as/],
    ['a baseline that is not there', ['check', '--baseline', at('none'), '--input', at('none')], 1, /none/],
  ] as const)('%s is one line and an exit code', async (_, args, code, line) => {
    const said = await spanwarden(...args);
    expect(said.code).toBe(code);
    expect(said.err).toMatch(line);
    expect(said.out).toBe('');
  });

  it('--help tells the exit codes', async () => {
    const { code, out } = await spanwarden('check', '--help');
    expect(code).toBe(0);
    expect(out).toMatch(/exit codes: 0 passed · 1 could not be checked.*· 3 failed/);
  });
});

/** Only what the labels call normal. */
function cleanOf(test: string, labels: string, name: string): string {
  const normal = new Set(
    readFileSync(labels, 'utf8')
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([, label]) => label === '0')
      .map(([traceId]) => traceId!),
  );
  interface Line {
    resourceSpans: { scopeSpans: { spans: { traceId: string }[] }[] }[];
  }
  const lines = gunzipSync(readFileSync(test))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { resourceSpans } = JSON.parse(line) as Line;
      for (const { scopeSpans } of resourceSpans)
        for (const scope of scopeSpans) scope.spans = scope.spans.filter(({ traceId }) => normal.has(traceId));
      return JSON.stringify({ resourceSpans });
    });
  writeFileSync(at(name), gzipSync(lines.join('\n'), { level: 1 }));
  return at(name);
}

describe('real data', () => {
  for (const name of ['ob-dev', 'httpparams']) {
    const what = `spanwarden check on ${name}`;
    const train = datasetFile(`${name}.train.jsonl.gz`, what);
    const test = datasetFile(`${name}.test.jsonl.gz`, what);
    const labels = datasetFile(`${name}.test.labels.tsv`, what);
    it.skipIf(train === undefined || test === undefined || labels === undefined)(
      `${name}: a version learned from its clean part claims nothing too often on its other clean traffic`,
      async () => {
        const baseline = at(`${name}.gz`);
        expect((await spanwarden('train', train!, '--out', baseline)).code).toBe(0);
        const { out } = await spanwarden(
          ...['check', '--baseline', baseline, '--input', cleanOf(test!, labels!, `${name}.jsonl.gz`), '--json'],
        );
        const report = JSON.parse(out) as CheckReport;
        // how close the rate is to what is promised is for the benches of detection; that nothing is claimed too often, for this one
        expect(report.failures.filter(({ reason }) => !reason.includes('under half'))).toEqual([]);
        expect(report.outcome).not.toBe('not enough');
        expect(report.withoutMatch).toBe(0);
        expect(report.ranking.auroc).toBeGreaterThan(0.9);
      },
    );
  }
});
