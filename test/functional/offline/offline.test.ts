import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLearners } from '../../../baseline/all-learners.ts';
import { createOfflineIncidents } from '../../../cli/offline/incidents.ts';
import { scoreFiles } from '../../../detector/offline.ts';
import { readLines } from '../../../runtime/files/lines.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { trainFiles } from '../../../trainer/offline.ts';
import { otlpLines, traceIdOf } from './otlp-lines.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-offline-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
const T0 = 1_750_000_000_000;
const config = configSchema.parse({});
const assembly = assemblySection.parse({});

const kit = () => {
  const { symbols, reader, segment } = createReadingKit(config);
  return {
    learners: createLearners({ hashKey: '' }),
    symbols,
    segment,
    spare: createSegment(symbols),
    read: reader.read,
    createAssembler: (given: typeof assembly, sink: Parameters<typeof createAssembler>[1]['sink']) =>
      createAssembler(given, { sink }),
  };
};

const train = (inputs: readonly string[], out: string) =>
  trainFiles(inputs, { out, learning: learningSection.parse({ profile: 'export' }), assembly }, kit());

const score = (inputs: readonly string[], baseline: string, out: string, incidents?: string, alpha?: number) =>
  scoreFiles(
    inputs,
    { baseline, out, assembly, ...(incidents && { incidents }), ...(alpha && { alpha }) },
    { ...kit(), incidents: createOfflineIncidents(config.incidents) },
  );

