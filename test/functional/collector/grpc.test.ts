/** OTLP/gRPC as senders see it, through grpc-js, and through bare HTTP/2 where a client would not let us misbehave. */
import http2 from 'node:http2';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeExportResponse, decodeStatus } from '../../unit/otlp/proto.ts';
import { createGrpcClient, EXPORT, type GrpcClient } from './grpc-client.ts';
import { requestOf, requestOfSize, type StartedCollector, spanOf, spansIn, startCollector } from './started.ts';

const Code = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
} as const;

let collector: StartedCollector;
let client: GrpcClient;
const start = async (settings: object = {}) => {
  await collector?.stop();
  client?.close();
  collector = await startCollector(settings);
  client = createGrpcClient(collector.target);
};
beforeEach(() => start());
afterEach(async () => {
  client.close();
  collector.log.let();
  await collector.stop();
});

/** A call with exactly these bytes on the stream, whatever they are; `end: false` leaves it open. */
async function rawCall(
  bytes: Buffer,
  headers: http2.OutgoingHttpHeaders = {},
  options: { end?: boolean } = {},
): Promise<http2.IncomingHttpHeaders> {
  const session = http2.connect(`http://${collector.target}`);
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': EXPORT,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const answered = new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
      let first: http2.IncomingHttpHeaders = {};
      stream.on('response', (received) => {
        first = received;
        if (received['grpc-status'] !== undefined || received[':status'] !== 200) resolve(received);
      });
      stream.on('trailers', (trailers) => resolve({ ...first, ...trailers }));
      stream.on('error', reject);
      stream.resume();
    });
    stream.write(bytes);
    if (options.end !== false) stream.end();
    return await answered;
  } finally {
    session.destroy();
  }
}
const framed = (body: Buffer, flag = 0): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
};

const gauge = async (pattern: RegExp): Promise<number> => Number(pattern.exec(await collector.metrics.text())![1]);
const inFlight = () => gauge(/collector_in_flight_bytes (\d+)/);
const connections = () => gauge(/collector_connections\{protocol="grpc"\} (\d+)/);
const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise(setImmediate);
};

