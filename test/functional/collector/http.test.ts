/** OTLP/HTTP as senders see it: fetch, and a bare socket where fetch would not let us misbehave. */
import { connect } from 'node:net';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeExportResponse, decodeStatus } from '../../unit/otlp/proto.ts';
import { requestOf, requestOfSize, type StartedCollector, spanOf, spansIn, startCollector } from './started.ts';

const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

let collector: StartedCollector;
const start = async (settings: object = {}) => {
  await collector?.stop();
  collector = await startCollector(settings);
};
beforeEach(() => start());
afterEach(async () => {
  collector.log.let();
  await collector.stop();
});

interface HttpAnswer {
  readonly status: number;
  readonly type: string | null;
  readonly retryAfter: string | null;
  readonly body: Buffer;
}
async function post(body: Buffer | string, headers: Record<string, string> = {}, method = 'POST'): Promise<HttpAnswer> {
  const response = await fetch(collector.url, {
    method,
    headers: { 'content-type': PROTOBUF, ...headers },
    ...(method === 'GET' ? {} : { body }),
  });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    body: Buffer.from(await response.arrayBuffer()),
  };
}

const jsonSpan = (spanId: string, more: object = {}) => ({
  traceId: '5B8EFFF798038103D269B633813FC60C',
  spanId,
  name: `span ${spanId}`,
  kind: 2,
  startTimeUnixNano: '1544712660000000000',
  endTimeUnixNano: '1544712661000000000',
  ...more,
});
const jsonRequest = (...spans: object[]) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