const parsed = <T>(path: string): T[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

interface ScoreLine {
  readonly traceId: string;
  readonly score: number;
  readonly p: number;
  readonly anomalous: boolean;
  readonly match: { readonly text: string; readonly family: string };
  readonly client: { readonly address: string | null };
  readonly findings: readonly { readonly kind: string; readonly hard: boolean; readonly candidate: boolean }[];
}

const coded = (code: string, message?: RegExp) =>
  expect.objectContaining({ code, ...(message && { message: expect.stringMatching(message) }) });

describe('offline train and score', () => {
  const learned = otlpLines({ seed: 1, traces: 3_000, startMs: T0 });
  const odd = { 50: 'slow', 150: 'foreign', 250: 'injection' } as const;
  const fresh = otlpLines({ seed: 2, traces: 400, startMs: T0 + 400_000, odd });

  beforeAll(async () => {
    writeFileSync(at('learn.jsonl'), `${learned.join('\n')}\n`);
    writeFileSync(at('learn.jsonl.gz'), gzipSync(`${learned.join('\n')}\n`));
    writeFileSync(at('learn.jsonl.zst'), zstdCompressSync(learned.join('\n')));
    writeFileSync(at('fresh.jsonl.gz'), gzipSync(fresh.join('\n')));
    await train([at('learn.jsonl')], at('baseline.gz'));
  });

  it('learns every trace of the file', async () => {
    const summary = await train([at('learn.jsonl.gz')], at('counted.gz'));
    expect(summary).toMatchObject({
      traces: 3_000,
      tracesLearned: 3_000,
      segments: 3_000,
      calibrated: 3_000,
      unreadable: 0,
    });
    expect(summary.counts).toMatchObject({ lines: 300, spans: 12_000, malformedLines: 0, rejectedSpans: 0 });
    expect(summary.alerting).toBe(true);
  });

  it('makes the same baseline of the same input, plain, gzip or zstd', async () => {
    const reference = gunzipSync(readFileSync(at('baseline.gz')));
    for (const input of ['learn.jsonl', 'learn.jsonl.gz', 'learn.jsonl.zst']) {
      await train([at(input)], at('again.gz'));
      expect(gunzipSync(readFileSync(at('again.gz'))).equals(reference), input).toBe(true);
    }
  });

  it('writes one line a trace, the odd ones first by score, each with the match line and the client', async () => {
    const summary = await score([at('fresh.jsonl.gz')], at('baseline.gz'), at('scores.ndjson'), at('incidents.ndjson'));
    const lines = parsed<ScoreLine>(at('scores.ndjson'));
    expect(summary).toMatchObject({ traces: 400, segments: 400, unreadable: 0, afterwards: 0 });
    expect(new Set(lines.map(({ traceId }) => traceId)).size).toBe(400);
    const ranked = [...lines].sort((a, b) => b.score - a.score).map(({ traceId }) => traceId);
    expect(new Set(ranked.slice(0, 3))).toEqual(new Set([50, 150, 250].map((i) => traceIdOf(2, i))));

    const of = (i: number): ScoreLine => lines.find(({ traceId }) => traceId === traceIdOf(2, i))!;
    for (const i of [50, 150, 250]) expect(of(i)).toMatchObject({ anomalous: true });
    expect(of(50).findings.some((f) => f.kind === 'self-time' && f.candidate)).toBe(true);
    expect(of(150).findings.some((f) => f.kind === 'service-pair' && f.hard)).toBe(true);
    expect(of(250).findings.some((f) => f.kind === 'attack-pattern' && f.hard)).toBe(true);
    for (const line of lines) {
      expect(line.match.text).toMatch(
        /^similarity [\d.]+ to '.+' \(baseline ≥ [\d.]+, learned from [\d,]+\), deviation [\d.]+×/,
      );
      expect(line.client.address).toMatch(/^203\.0\.113\./);
    }
    expect(lines.filter(({ anomalous }) => anomalous).length).toBeLessThanOrEqual(6);

    const incidents = parsed<Record<string, unknown>>(at('incidents.ndjson'));
    expect(incidents.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['self-time', 'service-pair', 'attack-pattern']),
    );
    const slow = incidents.find(({ kind }) => kind === 'self-time')!;
    expect(Date.parse(slow.start as string)).toBeGreaterThanOrEqual(T0 + 400_000 + 5_000);
    expect(slow).toMatchObject({ class: 'security', service: 'shop', traces: 1, disposition: 'alert' });
  });

  it('lists the clients of a batch, of whom nobody alone is named', async () => {
    const spansOf = (line: string): { traceId: string; spanId: string; name: string; attributes: unknown }[] =>
      JSON.parse(line).resourceSpans[0].scopeSpans[0].spans;
    const entries = spansOf(fresh[0]!).filter(({ name }) => name === 'GET /item');
    const producers = entries.slice(0, 3).map(({ traceId, spanId }) => ({ traceId, spanId }));
    const ms = T0 + 400_000 + 2_000;
    const batch = {
      traceId: 'ba'.repeat(16),
      spanId: 'ba'.repeat(8),
      name: 'process items',
      kind: 5,
      startTimeUnixNano: `${ms}000000`,
      endTimeUnixNano: `${ms + 5}000000`,
      links: producers,
    };
    const service = { key: 'service.name', value: { stringValue: 'worker' } };
    const worker = { resource: { attributes: [service] }, scopeSpans: [{ scope: {}, spans: [batch] }] };
    const line = JSON.stringify({ resourceSpans: [worker] });
    writeFileSync(at('batch.jsonl'), [...fresh.slice(0, 3), line, ...fresh.slice(3)].join('\n'));
    await score([at('batch.jsonl')], at('baseline.gz'), at('batch.ndjson'));
    const lines = parsed<ScoreLine & { readonly origins?: readonly ScoreLine['client'][] }>(at('batch.ndjson'));
    const of = (id: string) => lines.find(({ traceId }) => traceId === id)!;
    const clients = producers.map(({ traceId }) => of(traceId).client.address);
    expect(new Set(clients).size).toBe(3);
    expect(of(batch.traceId)).toMatchObject({ client: { address: null, reason: 'several-origins' } });
    expect(of(batch.traceId).origins?.map(({ address }) => address)).toEqual(clients);
    expect(of(producers[0]!.traceId)).not.toHaveProperty('origins');
  });

  it('gives the same scores for the same input', async () => {
    await score([at('fresh.jsonl.gz')], at('baseline.gz'), at('a.ndjson'));
    await score([at('fresh.jsonl.gz')], at('baseline.gz'), at('b.ndjson'));
    expect(readFileSync(at('a.ndjson')).equals(readFileSync(at('b.ndjson')))).toBe(true);
  });

  it('takes alpha from the command line in place of the baseline', async () => {
    const usual = await score([at('fresh.jsonl.gz')], at('baseline.gz'), at('alpha.ndjson'));
    const wide = await score([at('fresh.jsonl.gz')], at('baseline.gz'), at('alpha.ndjson'), undefined, 0.1);
    expect(wide.anomalous).toBeGreaterThan(usual.anomalous);
    for (const { p, anomalous } of parsed<ScoreLine>(at('alpha.ndjson'))) expect(anomalous).toBe(p <= 0.1);
  });

  it('passes over lines that are no traces, and says which', async () => {
    writeFileSync(at('mixed.jsonl'), ['', '{broken', '[]', ...fresh.slice(0, 3), '{}', ''].join('\n'));
    const summary = await score([at('mixed.jsonl')], at('baseline.gz'), at('mixed.ndjson'));
    expect(summary.traces).toBe(30);
    expect(summary.counts.malformedLines).toBe(2);
    expect(summary.counts.problems[0]).toContain('mixed.jsonl:2');
  });

  it('refuses a baseline that is cut short, altered, of another schema or none at all', async () => {
    const whole = gunzipSync(readFileSync(at('baseline.gz'))).toString();
    const refused = async (name: string, content: string | Buffer, code: string, message?: RegExp) => {
      writeFileSync(at(name), content);
      await expect(score([at('fresh.jsonl.gz')], at(name), at('none.ndjson'))).rejects.toEqual(coded(code, message));
    };
    await refused('cut.jsonl', whole.slice(0, whole.length / 2), 'BASELINE_DAMAGED');
    await refused('line.jsonl', whole.split('\n').toSpliced(7, 1).join('\n'), 'BASELINE_DAMAGED');
    await refused('cut.gz', readFileSync(at('baseline.gz')).subarray(0, 2_000), 'BASELINE_DAMAGED');
    await refused('other.jsonl', whole.replace('"schema":2', '"schema":1'), 'BASELINE_SCHEMA', /schema 1.*schema 2/);
    await refused('traces.jsonl', fresh[0]!, 'BASELINE_DAMAGED');
    await expect(score([at('fresh.jsonl.gz')], at('missing.gz'), at('none.ndjson'))).rejects.toEqual(
      coded('INPUT_UNREADABLE', /no such file/),
    );
    expect(readdirSync(directory).filter((name) => name.startsWith('none') || name.endsWith('.part'))).toEqual([]);
  });

  it('says in one line what is wrong with an input, and leaves no half-written file', async () => {
    writeFileSync(at('cut.jsonl.gz'), readFileSync(at('fresh.jsonl.gz')).subarray(0, 3_000));
    await expect(train([at('cut.jsonl.gz')], at('never.gz'))).rejects.toEqual(
      coded('INPUT_UNREADABLE', /damaged or cut short/),
    );
    await expect(train([directory], at('never.gz'))).rejects.toEqual(coded('INPUT_UNREADABLE', /directory/));
    writeFileSync(at('empty.jsonl'), '');
    await expect(train([at('empty.jsonl')], at('never.gz'))).rejects.toEqual(coded('INPUT_UNREADABLE', /no spans/));
    expect(readdirSync(directory).filter((name) => name.startsWith('never'))).toEqual([]);
  });

  it('learns a file of a few traces without alerting on anything', async () => {
    writeFileSync(at('few.jsonl'), otlpLines({ seed: 3, traces: 3, startMs: T0 }).join('\n'));
    const summary = await train([at('few.jsonl')], at('few.gz'));
    expect(summary).toMatchObject({ traces: 3, tracesLearned: 3, alerting: false });
    expect(summary.learning.length).toBeGreaterThan(0);
    expect((await score([at('few.jsonl')], at('few.gz'), at('few.ndjson'))).anomalous).toBe(0);
  });
});

