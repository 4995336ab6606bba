/** `train` and `score` on files of other formats: the same requests give the same baseline, whatever they are written in. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { createLearners } from '../../../baseline/all-learners.ts';
import type { Format } from '../../../datasets/import/detect.ts';
import { createTraceFiles, type ImportOptions, readParts } from '../../../datasets/import/files.ts';
import { createFileCounts, type FileCounts, type TracesPart } from '../../../runtime/files/trace-records.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { jsonToTracesData } from '../../../schemas/otlp/json.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { type TrainSummary, trainFiles } from '../../../trainer/offline.ts';
import { type TracesData, toJaeger, toZipkin } from '../../unit/datasets/import/exporters.ts';
import { decoded, spansOf, startsOf } from '../../unit/datasets/import/spans.ts';
import { datasetFile } from '../datasets-directory.ts';
import { otlpLines } from './otlp-lines.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-formats-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
const fixture = (name: string): string => join(import.meta.dirname, 'formats', name);

const T0 = 1_750_000_000_000;
const TRACES = 1_000;
const lines = otlpLines({ seed: 1, traces: TRACES, startMs: T0 });
const data = lines.map((line) => JSON.parse(line) as TracesData);
const jaegerTraces = toJaeger(data);
const zipkinSpans = toZipkin(data);
/** Zipkin's answers: a list a trace. */
const zipkinTraces = [...Map.groupBy(zipkinSpans, ({ traceId }) => traceId).values()];

function train(inputs: readonly string[], options: ImportOptions = {}): Promise<TrainSummary> {
  const { symbols, reader, segment } = createReadingKit(configSchema.parse({}));
  return trainFiles(
    inputs,
    {
      out: at('baseline.gz'),
      learning: learningSection.parse({ profile: 'export' }),
      assembly: assemblySection.parse({}),
    },
    {
      learners: createLearners({ hashKey: '' }),
      symbols,
      segment,
      spare: createSegment(symbols),
      read: reader.read,
      createAssembler: (given, sink) => createAssembler(given, { sink }),
      files: createTraceFiles(options),
    },
  );
}

async function parts(inputs: readonly string[], options: ImportOptions = {}, stdin?: Readable): Promise<TracesPart[]> {
  const all: TracesPart[] = [];
  for await (const part of readParts(inputs, options, stdin === undefined ? {} : { stdin })) all.push(part);
  return all;
}

async function countsOf(text: string, format?: Format): Promise<FileCounts> {
  writeFileSync(at('counted'), text);
  const counts = createFileCounts();
  for await (const _ of createTraceFiles({ ...(format && { format }) }).records([at('counted')], counts));
  return counts;
}

const messagesOf = (bodies: readonly Buffer[]): Buffer =>
  Buffer.concat(
    bodies.flatMap((body) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      return [length, body];
    }),
  );
const protobuf = (line: string): Buffer => Buffer.from(jsonToTracesData(line).bytes);

describe('the same requests', () => {
  let reference: Buffer;
  beforeAll(async () => {
    writeFileSync(at('otlp.jsonl'), lines.join('\n'));
    await train([at('otlp.jsonl')]);
    reference = gunzipSync(readFileSync(at('baseline.gz')));
  });

  const newestFirst = [...jaegerTraces].reverse();
  it.each<[string, () => string | Buffer]>([
    ['a Jaeger answer, newest first', () => JSON.stringify({ data: newestFirst, total: 0 })],
    ['a Jaeger answer for people', () => JSON.stringify({ data: newestFirst }, undefined, 2)],
    [
      'Jaeger traces, one a line, compressed',
      () => gzipSync(jaegerTraces.map((one) => JSON.stringify(one)).join('\n')),
    ],
    ['a list of Zipkin spans', () => JSON.stringify(zipkinSpans)],
    ['a Zipkin answer, newest first', () => JSON.stringify([...zipkinTraces].reverse(), undefined, 1)],
    [
      'Zipkin spans, one a line, compressed',
      () => zstdCompressSync(zipkinSpans.map((one) => JSON.stringify(one)).join('\n')),
    ],
    ['protobuf messages', () => messagesOf(lines.map(protobuf))],
    ['compressed JSON messages', () => messagesOf(lines.map((line) => zstdCompressSync(line)))],
    ['compressed protobuf messages', () => messagesOf(lines.map((line) => zstdCompressSync(protobuf(line))))],
    ['OTLP documents for people', () => data.map((one) => JSON.stringify(one, undefined, 2)).join('\n')],
    ['OTLP lines in several Zstandard frames', () => Buffer.concat(lines.map((line) => zstdCompressSync(`${line}\n`)))],
  ])('give the same baseline from %s', async (_, content) => {
    writeFileSync(at('input'), content());
    const summary = await train([at('input')]);
    expect(summary).toMatchObject({ traces: TRACES, tracesLearned: TRACES, unreadable: 0 });
    expect(summary.counts).toMatchObject({ spans: 4 * TRACES, malformedLines: 0, rejectedSpans: 0, problems: [] });
    expect(gunzipSync(readFileSync(at('baseline.gz'))).equals(reference)).toBe(true);
  });

  it('give the same baseline from files of several formats together', async () => {
    const third = Math.floor(TRACES / 3);
    writeFileSync(at('1.jsonl'), lines.slice(0, third / 10).join('\n'));
    const from = Math.floor(third / 10) * 10;
    writeFileSync(at('2.json'), JSON.stringify({ data: jaegerTraces.slice(from, from + third) }));
    writeFileSync(at('3.json'), JSON.stringify(zipkinTraces.slice(from + third).reverse()));
    expect(await train([at('1.jsonl'), at('2.json'), at('3.json')])).toMatchObject({ tracesLearned: TRACES });
  });
});

