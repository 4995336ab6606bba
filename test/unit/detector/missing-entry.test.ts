/** Spans of the edge that come late, or never: nobody is named for whom an inner service talked to; what comes late amends. */
import { describe, expect, it } from 'vitest';
import { VerdictStage } from '../../../schemas/log/verdict.ts';
import { EPOCH_MS, type PlainValue, type WireSpan } from '../traces/otlp.ts';
import { createDetectors } from './detectors.ts';
import { jobTrace, loadedBaseline, orderTrace, searchTrace, spanIdOf, traceIdOf } from './traffic.ts';
import { createWorld } from './world.ts';

const { entries } = loadedBaseline();
const CLIENT = '203.0.113.66';
const PROXIES = { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] };
const PEER = 'network.peer.address';
const XFF = 'http.request.header.x-forwarded-for';
/** Never seen. */
const OUTSIDE = { parent: 'feedfacefeedface', flags: 0x300 };

interface Case {
  readonly name: string;
  readonly entry: 'gateway' | 'catalog' | 'newcomer';
  readonly route?: string;
  readonly kind?: WireSpan['kind'];
  readonly attributes: Readonly<Record<string, PlainValue>>;
  readonly root?: boolean;
  readonly attribution?: object;
  /** `address confidence reason`, then peer, hops and user where there are such. */
  readonly is: string;
}

const CASES: readonly Case[] = [
  {
    name: 'an inner service called over loopback',
    entry: 'catalog',
    attributes: { [PEER]: '127.0.0.1' },
    is: 'null none entry-missing, peer 127.0.0.1',
  },
  {
    name: 'over loopback, which is named as a proxy',
    entry: 'catalog',
    attribution: PROXIES,
    attributes: { [PEER]: '127.0.0.1' },
    is: 'null none entry-missing, peer 127.0.0.1',
  },
  {
    name: 'over a private network',
    entry: 'catalog',
    attributes: { [PEER]: '10.0.3.4' },
    is: 'null none entry-missing, peer 10.0.3.4',
  },
  {
    name: 'through a sidecar that names the caller, an inner address: medium else',
    entry: 'catalog',
    attribution: PROXIES,
    attributes: { [PEER]: '127.0.0.1', [XFF]: '172.16.0.9' },
    is: 'null none entry-missing, peer 127.0.0.1, hops 127.0.0.1',
  },
  {
    name: 'every hop is ours: medium else',
    entry: 'catalog',
    attribution: PROXIES,
    attributes: { [PEER]: '127.0.0.1', [XFF]: '10.0.3.4' },
    is: 'null none entry-missing, peer 127.0.0.1, hops 127.0.0.1',
  },
  {
    name: 'without a peer, by what instrumentations take from the leftmost element',
    entry: 'catalog',
    attributes: { 'client.address': '192.0.2.1' },
    is: 'null none entry-missing',
  },
  { name: 'without anything', entry: 'catalog', attributes: {}, is: 'null none entry-missing' },
  {
    name: 'the user whom our own service names stands',
    entry: 'catalog',
    attributes: { [PEER]: '127.0.0.1', 'user.id': 'u-7' },
    is: 'null none entry-missing, peer 127.0.0.1, user u-7',
  },
  {
    name: 'a client that our proxies pass on to inner services stands',
    entry: 'catalog',
    attribution: PROXIES,
    attributes: { [PEER]: '10.0.3.4', [XFF]: CLIENT },
    is: `${CLIENT} high , peer 10.0.3.4, hops 10.0.3.4`,
  },
  {
    name: 'an outsider who reaches an inner service with a parent of his own is named',
    entry: 'catalog',
    attributes: { [PEER]: CLIENT },
    is: `${CLIENT} high , peer ${CLIENT}`,
  },
  {
    name: 'and so he is with a header of another kind',
    entry: 'catalog',
    attribution: PROXIES,
    attributes: { [PEER]: '10.0.3.4', [XFF]: CLIENT, 'http.request.header.forwarded': 'for=198.51.100.7' },
    is: `${CLIENT} medium headers-disagree, peer 10.0.3.4, hops 10.0.3.4`,
  },
  {
    name: 'inside, without a parent: a request that began there',
    entry: 'catalog',
    root: true,
    attributes: { [PEER]: '10.0.3.4' },
    is: '10.0.3.4 low private-peer, peer 10.0.3.4',
  },
  {
    name: 'at the edge, a parent that an outsider sent',
    entry: 'gateway',
    attributes: { [PEER]: CLIENT },
    is: `${CLIENT} high , peer ${CLIENT}`,
  },
  {
    name: 'at the edge behind a balancer that nobody configured',
    entry: 'gateway',
    attributes: { [PEER]: '10.0.3.4' },
    is: '10.0.3.4 low private-peer, peer 10.0.3.4',
  },
  {
    name: 'at the edge without a peer, as far as it can be guessed',
    entry: 'gateway',
    attribution: { services: { gateway: PROXIES } },
    attributes: { [XFF]: CLIENT },
    is: `${CLIENT} medium no-peer`,
  },
  {
    name: 'at the edge, an operation never seen: an outsider tries paths, with a parent of his own',
    entry: 'gateway',
    route: '/.env',
    attributes: { [PEER]: '10.0.3.4' },
    is: '10.0.3.4 low private-peer, peer 10.0.3.4',
  },
  {
    name: 'in an inner service, an operation never seen',
    entry: 'catalog',
    route: '/.env',
    attributes: { [PEER]: '10.0.3.4' },
    is: 'null none entry-missing, peer 10.0.3.4',
  },
  {
    name: 'the call of the edge, whose own request is missing',
    entry: 'gateway',
    kind: 'client',
    attributes: { 'server.address': 'catalog' },
    is: 'null none entry-missing',
  },
  {
    name: 'a service never seen',
    entry: 'newcomer',
    attributes: { [PEER]: '10.0.3.4' },
    is: 'null none entry-missing, peer 10.0.3.4',
  },
];