describe('lines of files', () => {
  const lines = async (inputs: readonly string[], stdin?: Readable): Promise<string[]> => {
    const found: string[] = [];
    for await (const { text } of readLines(inputs, { ...(stdin && { stdin }) })) found.push(text);
    return found;
  };

  it('reads plain, gzip, zstd and standard input alike, whatever the chunks', async () => {
    const text = `one\r\ntwo ünïcode ${'x'.repeat(300_000)}\n\nlast`;
    const expected = ['one', `two ünïcode ${'x'.repeat(300_000)}`, '', 'last'];
    writeFileSync(at('l.jsonl'), text);
    writeFileSync(at('l.gz'), gzipSync(text));
    writeFileSync(at('l.zst'), zstdCompressSync(text));
    for (const name of ['l.jsonl', 'l.gz', 'l.zst']) expect(await lines([at(name)]), name).toEqual(expected);
    const bytes = Buffer.from(text);
    const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(7 * i, 7 * i + 7));
    expect(await lines(['-'], Readable.from(chunks))).toEqual(expected);
    expect(await lines([at('l.gz'), at('l.jsonl')])).toEqual([...expected, ...expected]);
  });

  it('stops when told to', async () => {
    const aborted = AbortSignal.abort();
    await expect(async () => {
      for await (const _ of readLines([at('l.gz')], { signal: aborted }));
    }).rejects.toEqual(coded('STOPPED'));
  });
});
