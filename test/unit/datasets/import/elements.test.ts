/** Reading without holding: elements of a document however it is cut into chunks; formats by content; traces in order. */
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { detectLayout, HEAD_BYTES } from '../../../../datasets/import/detect.ts';
import { createElementScanner, type JsonElement, salvage } from '../../../../datasets/import/json-elements.ts';
import { otlpMessages } from '../../../../datasets/import/otlp-messages.ts';
import { createTraceWindow } from '../../../../datasets/import/trace-window.ts';
import type { TracesPart } from '../../../../runtime/files/trace-records.ts';
import { encodeTracesData } from '../../otlp/proto.ts';
import { spansOf } from './spans.ts';

function scan(text: string, options: { list?: string; max?: number; chunk?: number } = {}): JsonElement[] {
  const { list, max = 1_000_000, chunk = 7 } = options;
  const scanner = createElementScanner({ maxElementBytes: max, ...(list !== undefined && { list }) });
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += chunk) scanner.push(bytes.subarray(i, i + chunk));
  scanner.end();
  return scanner.taken();
}
const texts = (text: string, list?: string): string[] => scan(text, { ...(list && { list }) }).map((one) => one.text);

describe('elements', () => {
  it.each([
    ['a list', '[{"a":1},\n {"b":[2,{"c":3}]} ]', ['{"a":1}', '{"b":[2,{"c":3}]}']],
    ['a list of lists', '[[{"a":1},{"a":2}],[]]', ['[{"a":1},{"a":2}]', '[]']],
    ['documents', '{"a":1}\n{"a":2} {"a":3}', ['{"a":1}', '{"a":2}', '{"a":3}']],
    ['lists one after another', '[{"a":1}]\n[{"a":2}]', ['{"a":1}', '{"a":2}']],
    ['brackets and quotes in texts', '[{"a":"]}\\"["},{"b":"\\\\"}]', ['{"a":"]}\\"["}', '{"b":"\\\\"}']],
    ['an empty list', '[]', []],
    ['nothing', ' \n ', []],
  ])('of %s', (_, text, expected) => {
    expect(texts(text)).toEqual(expected);
  });

  it('of a named list, wherever it stands in its object; an object without it is an element', () => {
    const data = '"data":[{"x":1},{"data":[9]}]';
    for (const text of [`{${data}}`, `{"total":0,"more":{"data":[5]},${data},"errors":null}`, `{"s":"data", ${data} }`])
      expect(texts(text, 'data')).toEqual(['{"x":1}', '{"data":[9]}']);
    expect(texts('{"data":null,"errors":[{"msg":"x"}]}', 'data')).toEqual(['{"data":null,"errors":[{"msg":"x"}]}']);
    expect(texts('{"data":[{"a":1}]}\n{"data":[{"a":2}]}\n{"spans":[]}', 'data')).toEqual([
      '{"a":1}',
      '{"a":2}',
      '{"spans":[]}',
    ]);
  });

  it('are the same however the input is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 50 }), fc.boolean(), (values, chunk, pretty) => {
        const text = JSON.stringify({ before: values, data: values }, undefined, pretty ? 2 : 0);
        expect(scan(text, { list: 'data', chunk }).map((one) => JSON.parse(one.text))).toEqual(
          JSON.parse(JSON.stringify(values)),
        );
      }),
    );
  });

  it('know where they begin', () => {
    expect(scan('[ {"ü":1},\n{"b":2}]')).toMatchObject([
      { number: 1, byte: 2 },
      { number: 2, byte: 12 },
    ]);
  });

  it('that are too long are told, and not held; the next one is there', () => {
    expect(scan(`[{"a":"${'x'.repeat(100)}"},{"b":2}]`, { max: 20 })).toEqual([
      { number: 1, byte: 1, text: '', problem: 'longer than 20 bytes' },
      { number: 2, byte: 110, text: '{"b":2}' },
    ]);
  });

  it('after one that is broken are there', () => {
    expect(texts('[{"a":},{"b":2}]')).toEqual(['{"a":}', '{"b":2}']);
    expect(texts('[{"a":[1},{"b":2}]')).toEqual(['{"a":[1}', '{"b":2}']);
    expect(texts('[junk, {"b":2}, 7]')).toEqual(['junk', '{"b":2}', '7']);
    expect(scan('[{"b":2},{"cut":')).toMatchObject([{ text: '{"b":2}' }, { problem: 'the input ends inside it' }]);
  });

  it('that a broken one swallowed are found in it', () => {
    const wanted = (value: unknown): boolean => (value as { id?: unknown }).id !== undefined;
    const [element] = scan('[{"id":1,"x":{"id2":0}, {"id":2}, {"id":3,"y":{"id":4}, {"id":5}]');
    expect(salvage(element!.text, wanted)).toEqual([{ id: 2 }, { id: 4 }, { id: 5 }]);
    const [open] = scan('[{"id":1,"x":"no end},\n{"id":2}]');
    expect(salvage(open!.text, wanted)).toEqual([{ id: 2 }]);
  });
});

