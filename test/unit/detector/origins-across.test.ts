/** Who caused work that went through queues, when each link of the chain is another detector's (ARCHITECTURE decision 6). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WireSpan } from '../traces/otlp.ts';
import { createDetectors, partitionOf } from './detectors.ts';

const ATTACKER = '203.0.113.66';
const BYSTANDER = '198.51.100.7';
/** Trace ids whose last digit, and so the partition, is theirs. */
const traceOf = (n: number, digit = n % 16): string => `${(n + 1).toString(16).padStart(31, '0')}${digit.toString(16)}`;
const spanOf = (trace: number, n: number): string => (trace * 256 + n + 1).toString(16).padStart(16, '0');

/** A request that queues a job: entry is span 0, the PRODUCER span is 1. */
const request = (trace: number, client: string, more: Partial<WireSpan> = {}): WireSpan[] => [
  {
    traceId: traceOf(trace),
    spanId: spanOf(trace, 0),
    service: 'gateway',
    kind: 'server',
    attributes: { 'http.request.method': 'POST', 'http.route': '/jobs', 'network.peer.address': client },
    ...more,
  },
  {
    traceId: more.traceId ?? traceOf(trace),
    spanId: spanOf(trace, 1),
    parent: spanOf(trace, 0),
    service: 'gateway',
    kind: 'producer',
  },
];

/** A worker that takes the jobs of others' producers, in a trace of its own, and queues one itself. */
const job = (trace: number, from: readonly number[], more: Partial<WireSpan> = {}): WireSpan[] => [
  {
    traceId: traceOf(trace),
    spanId: spanOf(trace, 0),
    service: `worker-${trace}`,
    kind: 'consumer',
    links: from.map((producer) => ({ traceId: traceOf(producer), spanId: spanOf(producer, 1) })),
    ...more,
  },
  {
    traceId: traceOf(trace),
    spanId: spanOf(trace, 1),
    parent: spanOf(trace, 0),
    service: `worker-${trace}`,
    kind: 'producer',
  },
];

const KNOWN = { originState: 'known', client: { address: ATTACKER, source: 'origin', confidence: 'high' } };

