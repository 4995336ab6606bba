/** What an outsider writes into `traceparent` and `tracestate`: two clients are never merged, and none is hidden. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createForeignTest } from '../../../traces/attribution/foreign.ts';
import type { WireSpan } from '../traces/otlp.ts';
import { createDetectors } from './detectors.ts';
import { learnEntries, searchTrace, spanIdOf, traceIdOf } from './traffic.ts';

const ATTACKER = '203.0.113.66';
const VICTIM = '198.51.100.7';
const TRACE = 'a'.repeat(31);
const trace = (digit: number): string => TRACE + digit.toString(16);
const span = (n: number): string => n.toString(16).padStart(16, '0');
const REMOTE = 0x300;

const PROXIES = { trustedProxies: ['10.0.0.0/8'] };

/** A request as the gateway serves it, straight or through the balancer. */
const request = (n: number, client: string, more: Partial<WireSpan> = {}, through = false): WireSpan => ({
  traceId: trace(0),
  spanId: span(n),
  service: 'gateway',
  kind: 'server',
  flags: REMOTE,
  ...more,
  attributes: {
    'http.request.method': 'GET',
    'http.route': '/orders/{id}',
    'network.peer.address': through ? '10.0.0.1' : client,
    ...(through && { 'http.request.header.x-forwarded-for': client }),
    ...more.attributes,
  },
});
const call = (n: number, parent: number): WireSpan => ({
  traceId: trace(0),
  spanId: span(n),
  parent: span(parent),
  service: 'gateway',
  kind: 'client',
});
/** No parent. */
const ROOT = { flags: 0 };

const named = (detectors: ReturnType<typeof createDetectors>, entry: number): string | null =>
  detectors.verdictOf(trace(0), span(entry)).client.address;

describe('one trace id', () => {
  it('of two clients gives two verdicts, each with its own', () => {
    const detectors = createDetectors();
    const outside = { parent: 'feedfacefeedface' };
    detectors.send(0, [request(1, ATTACKER, outside), call(2, 1)]);
    detectors.send(10, [request(3, VICTIM, outside), call(4, 3)]);
    detectors.until(30_000);
    expect([named(detectors, 1), named(detectors, 3)]).toEqual([ATTACKER, VICTIM]);
    expect([...detectors.verdicts.values()].map(({ spanCount }) => spanCount)).toEqual([2, 2]);
  });

  it('of more requests than a trace may have names who sent them, the most first, and nobody who did not', () => {
    const detectors = createDetectors();
    const of = (n: number): string => (n % 3 === 0 ? `192.0.2.${n % 40}` : n % 2 === 0 ? ATTACKER : VICTIM);
    for (let n = 1; n <= 520; n++) detectors.send(n, [request(n, of(n), { parent: 'feedfacefeedface' })]);
    detectors.until(60_000);
    expect(detectors.findings).toHaveLength(1);
    const [{ client, origins, findings }] = detectors.findings as [(typeof detectors.findings)[0]];
    expect(client).toMatchObject({ address: null, reason: 'trace-id-reused' });
    expect(origins).toHaveLength(16);
    expect(
      origins
        .slice(0, 2)
        .map(({ address }) => address)
        .sort(),
    ).toEqual([VICTIM, ATTACKER]);
    expect(new Set(origins.map(({ peer }) => peer)).size).toBe(16);
    expect(findings[0]!.seen).toMatch(
      /^more than 500 segments under trace id a{31}0, from (198\.51\.100\.7|203\.0\.113\.66) \(\d+\), .* and \d+ more$/,
    );
    // and each request by itself: none is hidden in the crowd
    for (let n = 1; n <= 520; n++) expect(named(detectors, n)).toBe(of(n));
  });

  it('of one client who floods names him', () => {
    const detectors = createDetectors();
    for (let n = 1; n <= 510; n++) detectors.send(n, [request(n, ATTACKER, { parent: 'feedfacefeedface' })]);
    detectors.until(60_000);
    expect(detectors.findings).toMatchObject([{ client: { address: ATTACKER, peer: ATTACKER } }]);
    expect(detectors.findings[0]!.findings[0]!.seen).toContain(`from ${ATTACKER} (510)`);
  });

  it('behind a balancer whose headers are not captured names the sockets, and blames none', () => {
    const detectors = createDetectors({ attribution: PROXIES });
    for (let n = 1; n <= 510; n++) {
      const attributes = { 'network.peer.address': `10.0.0.${1 + (n % 2)}`, 'client.address': `192.0.2.${n % 200}` };
      detectors.send(n, [request(n, '', { parent: 'feedfacefeedface', attributes })]);
    }
    detectors.until(60_000);
    const [{ client, findings }] = detectors.findings as [(typeof detectors.findings)[0]];
    expect(client.address).toBeNull();
    expect(findings[0]!.seen).toMatch(/from 10\.0\.0\.[12] \(255\), 10\.0\.0\.[12] \(255\)$/);
  });
});