describe('the format', () => {
  const span = { traceId: 'ab', id: 'cd' };
  const trace = { traceID: 'ab', spans: [], processes: {} };
  const layout = (value: unknown, indent?: number): unknown =>
    detectLayout(Buffer.from(JSON.stringify(value, undefined, indent)));

  it.each([
    ['OTLP', { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: 'ab' }] }] }] }, 'otlp'],
    ['a Jaeger answer', { data: [trace], total: 0 }, 'jaeger'],
    ['an empty Jaeger answer', { data: [] }, 'jaeger'],
    ['a Jaeger error', { data: null, errors: [] }, 'jaeger'],
    ['a Jaeger trace', trace, 'jaeger'],
    ['Jaeger traces', [trace], 'jaeger'],
    ['Zipkin spans', [span], 'zipkin'],
    ['Zipkin traces', [[span]], 'zipkin'],
    ['one Zipkin span', span, 'zipkin'],
    ['anything else', { hello: 1 }, 'otlp'],
    ['a Zipkin span that talks about others', { ...span, tags: { q: '{"resourceSpans":1,"traceID":2}' } }, 'zipkin'],
  ])('of %s is told by its content, in one line or many', (_, value, format) => {
    expect(layout(value)).toEqual({ format, framing: 'lines' });
    expect(layout(value, 2)).toMatchObject({
      format,
      framing: JSON.stringify(value).includes(':') ? 'document' : 'lines',
    });
  });

  it('can be given; how it is laid out is seen', () => {
    expect(detectLayout(Buffer.from('{}\n{}'), 'zipkin')).toEqual({ format: 'zipkin', framing: 'lines' });
    expect(detectLayout(Buffer.from('\uFEFF[\n{"x":1}\n]'), 'jaeger')).toEqual({
      format: 'jaeger',
      framing: 'document',
    });
  });

  it('of lines whose first is damaged is lines', () => {
    expect(detectLayout(Buffer.from('{broken\n{"resourceSpans":[]}'))).toEqual({ format: 'otlp', framing: 'lines' });
    expect(detectLayout(Buffer.from(''))).toEqual({ format: 'otlp', framing: 'lines' });
  });

  it('of a first line longer than what is looked at', () => {
    const long = 'x'.repeat(HEAD_BYTES);
    const head = (text: string): Buffer => Buffer.from(text).subarray(0, HEAD_BYTES);
    expect(detectLayout(head(`[{"traceId":"${long}`))).toEqual({ format: 'zipkin', framing: 'document' });
    expect(detectLayout(head(`{"resourceSpans":["${long}`))).toEqual({ format: 'otlp', framing: 'lines' });
  });
});

describe('messages with a length before each', () => {
  const id = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);
  const body = (n: number): Buffer =>
    Buffer.from(
      encodeTracesData({
        resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: id(n, 16), spanId: id(n, 8), name: `span ${n}` }] }] }],
      }),
    );
  const json = (n: number): Buffer => {
    const span = { traceId: `0${n}`.repeat(16), spanId: `0${n}`.repeat(8), name: `span ${n}` };
    return Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
  };
  const framed = (...messages: Buffer[]): Buffer =>
    Buffer.concat(
      messages.flatMap((message) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(message.length);
        return [length, message];
      }),
    );
  async function parts(bytes: Buffer, chunk = 5, max = 1_000_000): Promise<TracesPart[]> {
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let i = 0; i < bytes.length; i += chunk) yield bytes.subarray(i, i + chunk);
    }
    const all: TracesPart[] = [];
    for await (const part of otlpMessages('f', chunks(), max)) all.push(part);
    return all;
  }

  it.each([1, 3, 10_000])('are read, protobuf and JSON, compressed or not, in chunks of %d', async (chunk) => {
    const bytes = framed(body(1), json(2), zstdCompressSync(body(3)), zstdCompressSync(json(4)));
    expect(detectLayout(bytes)).toEqual({ format: 'otlp', framing: 'messages' });
    expect(detectLayout(framed(zstdCompressSync(json(4)))).framing).toBe('messages');
    expect(spansOf(await parts(bytes, chunk)).map(({ name }) => name)).toEqual([
      'span 1',
      'span 2',
      'span 3',
      'span 4',
    ]);
  });

  it('that are damaged or cut short are told with their place', async () => {
    const damaged = Buffer.concat([zstdCompressSync(body(1)).subarray(0, 12), Buffer.alloc(9, 1)]);
    expect(await parts(framed(damaged, body(2)))).toMatchObject([
      { where: 'f: message 1 at byte 0', problems: [expect.stringMatching(/^it cannot be decompressed/)] },
      { where: 'f: message 2 at byte 25', bytes: expect.anything() },
    ]);
    expect((await parts(framed(body(1), body(2)).subarray(0, -3))).at(-1)).toEqual({
      where: `f: byte ${body(1).length + 4}`,
      problems: ['the input ends inside a message'],
    });
    expect(await parts(framed(body(1)), 5, 10)).toMatchObject([{ problems: [expect.stringMatching(/damaged/)] }]);
    // a frame may unpack to far more than it says
    const bomb = zstdCompressSync(Buffer.alloc(5_000_000));
    expect(await parts(framed(bomb, body(2)), 500)).toMatchObject([
      { problems: [expect.stringMatching(/decompressed/)] },
      { bytes: expect.anything() },
    ]);
  });
});

test('a window gives traces whole and in order, the earliest half when it is full', () => {
  const window = createTraceWindow<number>(100, (start) => (start < 0 ? undefined : BigInt(start)));
  for (const [traceId, start] of [
    ['c', 30],
    ['a', 12],
    ['b', 20],
    ['a', 10],
    ['d', -1],
  ] as const)
    window.add(traceId, start, 20);
  expect(window.overflow()).toEqual([]);
  window.add('c', 31, 20);
  expect(window.overflow()).toEqual([
    { traceId: 'd', spans: [-1], bytes: 20 },
    { traceId: 'a', spans: [12, 10], bytes: 40 },
  ]);
  expect(window.overflow()).toEqual([]);
  expect(window.end().map(({ traceId }) => traceId)).toEqual(['b', 'c']);
  expect(window.end()).toEqual([]);
});