describe('a chain of queues', () => {
  it('of six, over four partitions and two detectors, ends at the client who began it', () => {
    const detectors = createDetectors();
    expect([0, 1, 2, 3, 4, 5, 6].map((n) => partitionOf(traceOf(n)))).toEqual([0, 1, 2, 3, 0, 1, 2]);
    detectors.send(0, request(0, ATTACKER));
    for (let n = 1; n <= 6; n++) detectors.send(100 * n, job(n, [n - 1]));
    detectors.until(30_000);
    for (let n = 1; n <= 6; n++) {
      expect(detectors.verdictOf(traceOf(n))).toMatchObject(KNOWN);
      expect(detectors.verdictOf(traceOf(n)).client).toMatchObject({
        entryTraceId: traceOf(0),
        entrySpanId: spanOf(0, 0),
        peer: ATTACKER,
      });
    }
    expect(detectors.lookUps).toEqual([]);
    detectors.until(300_000);
    expect(detectors.floors()).toEqual(Array(4).fill(Number.POSITIVE_INFINITY));
  });

  it('is the same in whatever order, and with whatever delay, the exports come', () => {
    const depth = 5;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: depth + 1, maxLength: depth + 1 }),
        (delays) => {
          const detectors = createDetectors();
          const exports = delays.map((ms, n): [number, WireSpan[]] => [
            ms,
            n === 0 ? request(0, ATTACKER) : job(n, [n - 1]),
          ]);
          for (const [ms, spans] of exports.sort(([a], [b]) => a - b)) detectors.send(ms, spans);
          detectors.until(60_000);
          for (let n = 1; n <= depth; n++) expect(detectors.verdictOf(traceOf(n))).toMatchObject(KNOWN);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });

  it('through children in the same trace ends there too', () => {
    const detectors = createDetectors();
    detectors.send(0, request(0, ATTACKER));
    // a CONSUMER span that continues the producer's trace, and publishes in it
    for (let n = 1; n <= 4; n++) {
      const [entry, producer] = job(n, []);
      const inTrace = { traceId: traceOf(0) };
      detectors.send(50 * n, [
        { ...entry!, ...inTrace, parent: spanOf(n - 1, 1), flags: 0x300 },
        { ...producer!, ...inTrace },
      ]);
    }
    detectors.until(30_000);
    for (let n = 1; n <= 4; n++) expect(detectors.verdictOf(traceOf(0), spanOf(n, 0))).toMatchObject(KNOWN);
  });

  it('whose request takes longest of all is named when that ends: everything down the chain is told again', () => {
    const detectors = createDetectors({ originWaitMs: 3_000 });
    const [entry, producer] = request(0, ATTACKER);
    detectors.send(0, [producer!]); // exported at once, the request itself only when it is over
    for (let n = 1; n <= 4; n++) detectors.send(100 * n, job(n, [n - 1]));
    detectors.until(30_000);
    expect(detectors.verdictOf(traceOf(4))).toMatchObject({
      originState: 'unknown',
      client: { address: null, reason: 'origin-unknown' },
    });
    detectors.send(40_000, [entry!]);
    detectors.until(55_000);
    for (let n = 1; n <= 4; n++) expect(detectors.verdictOf(traceOf(n))).toMatchObject(KNOWN);
  });

  it('that is a ring ends, and blames nobody', () => {
    const detectors = createDetectors();
    for (let n = 1; n <= 3; n++) detectors.send(100 * n, job(n, [n === 1 ? 3 : n - 1]));
    detectors.until(120_000);
    for (let n = 1; n <= 3; n++)
      expect(detectors.verdictOf(traceOf(n))).toMatchObject({ originState: 'unknown', client: { address: null } });
    expect(detectors.asks).toBe(3);
    detectors.until(400_000);
    expect(detectors.floors()).toEqual(Array(4).fill(Number.POSITIVE_INFINITY));
  });

  it('that forks and joins has all who are behind it', () => {
    const detectors = createDetectors();
    detectors.send(0, request(0, ATTACKER));
    detectors.send(0, request(1, BYSTANDER));
    detectors.send(100, job(2, [0]));
    detectors.send(200, job(3, [1]));
    detectors.send(300, job(4, [2, 3])); // a batch
    detectors.send(400, job(5, [4]));
    detectors.send(500, job(6, [2, 0])); // a batch of one client's messages
    detectors.until(30_000);
    for (const n of [4, 5]) {
      const { client, origins, originState } = detectors.verdictOf(traceOf(n));
      expect(originState).toBe('known');
      expect(client).toMatchObject({ address: null, reason: 'several-origins' });
      expect(origins.map(({ address }) => address).sort()).toEqual([BYSTANDER, ATTACKER]);
    }
    expect(detectors.verdictOf(traceOf(6))).toMatchObject(KNOWN);
  });
});

describe('a job that runs minutes later', () => {
  it('is charged to the client whose request is long forgotten, from the stored verdicts', () => {
    const detectors = createDetectors({
      maxRemembered: 1,
      clientsOf: ({ producerTraceId }, verdicts) =>
        [...verdicts.values()].filter(({ traceId }) => traceId === producerTraceId).map(({ client }) => client),
    });
    detectors.send(0, request(0, ATTACKER));
    detectors.send(10_000, request(4, BYSTANDER)); // of the same partition: takes the only place
    detectors.send(600_000, job(1, [0]));
    detectors.until(620_000);
    expect(detectors.lookUps).toMatchObject([{ producerTraceId: traceOf(0), producerSpanId: spanOf(0, 1) }]);
    expect(detectors.verdictOf(traceOf(1))).toMatchObject(KNOWN);
  });

  it('is asked for again when the rows were on their way into the store', () => {
    let asked = 0;
    const detectors = createDetectors({
      clientsOf: ({ producerTraceId }, verdicts) =>
        ++asked === 1
          ? []
          : [...verdicts.values()].filter(({ traceId }) => traceId === producerTraceId).map(({ client }) => client),
    });
    const [entry] = request(0, ATTACKER);
    detectors.send(0, [entry!]); // no PRODUCER span: the link names the request itself
    detectors.send(100, job(1, [], { links: [{ traceId: traceOf(0), spanId: spanOf(0, 0) }] }));
    detectors.until(30_000);
    expect(asked).toBe(2);
    expect(detectors.verdictOf(traceOf(1))).toMatchObject(KNOWN);
  });
});