describe('a parent that is a span of another request', () => {
  const arrivals = [0, 1] as const;

  it.each([false, true].flatMap((through) => arrivals.map((first) => ({ through, first }))))(
    'keeps the requests apart, through a balancer: $through, whichever comes first: $first',
    ({ through, first }) => {
      const detectors = createDetectors({ attribution: PROXIES });
      const victim = [request(1, VICTIM, ROOT, through), call(2, 1)];
      const attack = [request(3, ATTACKER, { parent: span(1) }, through), call(4, 3)];
      detectors.send(0, first === 0 ? victim : attack);
      detectors.send(500, first === 0 ? attack : victim);
      detectors.until(60_000);
      expect([named(detectors, 1), named(detectors, 3)]).toEqual([VICTIM, ATTACKER]);
      for (const entry of [1, 3]) expect(detectors.verdictOf(trace(0), span(entry)).spanCount).toBe(2);
    },
  );

  it.each(arrivals)(
    'keeps them apart although the outsider adds a header of another kind, whichever comes first: %i',
    (first) => {
      const detectors = createDetectors({ attribution: PROXIES });
      const forged = {
        'network.peer.address': '10.0.0.1',
        'http.request.header.x-forwarded-for': ATTACKER,
        'http.request.header.forwarded': `for=${VICTIM};by=10.0.0.1`,
      };
      const victim = [request(1, VICTIM, ROOT, true), call(2, 1)];
      const attack = [request(3, ATTACKER, { parent: span(1), attributes: forged }, true), call(4, 3)];
      detectors.send(0, first === 0 ? victim : attack);
      detectors.send(500, first === 0 ? attack : victim);
      detectors.until(60_000);
      expect([named(detectors, 1), named(detectors, 3)]).toEqual([VICTIM, ATTACKER]);
    },
  );

  it('of one client’s own request stays with it: he is named either way', () => {
    const detectors = createDetectors();
    detectors.send(0, [request(1, ATTACKER, ROOT), request(3, ATTACKER, { parent: span(1) })]);
    detectors.until(60_000);
    expect(named(detectors, 1)).toBe(ATTACKER);
  });

  it('a proxy of ours that traces itself, and the service behind it, stay one request', () => {
    const detectors = createDetectors({ attribution: PROXIES });
    const behind = request(3, ATTACKER, { parent: span(1), service: 'orders' }, true);
    detectors.send(0, [request(1, ATTACKER, { ...ROOT, service: 'nginx' }), behind]);
    // and a service behind a CDN that traces, whose addresses nobody configured
    const cdn = { traceId: trace(1) };
    detectors.send(0, [
      request(5, VICTIM, { ...ROOT, ...cdn, service: 'cdn' }),
      request(6, '192.0.2.200', { ...cdn, parent: span(5), service: 'orders' }),
    ]);
    detectors.until(60_000);
    expect(detectors.verdictOf(trace(0))).toMatchObject({ spanCount: 2, client: { address: ATTACKER } });
    expect(detectors.verdictOf(trace(1))).toMatchObject({ spanCount: 2, client: { address: VICTIM } });
  });

  it('a call between services, with the CLIENT span between, stays one request whatever its peer', () => {
    const detectors = createDetectors();
    const inner = request(3, '192.0.2.10', { parent: span(2) });
    detectors.send(0, [request(1, VICTIM, ROOT), call(2, 1), inner]);
    detectors.until(60_000);
    expect(detectors.verdictOf(trace(0))).toMatchObject({ spanCount: 3, client: { address: VICTIM } });
  });

  it('at another service than the parent’s is apart where requests enter', () => {
    const clients = { high: { confidence: 'high' as const, source: 'peer' as const, reason: '', hops: [] } };
    const clientAt = (_bytes: Uint8Array, service: number, address: number) => ({
      ...clients.high,
      address: String(address),
      service,
    });
    const at = (service: number, address: number) => ({
      bytes: new Uint8Array(0),
      resourceStart: service,
      resourceEnd: address,
      spanStart: 0,
      spanEnd: 0,
    });
    const edgeOnly = createForeignTest(clientAt, {
      isEdge: ({ resourceStart: service }) => service === 7,
      isUninvited: () => false,
    });
    expect(edgeOnly(at(7, 1), at(8, 2), false, 0)).toBe(true);
    expect(edgeOnly(at(9, 1), at(8, 2), false, 0)).toBe(false);
    expect(edgeOnly(at(9, 2), at(9, 2), false, 0)).toBe(false);
    expect(edgeOnly(at(9, 1), at(9, 2), false, 0)).toBe(true);
  });

  it('in any order of any arrivals: every request of a client has a verdict that names him', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            parent: fc.integer({ min: 0, max: 8 }),
            client: fc.constantFrom(ATTACKER, VICTIM, '192.0.2.1'),
            waitMs: fc.integer({ min: 0, max: 6_000 }),
          }),
          { minLength: 2, maxLength: 8 },
        ),
        (requests) => {
          const detectors = createDetectors();
          let ms = 0;
          for (const [i, { parent, client, waitMs }] of requests.entries()) {
            ms += waitMs;
            // the id of a request that came or will come, or of none
            detectors.send(ms, [request(i + 1, client, parent === 0 ? ROOT : { parent: span(parent) })]);
          }
          detectors.until(ms + 120_000);
          const clientOf = (n: number): string => requests[n - 1]!.client;
          const standing = [...detectors.verdicts.values()].filter(({ state }) => state !== 'withdrawn');
          for (const { entrySpanId, client } of standing)
            expect(client.address).toBe(clientOf(Number.parseInt(entrySpanId, 16)));
          expect(new Set(standing.map(({ client }) => client.address))).toEqual(
            new Set(requests.map(({ client }) => client)),
          );
        },
      ),
      { numRuns: 80, seed: 11 },
    );
  });
});