describe('a request whose first span has a parent that is not there', () => {
  /** One of each configuration, for all cases: each is a trace of its own. */
  const byConfig = new Map<unknown, ReturnType<typeof createDetectors>>();
  const detectorsWith = (attribution: object | undefined): ReturnType<typeof createDetectors> => {
    const known = byConfig.get(attribution) ?? createDetectors({ entries, attribution: attribution ?? {} });
    byConfig.set(attribution, known);
    return known;
  };

  it.each(CASES.map((one, i) => [one.name, one, i] as const))('%s', (_, one, i) => {
    const { entry, route = entry === 'gateway' ? '/search' : '/items', kind = 'server', attributes } = one;
    const detectors = detectorsWith(one.attribution);
    const traceId = traceIdOf(i);
    detectors.send(i * 30_000, [
      {
        traceId,
        spanId: spanIdOf(i, 1),
        ...(one.root === true ? {} : OUTSIDE),
        service: entry,
        name: `GET ${route}`,
        kind,
        attributes: {
          'http.request.method': 'GET',
          ...(kind === 'server' && { 'http.route': route }),
          'http.response.status_code': 200,
          ...attributes,
        },
      },
    ]);
    detectors.until((i + 1) * 30_000);
    const { address, confidence, reason, peer, hops, user } = detectors.verdictOf(traceId).client;
    const more = [
      ...(peer === undefined ? [] : [`, peer ${peer}`]),
      ...(hops.length === 0 ? [] : [`, hops ${hops.join(' ')}`]),
      ...(user === null ? [] : [`, user ${user}`]),
    ];
    expect(`${address} ${confidence} ${reason}${more.join('')}`).toBe(one.is);
  });

  it('before the first version nobody knows where requests enter: what the span says stands', () => {
    const detectors = createDetectors();
    const [, , inner] = searchTrace(1, 0, CLIENT);
    detectors.send(0, [{ ...inner!, attributes: { ...inner!.attributes, [PEER]: '10.0.3.4' } }]);
    detectors.until(30_000);
    expect(detectors.verdictOf(traceIdOf(1)).client).toMatchObject({ address: '10.0.3.4', confidence: 'low' });
  });
});

/** The edge exports apart from the others, under load much later. */
const splitAt = (spans: readonly WireSpan[]): [WireSpan[], WireSpan[]] => [
  spans.filter(({ service }) => service === 'gateway'),
  spans
    .filter(({ service }) => service !== 'gateway')
    .map((span) =>
      span.kind === 'server' ? { ...span, attributes: { ...span.attributes, [PEER]: '127.0.0.1' } } : span,
    ),
];

describe('the spans of the edge come late', () => {
  it('when what hangs below was judged and told: told of nobody, then withdrawn, and the whole request told of its client', () => {
    const detectors = createDetectors({ entries });
    const [edge, inner] = splitAt(searchTrace(1, 0, CLIENT, 'statement'));
    detectors.send(0, inner);
    detectors.until(20_000);
    const told = detectors.findings.at(-1)!;
    expect(told).toMatchObject({ service: 'catalog', client: { address: null, reason: 'entry-missing' } });
    detectors.send(20_100, edge);
    detectors.until(60_000);
    expect(detectors.findings.findLast(({ id }) => id === told.id)?.stage).toBe(VerdictStage.withdrawn);
    expect(detectors.findings.at(-1)).toMatchObject({
      service: 'gateway',
      spanCount: 4,
      client: { address: CLIENT, confidence: 'high' },
    });
    expect(detectors.findings.filter(({ client }) => client.address === '127.0.0.1')).toEqual([]);
  });

  it.each([100, 12_000])(
    'and what it queued is charged to its client, though the question, of %i ms, was answered before',
    (jobMs) => {
      const detectors = createDetectors({ entries, originWaitMs: 4_000 });
      const [edge, ...rest] = orderTrace(2, 0, CLIENT);
      detectors.send(0, rest);
      detectors.send(jobMs, jobTrace(3, jobMs, [2], 'statement'));
      detectors.until(25_000);
      expect(detectors.verdictOf(traceIdOf(3)).client).toMatchObject({ address: null, reason: 'origin-unknown' });
      detectors.send(25_100, [edge!]);
      detectors.until(60_000);
      expect(detectors.verdictOf(traceIdOf(3))).toMatchObject({ originState: 'known', client: { address: CLIENT } });
    },
  );

  it('when an incident names nobody yet: it is the same one, and then names the client', async () => {
    const world = await createWorld({ versions: new Map([['v1', entries]]) });
    await world.start();
    await world.announce('v1');
    await world.pass(6_000);
    const at = world.now() - EPOCH_MS;
    const [edge, inner] = splitAt(searchTrace(1, at, CLIENT, 'statement'));
    await world.send(inner);
    await world.pass(6_000);
    const [before, ...others] = [...world.rows.incidents.values()];
    expect(others).toEqual([]);
    expect(before).toMatchObject({ state: 'open', clients: [], client: { address: null, reason: 'entry-missing' } });
    await world.send(edge);
    await world.pass(6_000);
    expect([...world.rows.incidents.values()]).toMatchObject([
      { id: before!.id, state: 'open', clients: [CLIENT], client: { address: CLIENT, confidence: 'high' } },
    ]);
    const addresses = (await world.events()).map(({ client }) => client.address);
    expect(addresses).toContain(CLIENT);
    expect(addresses).not.toContain('127.0.0.1');
  });
});