describe('OTLP/gRPC', () => {
  it('acknowledges a request with an empty response, and its spans are in the log by trace', async () => {
    const answer = await client.export(requestOf(spanOf(1, 1), spanOf(2, 2), spanOf(1, 3)));
    expect(answer).toMatchObject({ code: Code.ok, body: Buffer.alloc(0) });
    expect(collector.log.records.map((record) => record.key)).toEqual(['01'.repeat(16), '02'.repeat(16)]);
    expect(collector.addresses.grpc.url).toBe(`http://${collector.target}`);
    expect(spansIn(collector.log).map((span) => span.name)).toEqual(['span 1', 'span 3', 'span 2']);
    expect(collector.count('spans_received_total')).toBe(3);
    expect(collector.count('spans_accepted_total')).toBe(3);
    expect((await client.export(Buffer.alloc(0))).code).toBe(Code.ok);
  });

  it('takes gzip, and refuses zstd with UNIMPLEMENTED and what it would take', async () => {
    expect((await client.export(requestOfSize(200_000), { gzip: true })).code).toBe(Code.ok);
    expect(spansIn(collector.log)).toHaveLength(1);
    const zstd = await rawCall(framed(zstdCompressSync(requestOf(spanOf(1, 1))), 1), { 'grpc-encoding': 'zstd' });
    expect(zstd).toMatchObject({ 'grpc-status': '12', 'grpc-accept-encoding': 'identity,gzip' });
    expect(collector.count('requests_refused_total', { reason: 'encoding' })).toBe(1);
  });

  it('rejects bad spans one by one as partial success and says why', async () => {
    const answer = await client.export(
      requestOf(
        spanOf(1, 1),
        spanOf(1, 2, { traceId: new Uint8Array(16) }),
        spanOf(1, 3, { spanId: new Uint8Array(8) }),
        spanOf(1, 4, { spanId: new Uint8Array(5) }),
      ),
    );
    expect(answer.code).toBe(Code.ok);
    expect(decodeExportResponse(answer.body)).toEqual({
      partialSuccess: { rejectedSpans: '3', errorMessage: '3 spans rejected: 1 trace_id, 2 span_id' },
    });
    expect(spansIn(collector.log).map((span) => span.name)).toEqual(['span 1']);
    expect(collector.count('spans_rejected_total', { reason: 'span_id' })).toBe(2);
  });

  it('answers malformed protobuf, a corrupt gzip and a broken frame with INVALID_ARGUMENT', async () => {
    expect((await client.export(Buffer.from([0x0a, 0x7f, 1, 2]))).code).toBe(Code.invalidArgument);
    expect((await client.export(Buffer.from('not protobuf at all'))).code).toBe(Code.invalidArgument);
    const corrupt = await rawCall(framed(Buffer.from('no gzip'), 1), { 'grpc-encoding': 'gzip' });
    expect(corrupt['grpc-status']).toBe('3');
    const short = framed(requestOf(spanOf(1, 1)));
    expect((await rawCall(short.subarray(0, short.length - 3)))['grpc-status']).toBe('3');
    expect((await rawCall(Buffer.concat([short, short])))['grpc-status']).toBe('3');
    expect((await rawCall(Buffer.from([0, 0])))['grpc-status']).toBe('3');
    expect(collector.log.records).toHaveLength(0);
    expect(collector.count('requests_refused_total')).toBe(6);
  });

  it('applies the size limit after decompression: RESOURCE_EXHAUSTED without RetryInfo, also for a gzip bomb', async () => {
    await start({ maxRequestBytes: 1_000_000 });
    const large = await client.export(requestOfSize(1_000_001));
    expect(large).toMatchObject({ code: Code.resourceExhausted, statusDetails: undefined });
    const bomb = gzipSync(Buffer.alloc(300_000_000));
    expect(bomb.length).toBeLessThan(1_000_000);
    expect((await rawCall(framed(bomb, 1), { 'grpc-encoding': 'gzip' }))['grpc-status']).toBe('8');
    const members = Buffer.concat(Array.from({ length: 60_000 }, () => gzipSync(Buffer.alloc(0))));
    expect((await rawCall(framed(members, 1), { 'grpc-encoding': 'gzip' }))['grpc-status']).toBe('8');
    expect((await client.export(requestOfSize(900_000))).code).toBe(Code.ok);
    // an absurd length is refused before a byte of it is waited for
    expect((await rawCall(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), {}, { end: false }))['grpc-status']).toBe('8');
    await until(async () => (await inFlight()) === 0);
  });

  it('takes attributes of 100 KiB and 10,000 spans of one trace', async () => {
    expect((await client.export(requestOfSize(102_400))).code).toBe(Code.ok);
    const spans = Array.from({ length: 10_000 }, (_, i) => {
      const spanId = Buffer.alloc(8);
      spanId.writeUInt32BE(i + 1);
      return spanOf(9, 0, { spanId: new Uint8Array(spanId), name: `${i} ${'y'.repeat(200)}` });
    });
    expect((await client.export(requestOf(...spans))).code).toBe(Code.ok);
    const ninth = spansIn(collector.log).filter((span) => span.traceId === '09'.repeat(16));
    expect(new Set(ninth.map((span) => span.name)).size).toBe(10_000);
    expect(Math.max(...collector.log.records.map((record) => record.value.length))).toBeLessThanOrEqual(1_000_000);
  });

  it('answers other methods and other content types as gRPC does', async () => {
    const other = await client.export(Buffer.alloc(0), {
      path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    });
    expect(other.code).toBe(Code.unimplemented);
    expect((await rawCall(framed(Buffer.alloc(0)), { 'content-type': 'application/json' }))[':status']).toBe(415);
  });

  it('acknowledges only after the log has', async () => {
    collector.log.hold();
    let answered = false;
    const answer = client.export(requestOf(spanOf(1, 1))).then((given) => {
      answered = true;
      return given;
    });
    await collector.log.waiting(1);
    expect(answered).toBe(false);
    expect(collector.count('spans_accepted_total')).toBe(0);
    collector.log.let();
    expect((await answer).code).toBe(Code.ok);
    expect(collector.count('spans_accepted_total')).toBe(1);
  });

  it('tells senders to come back when the log is full, away or slow: UNAVAILABLE with RetryInfo', async () => {
    await start({ logTimeoutMs: 50, retryAfterMs: 2_500 });
    for (const failure of ['LOG_FULL', 'LOG_UNAVAILABLE'] as const) {
      collector.log.fail(failure);
      const answer = await client.export(requestOf(spanOf(1, 1)));
      expect(answer.code).toBe(Code.unavailable);
      expect(answer.statusDetails!.includes('google.rpc.RetryInfo')).toBe(true);
      expect(decodeStatus(answer.statusDetails!)).toMatchObject({ code: 14, message: answer.details });
      // RetryInfo{ retry_delay{ seconds 2, nanos 500000000 } }
      expect(answer.statusDetails!.toString('hex')).toContain('0a0808021080cab5ee01');
    }
    collector.log.fail(undefined);
    collector.log.hold();
    expect((await client.export(requestOf(spanOf(1, 1)))).code).toBe(Code.unavailable);
    collector.log.let();
    expect((await client.export(requestOf(spanOf(1, 1)))).code).toBe(Code.ok);
    for (const reason of ['log_full', 'log_unavailable', 'log_slow'])
      expect(collector.count('requests_refused_total', { reason })).toBe(1);
  });

  it('holds no more than its budget while the log is slow, and takes again when it is not', async () => {
    await start({ maxInFlightBytes: 2_000_000 });
    collector.log.hold();
    const first = [1, 2, 3].map(() => client.export(requestOfSize(500_000)));
    await collector.log.waiting(3);
    expect((await client.export(requestOfSize(800_000))).code).toBe(Code.unavailable);
    expect(collector.count('requests_refused_total', { reason: 'overload' })).toBe(1);
    collector.log.let();
    expect((await Promise.all(first)).map((answer) => answer.code)).toEqual([0, 0, 0]);
    expect((await client.export(requestOfSize(800_000))).code).toBe(Code.ok);
    expect(await collector.metrics.text()).toMatch(/collector_in_flight_bytes 0\b/);
  });

  it('lets go of what a sender that went away had sent, but not of what the log still holds', async () => {
    const session = http2.connect(`http://${collector.target}`);
    session.on('error', () => {});
    const open = session.request({ ':method': 'POST', ':path': EXPORT, 'content-type': 'application/grpc' });
    open.on('error', () => {});
    open.write(framed(requestOfSize(300_000)).subarray(0, 200_000));
    await until(async () => (await inFlight()) > 200_000);
    session.destroy();
    await until(async () => (await inFlight()) === 0);

    collector.log.hold();
    const second = http2.connect(`http://${collector.target}`);
    const whole = second.request({ ':method': 'POST', ':path': EXPORT, 'content-type': 'application/grpc' });
    whole.on('error', () => {});
    whole.end(framed(requestOfSize(300_000)));
    await collector.log.waiting(1);
    second.destroy();
    await until(async () => (await connections()) === 0);
    expect(await inFlight()).toBeGreaterThan(300_000);
    collector.log.let();
    await until(async () => (await inFlight()) === 0);
    expect(spansIn(collector.log)).toHaveLength(1);
  });

  it('gives up on a request that dribbles in, and closes connections beyond the bound', async () => {
    await start({ receiveTimeoutMs: 60, maxConnections: 1 });
    const dribbled = await rawCall(Buffer.from([0, 0, 0, 1]), {}, { end: false });
    expect(dribbled['grpc-status']).toBe('4');
    await until(async () => (await connections()) === 0);
    const first = http2.connect(`http://${collector.target}`);
    await new Promise((resolve) => first.once('remoteSettings', resolve));
    const second = http2.connect(`http://${collector.target}`);
    await new Promise((resolve) => second.on('error', () => {}).once('close', resolve));
    first.destroy();
  });

  it('finishes what is under way when stopped, and refuses what comes then', async () => {
    collector.log.hold();
    const answer = client.export(requestOf(spanOf(1, 1)));
    await collector.log.waiting(1);
    const stopped = collector.stop(5_000);
    const late = createGrpcClient(collector.target);
    expect((await late.export(requestOf(spanOf(1, 2)))).code).toBe(Code.unavailable);
    late.close();
    collector.log.let();
    expect((await answer).code).toBe(Code.ok);
    await stopped;
    expect(spansIn(collector.log).map((span) => span.name)).toEqual(['span 1']);
  });

  it('says which port is taken and how to change it', async () => {
    await expect(startCollector({ grpcPort: collector.addresses.grpc.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining('collector.grpcPort'),
    });
    await expect(startCollector({ httpPort: collector.addresses.http.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining('collector.httpPort'),
    });
  });
});