/** Outgoing calls carry the ids of their CLIENT spans to third parties; error pages show those of inner services. */
describe('a parent that is a span inside another request, where a version knows how requests go', () => {
  const entries = learnEntries(600);
  const probe = {
    'http.request.method': 'GET',
    'http.route': '',
    'url.path': '/admin',
    'http.response.status_code': 404,
  };
  /** The attacker's request: one that others make too, or one that nobody made yet; straight, or named by a balancer. */
  const attackOn = (inner: number, attributes: object = {}): WireSpan[] => {
    const [entry, ...below] = searchTrace(200, 700_010, ATTACKER);
    const under = { traceId: traceIdOf(100), parent: spanIdOf(100, inner), flags: REMOTE };
    return [
      { ...entry!, ...under, attributes: { ...entry!.attributes, ...attributes } },
      ...below.map((one) => ({ ...one, traceId: traceIdOf(100) })),
    ];
  };
  const both = (detectors: ReturnType<typeof createDetectors>) =>
    [100, 200].map((n) => {
      const { client, spanCount } = detectors.verdictOf(traceIdOf(100), spanIdOf(n, 1));
      return [client.address, spanCount];
    });

  it.each(
    [2, 3, 4].flatMap((inner) =>
      [{}, probe].flatMap((attributes) => ['victim', 'attack', 'mixed'].map((first) => ({ inner, attributes, first }))),
    ),
  )('keeps the requests apart: %j', ({ inner, attributes, first }) => {
    const detectors = createDetectors({ entries });
    const victim = searchTrace(100, 700_000, VICTIM);
    const attack = attackOn(inner, attributes);
    const [v, a] = [victim, attack];
    const parts =
      first === 'victim'
        ? [v, a]
        : first === 'attack'
          ? [a, v]
          : [[a[0]!, v[3]!, v[1]!], [v[2]!, ...a.slice(1)], [v[0]!]];
    for (const [i, part] of parts.entries()) detectors.send(700_000 + i * 700, part);
    detectors.until(800_000);
    expect(both(detectors)).toEqual([
      [VICTIM, 4],
      [ATTACKER, 4],
    ]);
  });

  it('calls that were learned stay in their request, and so does what a service of ours asks at the edge by itself', () => {
    const detectors = createDetectors({ entries });
    const [entry, call, items, select] = searchTrace(100, 700_000, VICTIM) as [WireSpan, WireSpan, WireSpan, WireSpan];
    // as a service mesh has it: the inner service knows the client too
    const sure = { ...items, attributes: { ...items.attributes, 'network.peer.address': VICTIM } };
    detectors.send(700_000, [entry, call, sure, select]);
    // a new call of ours to the edge, from a private address: an anomaly of this request, and of its client
    const back = { ...searchTrace(300, 700_010, '10.0.0.9')[0]!, traceId: traceIdOf(101), parent: spanIdOf(101, 4) };
    detectors.send(700_000, [...searchTrace(101, 700_000, VICTIM), { ...back, flags: REMOTE }]);
    detectors.until(800_000);
    for (const [n, spanCount] of [
      [100, 4],
      [101, 5],
    ] as const)
      expect(detectors.verdictOf(traceIdOf(n), spanIdOf(n, 1))).toMatchObject({
        spanCount,
        client: { address: VICTIM },
      });
    expect([...detectors.verdicts.values()].filter(({ state }) => state !== 'withdrawn')).toHaveLength(2);
  });
});

describe('tracestate', () => {
  it.each([
    'ot=th:',
    'ot=th:zz',
    'ot=th:ffffffffffffff',
    '=',
    ',,,,',
    'ot=th:8;'.repeat(4_000),
    '\u0000'.repeat(512),
    'ot=p:8;th:c',
  ])('of an outsider changes neither who is named nor that he is: %#', (traceState) => {
    const detectors = createDetectors();
    detectors.send(0, [request(1, ATTACKER, { parent: 'feedfacefeedface', traceState })]);
    detectors.send(0, [request(2, VICTIM, { parent: 'feedfacefeedface', traceState, flags: REMOTE | 0 })]);
    detectors.until(30_000);
    expect([named(detectors, 1), named(detectors, 2)]).toEqual([ATTACKER, VICTIM]);
  });
});
