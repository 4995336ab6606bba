/** Records of `actor-events`: what is written is read; what was cut or altered is null, and no other event. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import {
  decodeActorEvents,
  decodeActorEventsRecord,
  decodeReached,
  encodeActorEvents,
  mostBytes,
  type Reached,
} from '../../../schemas/log/actor-events-codec.ts';
import { type ClientRecord, FINDING_KINDS } from '../../../schemas/log/verdict.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (Object.is(x, -0) ? 0 : x));
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });

const client: fc.Arbitrary<ClientRecord> = fc.record(
  {
    address: fc.option(text),
    source: fc.constantFrom('peer', 'forwarded', 'x-forwarded-for', 'header', 'client.address', 'origin', 'none'),
    confidence: fc.constantFrom('high', 'medium', 'low', 'none'),
    reason: text,
    hops: fc.array(text, { maxLength: 5 }),
    entrySpanId: fc.oneof(hex(16), text),
    entryTraceId: fc.oneof(hex(32), text),
    user: fc.option(text),
    session: fc.option(text),
    peer: text,
  },
  {
    requiredKeys: [
      'address',
      'source',
      'confidence',
      'reason',
      'hops',
      'entrySpanId',
      'entryTraceId',
      'user',
      'session',
    ],
  },
);

const event: fc.Arbitrary<ActorEvent> = fc
  .record({
    id: text.map((id) => id || 'an id'),
    own: fc.boolean(),
    part: fc.constantFrom('request', 'findings'),
    revision: count,
    atMs: number,
    startMs: number,
    service: text,
    operation: text,
    asynchronous: fc.boolean(),
    client,
    outcome: fc.nat({ max: 3 }),
    httpStatus: fc.nat({ max: 999 }),
    sampleWeight: fc.oneof(fc.constant(1), fc.double({ min: 1, max: 1e9, noNaN: true })),
    responseBytes: fc.oneof(
      fc.constant(-1),
      count.map((n) => Math.max(0, n - 1)),
    ),
    objects: fc.array(fc.record({ kind: text, hash: count, number: fc.option(fc.nat({ max: 1e12 })) }), {
      maxLength: 8,
    }),
    login: fc.option(fc.record({ account: text, succeeded: fc.boolean() })),
    anomalous: fc.boolean(),
    p: fc.oneof(
      fc.constant(1),
      fc.double({ min: 0, max: 1, noNaN: true }).map((x) => x + 0),
    ),
    findings: fc.array(
      fc.record({
        kind: fc.constantFrom(...FINDING_KINDS),
        explanationKey: text,
        hard: fc.boolean(),
        service: text,
        operation: text,
        severity: number,
        startMs: number,
      }),
      { maxLength: 16 },
    ),
  })
  .map(({ own, ...rest }): ActorEvent => {
    const { entryTraceId, entrySpanId } = rest.client;
    return own ? { ...rest, id: `20260101-${entryTraceId}-${entrySpanId}` } : rest;
  });

const reached: fc.Arbitrary<Reached> = fc.record({ partition: fc.nat({ max: 1_023 }), position: count, step: count });

test('what is written is read', () => {
  fc.assert(
    fc.property(reached, fc.array(event, { maxLength: 6 }), (from, events) => {
      const record = encodeActorEvents(from, events);
      expect(decodeActorEventsRecord(record)).toEqual({ reached: from, events });
      expect(decodeReached(record)).toEqual(from);
    }),
  );
});

test('of a record that is part of a larger buffer', () => {
  const record = encodeActorEvents({ partition: 1, position: 2, step: 3 }, []);
  const larger = new Uint8Array(record.length + 20).fill(7);
  larger.set(record, 9);
  expect(decodeActorEvents(larger.subarray(9, 9 + record.length))).toEqual([]);
});

test('cut, longer or altered: null', () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 3 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (events, where, change) => {
        const record = encodeActorEvents({ partition: 0, position: 1, step: 2 }, events);
        const altered = record.slice();
        altered[where % record.length]! ^= change;
        expect(decodeActorEvents(altered)).toBeNull();
        expect(decodeActorEvents(record.subarray(0, where % record.length))).toBeNull();
        expect(decodeActorEvents(Uint8Array.from([...record, change]))).toBeNull();
      },
    ),
  );
});

test('other bytes: null, whatever they are, also under a right checksum', async () => {
  const { crc32 } = await import('node:zlib');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(decodeActorEvents(bytes)).toBeNull();
      const signed = Buffer.concat([Buffer.from([1]), bytes, Buffer.alloc(4)]);
      signed.writeUInt32LE(crc32(signed.subarray(0, -4)), signed.length - 4);
      const events = decodeActorEvents(signed);
      for (const { p, outcome } of events ?? []) expect(p >= 0 && p <= 1 && outcome <= 3).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('no event takes more than is reckoned with', () => {
  const head = encodeActorEvents({ partition: 0, position: 0, step: 0 }, []).length;
  fc.assert(
    fc.property(event, (one) => {
      const record = encodeActorEvents({ partition: 0, position: 0, step: 0 }, [one]);
      expect(record.length - head).toBeLessThanOrEqual(mostBytes(one));
    }),
  );
});

test('numbers that are none do not make a record unreadable', () => {
  const base = fc.sample(event, { numRuns: 1, seed: 1 })[0]!;
  const odd = { ...base, startMs: Number.NaN, atMs: Number.POSITIVE_INFINITY };
  const [read] = decodeActorEvents(encodeActorEvents({ partition: 0, position: 0, step: 0 }, [odd]))!;
  expect(read).toMatchObject({ startMs: 0, atMs: Number.MAX_VALUE });
});