describe('a long input', () => {
  const spans = function* (): Generator<Buffer> {
    yield Buffer.from('[');
    for (let i = 0; i < 20_000; i++)
      yield Buffer.from(`${i === 0 ? '' : ','}${JSON.stringify(zipkinSpans[i % zipkinSpans.length])}`);
    yield Buffer.from(']');
  };

  it('is read as it comes: spans come out long before it ends', async () => {
    let pulled = 0;
    const stdin = Readable.from(
      (function* () {
        for (const chunk of spans()) {
          pulled++;
          yield chunk;
        }
      })(),
    );
    const reading = readParts(['-'], { windowBytes: 200_000 }, { stdin });
    expect((await reading.next()).done).toBe(false);
    expect(pulled).toBeLessThan(2_000);
    await reading.return(undefined);
  });

  it('loses no span at the window\u2019s edge, and comes in order within it', async () => {
    const small = await parts(
      ['-'],
      { windowBytes: 100_000 },
      Readable.from([Buffer.from(JSON.stringify(zipkinSpans))]),
    );
    expect(spansOf(small)).toHaveLength(zipkinSpans.length);
    expect(small.length).toBeGreaterThanOrEqual(TRACES);
    const starts = small.map((part) => Math.min(...startsOf([part])));
    expect(starts.every((start, i) => i === 0 || start >= starts[i - 1]! - 2_000)).toBe(true);
  });
});

describe('bad input', () => {
  const jaeger = (n: number): object => jaegerTraces[n]!;

  it('costs what is bad: an element, a span; each is counted and told with its place', async () => {
    const broken = { ...(jaeger(1) as { spans: object[] }), spans: [{ traceID: 'x' }, ...jaegerTraces[1]!.spans] };
    const text = `{"data":[${JSON.stringify(jaeger(0))},\n{"traceID":},\n${JSON.stringify(broken)},\n7]}`;
    const counts = await countsOf(text);
    const byteOf = (what: string): number => Buffer.byteLength(text.slice(0, text.indexOf(what)));
    expect(counts).toMatchObject({ spans: 8, malformedLines: 2, rejectedSpans: 1 });
    expect(counts.problems).toEqual([
      expect.stringMatching(new RegExp(`counted: element 2 at byte ${byteOf('{"traceID":}')}: not JSON: `)),
      expect.stringMatching(/counted: element 3 at byte \d+: span 1: no valid traceID/),
      expect.stringMatching(/counted: element 4 at byte \d+: no trace/),
    ]);
  });

  it('in lines names the line, and the span in it', async () => {
    const good = JSON.stringify(zipkinSpans[0]);
    const counts = await countsOf(`${good}\n{broken\n[${good},{"id":"1"}]\n`);
    expect(counts).toMatchObject({ spans: 1, malformedLines: 1, rejectedSpans: 1 }); // the same span twice is one
    expect(counts.problems).toEqual([
      expect.stringMatching(/counted:2: not JSON/),
      expect.stringMatching(/counted:3: span 2: no valid traceId/),
    ]);
  });

  it('swallowed by a missing bracket is found again', async () => {
    const [first, ...others] = zipkinSpans.slice(0, 4).map((span) => JSON.stringify(span));
    const counts = await countsOf(`[\n${[first!.slice(0, -1), ...others].join(',\n')}\n]`);
    expect(counts).toMatchObject({ spans: 3, malformedLines: 0 });
    expect(counts.problems).toEqual([expect.stringMatching(/element 1 at byte 2: not JSON/)]);
  });

  it('that is cut short gives what was whole', async () => {
    const text = JSON.stringify({ data: jaegerTraces.slice(0, 3) }, undefined, 1);
    const counts = await countsOf(text.slice(0, -200));
    expect(counts.spans).toBeGreaterThanOrEqual(8);
    expect(counts.problems).toEqual([expect.stringMatching(/element 3 at byte \d+: the input ends inside it/)]);
  });

  it('that Jaeger answered with errors says so', async () => {
    const counts = await countsOf('{"data":null,"total":0,"errors":[{"code":404,"msg":"trace not found"}]}');
    expect(counts).toMatchObject({ spans: 0, malformedLines: 1 });
    expect(counts.problems).toEqual([expect.stringMatching(/trace not found/)]);
  });

  it('of another format than was said is told, span by span', async () => {
    expect(await countsOf(JSON.stringify(zipkinSpans.slice(0, 2)), 'jaeger')).toMatchObject({
      spans: 0,
      malformedLines: 1,
    });
    expect(await countsOf(JSON.stringify({ data: [jaeger(0)] }), 'zipkin')).toMatchObject({
      spans: 0,
      malformedLines: 1,
    });
    await expect(train([fixture('zipkin.json')], { format: 'otlp' })).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
    });
  });
});