describe('OTLP/HTTP', () => {
  it('takes protobuf and JSON, plain, gzip and zstd, and answers in kind', async () => {
    const protobuf = requestOf(spanOf(1, 1));
    const json = jsonRequest(jsonSpan('eee19b7ec3c1b174'));
    for (const [encoding, encode] of [
      ['identity', (body: Buffer) => body],
      ['gzip', gzipSync],
      ['zstd', zstdCompressSync],
    ] as const) {
      const headers = { 'content-encoding': encoding };
      expect(await post(encode(protobuf), headers)).toMatchObject({
        status: 200,
        type: PROTOBUF,
        body: Buffer.alloc(0),
      });
      const answer = await post(encode(Buffer.from(json)), {
        ...headers,
        'content-type': `${JSON_TYPE}; charset=utf-8`,
      });
      expect(answer).toMatchObject({ status: 200, type: JSON_TYPE });
      expect(JSON.parse(answer.body.toString())).toEqual({});
    }
    expect(spansIn(collector.log).map((span) => span.name)).toEqual(
      [1, 2, 3].flatMap(() => ['span 1', 'span eee19b7ec3c1b174']),
    );
    expect(collector.log.records[1]!.key).toBe('5b8efff798038103d269b633813fc60c');
  });

  it('rejects bad spans one by one as partial success, in protobuf and in JSON', async () => {
    const protobuf = await post(requestOf(spanOf(1, 1), spanOf(1, 2, { spanId: new Uint8Array(8) })));
    expect(decodeExportResponse(protobuf.body).partialSuccess).toEqual({
      rejectedSpans: '1',
      errorMessage: '1 span rejected: 1 span_id',
    });
    const json = await post(
      jsonRequest(
        jsonSpan('eee19b7ec3c1b174'),
        jsonSpan('0'.repeat(16)),
        jsonSpan('zz'),
        jsonSpan('1', { traceId: '' }),
      ),
      { 'content-type': JSON_TYPE },
    );
    expect(json.status).toBe(200);
    expect(JSON.parse(json.body.toString())).toEqual({
      partialSuccess: { rejectedSpans: '3', errorMessage: '3 spans rejected: 3 span_id' },
    });
    expect(spansIn(collector.log)).toHaveLength(2);
  });

  it('takes spans that end before they start or are from 1970 or 2100: later parts clamp and count them', async () => {
    const answer = await post(
      jsonRequest(
        jsonSpan('eee19b7ec3c1b171', { startTimeUnixNano: '5', endTimeUnixNano: '1' }),
        jsonSpan('eee19b7ec3c1b172', { startTimeUnixNano: '4102444800000000000' }),
      ),
      { 'content-type': JSON_TYPE },
    );
    expect(answer.body.toString()).toBe('{}');
    expect(spansIn(collector.log)).toHaveLength(2);
  });

  it('answers bad data with 400 and a Status that says what is wrong', async () => {
    const malformed = await post(Buffer.from([0x0a, 0x7f]));
    expect(malformed).toMatchObject({ status: 400, type: PROTOBUF });
    expect(decodeStatus(malformed.body)).toEqual({ code: 3, message: 'the request is not well-formed TracesData' });
    const json = await post('{"resourceSpans":[', { 'content-type': JSON_TYPE });
    expect(json).toMatchObject({ status: 400, type: JSON_TYPE });
    expect(JSON.parse(json.body.toString())).toMatchObject({ code: 3, message: expect.stringMatching(/^not JSON/) });
    expect((await post('no gzip', { 'content-encoding': 'gzip' })).status).toBe(400);
    expect((await post(gzipSync(requestOf(spanOf(1, 1))).subarray(0, 30), { 'content-encoding': 'gzip' })).status).toBe(
      400,
    );
    expect((await post('no zstd', { 'content-encoding': 'zstd' })).status).toBe(400);
    expect(collector.log.records).toHaveLength(0);
  });

  it('answers 415, 404 and 405 to what it does not serve', async () => {
    expect((await post('x', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post('x', { 'content-encoding': 'br' })).status).toBe(415);
    expect((await fetch(collector.url.replace('traces', 'logs'), { method: 'POST', body: 'x' })).status).toBe(404);
    expect((await post('', {}, 'GET')).status).toBe(405);
  });

  it('applies the size limit after decompression: 413, also for bombs', async () => {
    await start({ maxRequestBytes: 1_000_000 });
    const zeros = Buffer.alloc(200_000_000);
    expect((await post(requestOfSize(1_000_001))).status).toBe(413);
    expect((await post(gzipSync(zeros), { 'content-encoding': 'gzip' })).status).toBe(413);
    expect((await post(zstdCompressSync(zeros), { 'content-encoding': 'zstd' })).status).toBe(413);
    expect((await post(requestOfSize(900_000))).status).toBe(200);
    // chunked: the length is not known before
    const chunked = await fetch(collector.url, {
      method: 'POST',
      headers: { 'content-type': PROTOBUF },
      body: new ReadableStream({
        start(controller) {
          for (let i = 0; i < 40; i++) controller.enqueue(new Uint8Array(50_000));
          controller.close();
        },
      }),
      duplex: 'half',
    } as RequestInit);
    expect(chunked.status).toBe(413);
    expect(decodeStatus(Buffer.from(await chunked.arrayBuffer())).code).toBe(8);
    expect(collector.count('requests_refused_total', { reason: 'too_large' })).toBe(4);
  });

  it('tells senders to come back: 429 when the log is slow or full, 503 when it is away, both with Retry-After', async () => {
    await start({ logTimeoutMs: 50, retryAfterMs: 2_500 });
    collector.log.fail('LOG_FULL');
    expect(await post(requestOf(spanOf(1, 1)))).toMatchObject({ status: 429, retryAfter: '3' });
    collector.log.fail('LOG_UNAVAILABLE');
    const away = await post(jsonRequest(jsonSpan('eee19b7ec3c1b174')), { 'content-type': JSON_TYPE });
    expect(away).toMatchObject({ status: 503, retryAfter: '3' });
    expect(JSON.parse(away.body.toString()).code).toBe(14);
    collector.log.fail(undefined);
    collector.log.hold();
    expect(await post(requestOf(spanOf(1, 1)))).toMatchObject({ status: 429, retryAfter: '3' });
    collector.log.let();
    expect((await post(requestOf(spanOf(1, 1)))).status).toBe(200);
  });

  it('holds no more than its budget while the log is slow', async () => {
    await start({ maxInFlightBytes: 2_000_000 });
    collector.log.hold();
    const first = [1, 2, 3].map(() => post(requestOfSize(500_000)));
    await collector.log.waiting(3);
    expect((await post(requestOfSize(800_000))).status).toBe(429);
    collector.log.let();
    expect((await Promise.all(first)).map((answer) => answer.status)).toEqual([200, 200, 200]);
  });

  it('closes a connection whose headers or body dribble in', async () => {
    await start({ receiveTimeoutMs: 100 });
    for (const text of [
      'POST /v1/traces HTTP/1.1\r\nhost: x\r\n',
      'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    ]) {
      const socket = connect(collector.addresses.http.port, '127.0.0.1');
      socket.write(text);
      const answer = await new Promise<string>((resolve) => {
        let received = '';
        socket.on('data', (chunk) => {
          received += chunk.toString();
        });
        socket.on('close', () => resolve(received));
      });
      expect(answer).toMatch(/^HTTP\/1\.1 408/);
    }
    expect(await collector.metrics.text()).toMatch(/collector_in_flight_bytes 0\b/);
  });

  it('finishes what is under way when stopped', async () => {
    collector.log.hold();
    const answer = post(requestOf(spanOf(1, 1)));
    await collector.log.waiting(1);
    const stopped = collector.stop(10_000);
    collector.log.let();
    expect((await answer).status).toBe(200);
    await stopped;
    expect(spansIn(collector.log)).toHaveLength(1);
  });
});