describe('under one trace id that two clients used', () => {
  const shared = { traceId: traceOf(0), parent: 'feedfacefeedface', flags: 0x300 };

  it('each job is charged to the one whose request queued it', () => {
    const detectors = createDetectors();
    detectors.send(0, request(0, ATTACKER, shared));
    detectors.send(0, request(8, BYSTANDER, shared));
    detectors.send(100, job(1, [], { links: [{ traceId: traceOf(0), spanId: spanOf(0, 1) }] }));
    detectors.send(100, job(2, [], { links: [{ traceId: traceOf(0), spanId: spanOf(8, 1) }] }));
    detectors.until(40_000);
    expect(detectors.verdictOf(traceOf(0), spanOf(0, 0)).client.address).toBe(ATTACKER);
    expect(detectors.verdictOf(traceOf(0), spanOf(8, 0)).client.address).toBe(BYSTANDER);
    expect(detectors.verdictOf(traceOf(1))).toMatchObject(KNOWN);
    expect(detectors.verdictOf(traceOf(2)).client.address).toBe(BYSTANDER);
  });

  it('a job that was queued by neither span that is known blames neither', () => {
    const detectors = createDetectors();
    detectors.send(0, request(8, BYSTANDER, shared));
    detectors.send(100, job(1, [], { links: [{ traceId: traceOf(0), spanId: 'abadcafeabadcafe' }] }));
    detectors.until(60_000);
    const { client, origins, originState } = detectors.verdictOf(traceOf(1));
    expect([originState, client.address]).toEqual(['unknown', null]);
    expect(origins.map(({ address }) => address)).toEqual([BYSTANDER]); // listed, not named
  });

  it('who was first does not answer for who is still being read', () => {
    const detectors = createDetectors();
    detectors.send(0, request(8, BYSTANDER, shared));
    detectors.send(20_000, job(1, [], { links: [{ traceId: traceOf(0), spanId: spanOf(0, 1) }] }));
    detectors.send(21_000, request(0, ATTACKER, shared));
    detectors.until(60_000);
    expect(detectors.verdictOf(traceOf(1))).toMatchObject(KNOWN);
  });
});

it('clocks that differ by minutes change nobody’s name', () => {
  const named = (skews: readonly number[]): unknown[] => {
    const detectors = createDetectors();
    const skewed = (spans: readonly WireSpan[], skewMs: number): WireSpan[] =>
      spans.map((span) => ({ ...span, start: 1_000 + skewMs, end: 1_010 + skewMs }));
    detectors.send(0, skewed(request(0, ATTACKER), skews[0]!));
    detectors.send(0, skewed(request(1, BYSTANDER), skews[1]!));
    detectors.send(100, skewed(job(2, [0]), skews[2]!));
    detectors.send(200, skewed(job(3, [2]), skews[3]!));
    detectors.send(300, skewed(job(4, [1, 3]), skews[0]! - skews[3]!));
    detectors.until(90_000);
    return [0, 1, 2, 3, 4].map((n) => {
      const { client, origins, originState } = detectors.verdictOf(traceOf(n));
      return [client, origins, originState];
    });
  };
  const wanted = named([0, 0, 0, 0]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -600_000, max: 600_000 }), { minLength: 4, maxLength: 4 }), (skews) => {
      expect(named(skews)).toEqual(wanted);
    }),
    { numRuns: 12, seed: 3 },
  );
});