describe('the fixtures', () => {
  it('Jaeger: kinds, status, exception, client, database', async () => {
    const [first, second] = await parts([fixture('jaeger.json')]);
    const [one, two] = [decoded(first!.bytes!), decoded(second!.bytes!)];
    expect(one.map(({ traceId }) => traceId.slice(-2))).toEqual(['01', '01', '01', '01']); // the earlier one first
    expect(one.map(({ resource, kind }) => [resource['service.name'], kind])).toEqual([
      ['gateway', 2],
      ['gateway', 3],
      ['stock', 2],
      ['stock', 3],
    ]);
    expect(two[0]).toMatchObject({ status: { code: 2 }, attributes: { 'network.peer.address': '203.0.113.7' } });
    expect(two[3]).toMatchObject({
      attributes: { 'db.system.name': 'other_sql' },
      events: [{ name: 'exception', attributes: { 'exception.type': 'Timeout' } }],
    });
  });

  it.each(['zipkin.json', 'zipkin.jsonl'])(
    '%s: both sides of the shared call, the second part in the first',
    async (name) => {
      const all = await parts([fixture(name)]);
      expect(all).toHaveLength(2);
      for (const part of all) {
        const spans = decoded(part.bytes!);
        const [edge, call, stock, query] = ['get /item', 'get', 'get /stock', 'select'].map(
          (wanted) => spans.find((span) => span.name === wanted)!,
        );
        expect(spans).toHaveLength(4);
        expect(call!.parentSpanId).toBe(edge!.spanId);
        expect(stock!.parentSpanId).toBe(call!.spanId);
        expect(stock!.attributes['late.tag']).toBe('sent in a second part');
        expect(query!.parentSpanId).toBe(stock!.spanId);
      }
    },
  );
});

/** Other projects' samples: name, spans as Zipkin or Jaeger count them after joining parts, traces. */
const SAMPLES = [
  ['jaeger-ui.json', 5, 1],
  ['otlp-trace.json', 1, 1],
  ['otlp2jaeger-in.json', 2, 1],
  ['otlp2jaeger-out.json', 2, 1],
  ['zipkin-1040-spans.json', 957, 1],
  ['zipkin-messaging-kafka.json', 28, 1],
  ['zipkin-skew.json', 4, 1],
] as const;
const samples = SAMPLES.map(([name]) => datasetFile(`samples/${name}`, `reading ${name}`));

describe.skipIf(samples.includes(undefined))('samples of other projects', () => {
  test.each(SAMPLES.map((sample, i) => [...sample, samples[i]!] as const))(
    '%s: %d spans',
    async (_, spans, traces, path) => {
      const summary = await train([path]);
      expect(summary).toMatchObject({ traces, tracesLearned: traces, unreadable: 0 });
      expect(summary.counts).toMatchObject({ spans, malformedLines: 0, rejectedSpans: 0, problems: [] });
    },
  );

  test('what Jaeger made of an OTLP file is that OTLP file', async () => {
    const [otlp, jaeger] = await Promise.all([parts([samples[2]!]), parts([samples[3]!])]);
    expect(spansOf(jaeger)).toEqual(spansOf(otlp));
    expect(spansOf(jaeger)).toHaveLength(2);
  });

  test('a big Zipkin trace is one tree: every span but the root finds its parent, every id is one span\u2019s', async () => {
    const spans = spansOf(await parts([samples[4]!]));
    const ids = new Set(spans.map(({ spanId }) => spanId));
    expect(ids.size).toBe(spans.length);
    expect(spans.filter(({ parentSpanId }) => !ids.has(parentSpanId))).toHaveLength(1);
    const servers = spans.filter(({ kind, parentSpanId }) => kind === 2 && parentSpanId !== '');
    const clients = new Set(spans.filter(({ kind }) => kind === 3).map(({ spanId }) => spanId));
    expect(servers.filter(({ parentSpanId }) => clients.has(parentSpanId)).length).toBeGreaterThanOrEqual(290);
  });
});
