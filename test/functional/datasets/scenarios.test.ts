/** The scenarios against the shop for real, without anything that would detect them: they have their effects, and the truth says what they did. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Load } from '../../../datasets/load/generator.ts';
import { tracesJson } from '../../../datasets/load/otlp-json.ts';
import { createPopulation } from '../../../datasets/load/population.ts';
import { createRandom } from '../../../datasets/load/random.ts';
import { type Sink, startSink } from '../../../datasets/load/sink.ts';
import { SCENARIOS } from '../../../datasets/scenarios/all.ts';
import { runScenarios } from '../../../datasets/scenarios/run.ts';
import type { GroundTruth, TruthEvent } from '../../../datasets/scenarios/truth.ts';
import { type Shop, startShop } from '../../../datasets/shop/supervisor.ts';
import { createSpanBook, type SeenSpan, type SpanBook } from './span-book.ts';

const logger = { info: () => undefined, warn: () => undefined };
const SERVER = 2;
const CONSUMER = 5;
const SEED = 11;
const TIMEOUT_MS = 120_000;
/** It burns a core for ten seconds; shop.test.ts shows that reports take as long as they are told to. */
const LEFT_OUT = 'slow-query';

/** The people without their traffic. */
const quietLoad: Load = {
  personas: createPopulation(createRandom(SEED, 'population'), { clients: 200 }),
  rate: 0,
  pid: 0,
  stats: () => null,
  setMultiplier: () => undefined,
  stop: async () => undefined,
};

let book: SpanBook;
let sink: Sink;
let shop: Shop;
let truth: GroundTruth;

beforeAll(async () => {
  book = createSpanBook();
  sink = await startSink((request) => book.add(tracesJson(request)));
  shop = await startShop({ otlpEndpoint: `http://127.0.0.1:${sink.port}`, logger, exportDelayMs: 50 });
  const scenarios = SCENARIOS.filter(({ name }) => name !== LEFT_OUT);
  truth = await runScenarios({ shop, load: quietLoad, seed: SEED, scenarios, gapMs: 0, pace: 0.01 });
}, TIMEOUT_MS);

afterAll(async () => {
  await shop?.stop();
  await sink?.stop();
});

/** Client that the shop's own proxy wrote, rightmost. */
const clientOf = ({ attributes }: SeenSpan): string =>
  String(attributes['http.request.header.x-forwarded-for'] ?? '')
    .split(', ')
    .at(-1)!;
const entryOf = (wanted: string, from: (client: string) => boolean = () => true): Promise<SeenSpan> =>
  book.find(
    (span) => span.traceId === wanted && span.service === 'gateway' && span.kind === SERVER && from(clientOf(span)),
  );
const eventOf = (name: string): TruthEvent => truth.events.find((event) => event.name === name)!;

describe('the scenarios', () => {
  it('have each their effect, and clients of their own', () => {
    expect(truth.events).toHaveLength(SCENARIOS.length - 1);
    const attackers = truth.events.filter(({ kind }) => kind === 'attack').flatMap(({ clients }) => clients);
    expect(new Set(attackers).size).toBe(attackers.length);
    const population = new Set(quietLoad.personas.map(({ address }) => address));
    for (const address of attackers) expect(population.has(address)).toBe(false);
    for (const { kind, named, clients, requests, traceIds } of truth.events) {
      if (kind === 'oddity') continue;
      expect(named.key).not.toBe('');
      if (named.by === 'client' || named.by === 'batch') expect(clients).toEqual([named.key]);
      expect(traceIds.length).toBeGreaterThan(0);
      expect(requests).toBeGreaterThanOrEqual(traceIds.length);
    }
  });

  it('try stolen passwords from forty addresses of one network, a few each', async () => {
    const { clients, named, requests, traceIds } = eventOf('credential-stuffing');
    expect(named.by).toBe('network');
    const network = named.key.replace('.0/24', '.');
    expect(clients).toHaveLength(40);
    for (const address of clients) expect(address.startsWith(network)).toBe(true);
    expect(requests).toBeLessThanOrEqual(40 * 3 + 5);
    const accounts = new Set<unknown>();
    for (const traceId of traceIds) {
      accounts.add((await entryOf(traceId)).attributes['http.request.body.email']);
    }
    expect(accounts.size).toBeGreaterThan(90);
  });

  it('enumerate as one user from ever new networks', async () => {
    const { clients, named, traceIds } = eventOf('object-enumeration');
    expect(clients).toHaveLength(12);
    const users = new Set<unknown>();
    for (const traceId of traceIds) {
      users.add((await entryOf(traceId)).attributes['enduser.id']);
    }
    expect([...users]).toEqual([named.key]);
  });

  it('claim traces of others: two clients under one trace id', async () => {
    const { clients, never, traceIds } = eventOf('forged-headers');
    expect(never).toHaveLength(quietLoad.personas.length);
    for (const traceId of traceIds) {
      await entryOf(traceId, (client) => client === clients[0]);
      await entryOf(traceId, (client) => never.includes(client));
    }
  });

  it('know who was in the batches', async () => {
    const { clients, companions, traceIds } = eventOf('batched-ssrf');
    expect(companions.length).toBeGreaterThanOrEqual(3);
    const batches = await Promise.all(
      traceIds.map((traceId) =>
        book.find(({ kind, links }) => kind === CONSUMER && links.some((link) => link.traceId === traceId)),
      ),
    );
    expect(Math.max(...batches.map(({ links }) => links.length))).toBeGreaterThan(1);
    const behind = await Promise.all(batches.flatMap(({ links }) => links.map((link) => entryOf(link.traceId))));
    expect([...clients, ...companions].sort()).toEqual([...new Set(behind.map(clientOf))].sort());
  });

  it('put sixty people behind one address', () => {
    const { clients, requests } = eventOf('many-behind-one-address');
    expect(clients).toHaveLength(1);
    expect(requests).toBeGreaterThan(400);
  });
});
