/** The shop with its jobs on a real Kafka: the spans that kafkajs' instrumentation makes, who is behind them, and the end. */
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientConnection, createClientConnection } from '../../../datasets/load/connection.ts';
import { tracesJson } from '../../../datasets/load/otlp-json.ts';
import { type Sink, startSink } from '../../../datasets/load/sink.ts';
import { accountEmail, accountPassword } from '../../../datasets/shop/database/schema.ts';
import { createTopics, removeTopics } from '../../../datasets/shop/jobs/kafka-topics.ts';
import { type ConsumerStyle, groupOf, type ShopKafka, topicOf } from '../../../datasets/shop/jobs/settings.ts';
import { type Shop, startShop } from '../../../datasets/shop/supervisor.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { startBroker } from '../../kafka/broker.ts';
import { brokerForTests, freshPrefix, noKafka, noOwnBroker } from '../../kafka/for-tests.ts';
import { createJudged, type Judged } from './judged.ts';
import { createSpanBook, type SeenSpan, type SpanBook } from './span-book.ts';

const CLIENT = 3;
const PRODUCER = 4;
const CONSUMER = 5;
/** has-is-remote, and is-remote beside it. */
const LOCAL_PARENT = 0x100;
const REMOTE_PARENT = 0x300;
const PARENT_FLAGS = 0x300;
const TIMEOUT_MS = 120_000;

const adminOf = (brokers: readonly string[]) =>
  new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();

interface Running {
  readonly shop: Shop;
  readonly book: SpanBook;
  readonly judged: Judged;
  readonly notes: readonly string[];
  /** A client of its own at this address, signed in. */
  client(address: string, account: number): Promise<Customer>;
  /** Ends the shop and takes in the last spans. */
  stop(): Promise<void>;
}

interface Customer {
  /** Sets an avatar; resolves with the trace id. */
  avatar(url: string): Promise<string>;
  buy(product: number): Promise<string>;
}

async function startRunning(brokers: readonly string[], prefix: string, consumer: ConsumerStyle): Promise<Running> {
  const book = createSpanBook();
  const judged = createJudged(['127.0.0.1/32', '::1/128']);
  const notes: string[] = [];
  const sink: Sink = await startSink((request) => {
    book.add(tracesJson(request));
    judged.add(request, Date.now());
  });
  const logger = {
    info: () => undefined,
    warn: (fields: object) => void notes.push((fields as { line?: string }).line ?? ''),
  };
  const otlpEndpoint = `http://127.0.0.1:${sink.port}`;
  const shop = await startShop({ otlpEndpoint, logger, exportDelayMs: 50, kafka: { brokers, prefix, consumer } });
  const connections: ClientConnection[] = [];
  const client = async (address: string, account: number): Promise<Customer> => {
    const connection = createClientConnection({ edgePort: shop.ports.edge!, address });
    connections.push(connection);
    const post = async (path: string, body: object, headers: Record<string, string> = {}) =>
      connection.send({ method: 'POST', path, body, headers });
    const session = await post('/login', { email: accountEmail(account), password: accountPassword(account) });
    const headers = { authorization: `Bearer ${(session.body as { token: string }).token}` };
    const traceOf = async (path: string, body: object, status: number): Promise<string> => {
      const answer = await post(path, body, headers);
      expect(answer.status).toBe(status);
      return String(answer.headers['x-trace-id']);
    };
    return {
      avatar: (url) => traceOf('/account/avatar', { url }, 202),
      async buy(product) {
        await post('/cart/items', { product, quantity: 1 }, headers);
        return traceOf('/checkout', { card: 'tok_visa_1' }, 201);
      },
    };
  };
  return {
    shop,
    book,
    judged,
    notes,
    client,
    async stop() {
      for (const connection of connections) connection.close();
      await shop.stop();
      await sink.stop();
    },
  };
}

const callsUnder = (spans: readonly SeenSpan[], parent: SeenSpan): string[] =>
  spans
    .filter(({ parentSpanId, kind }) => parentSpanId === parent.spanId && kind === CLIENT)
    .sort((a, b) => (a.start < b.start ? -1 : 1))
    .map(({ name }) => name);
const addressesOf = (verdict: Verdict): (string | null)[] => verdict.origins.map(({ address }) => address).sort();

/** Each job that was sent was worked on once: nothing lost, nothing doubled. */
function expectEachJobOnce(book: SpanBook): void {
  const sent = book.spans.filter(({ kind }) => kind === PRODUCER).map(({ spanId }) => spanId);
  const worked = book.spans
    .filter(({ kind }) => kind === CONSUMER)
    .map(({ parentSpanId, links }) => links[0]?.spanId ?? parentSpanId);
  expect(sent.length).toBeGreaterThan(0);
  expect(worked.sort()).toEqual(sent.sort());
}

describe.skipIf(noKafka)('the shop on Kafka', () => {
  let brokers: string[];
  beforeAll(async () => {
    brokers = await brokerForTests();
  }, TIMEOUT_MS);

  async function leftOn(prefix: string): Promise<string[]> {
    const admin = adminOf(brokers);
    await admin.connect();
    const { groups } = await admin.listGroups();
    const names = [...(await admin.listTopics()), ...groups.map(({ groupId }) => groupId)];
    await admin.disconnect();
    return names.filter((name) => name.startsWith(prefix));
  }

  describe('message by message', () => {
    const prefix = `${freshPrefix()}shop`;
    let running: Running;
    beforeAll(async () => {
      running = await startRunning(brokers, prefix, 'eachMessage');
    }, TIMEOUT_MS);
    afterAll(() => running?.stop(), TIMEOUT_MS);

    it('has the work in the trace of the request, under a CONSUMER child of the PRODUCER span', async () => {
      const customer = await running.client('81.2.69.144', 7);
      const traceId = await customer.avatar('http://img1.photos.example/u/1.png');
      // calls end, and are exported, before the span they are under
      const ofTrace = (wanted: string, kind: number) =>
        running.book.find((span) => span.traceId === wanted && span.kind === kind);
      const producer = await ofTrace(traceId, PRODUCER);
      expect(producer).toMatchObject({ service: 'auth', name: `send ${prefix}.avatars` });
      expect(producer.attributes).toMatchObject({ 'messaging.system': 'kafka', 'messaging.kafka.message.key': '7' });
      const consumer = await ofTrace(traceId, CONSUMER);
      expect(consumer).toMatchObject({
        service: 'worker',
        name: `process ${prefix}.avatars`,
        parentSpanId: producer.spanId,
        links: [],
      });
      expect(consumer.flags & PARENT_FLAGS).toBe(REMOTE_PARENT);
      expect(callsUnder(running.book.spans, consumer)).toEqual(['GET', 'pg.query:UPDATE shop']);

      const confirmation = await ofTrace(await customer.buy(5), CONSUMER);
      expect(callsUnder(running.book.spans, confirmation)).toEqual(['pg.query:SELECT shop', 'pg.query:INSERT shop']);
    });

    it('works off what was queued before it stops, leaves nothing behind, and each client is behind its job', async () => {
      const attacker = await running.client('81.2.69.150', 8);
      const other = await running.client('81.2.69.151', 9);
      const [ssrf, plain] = await Promise.all([
        attacker.avatar('http://127.0.0.1:9/latest/meta-data/iam'),
        other.avatar('http://img1.photos.example/u/2.png'),
      ]);
      await Promise.all(Array.from({ length: 12 }, (_, i) => other.avatar(`http://img1.photos.example/slow/${i}.png`)));
      await running.stop();
      expectEachJobOnce(running.book);
      expect(await leftOn(prefix)).toEqual([]);
      expect(running.notes).toEqual([]);

      const verdicts = running.judged.close();
      const jobOf = (traceId: string): Verdict => verdicts.get(traceId)!.find(({ service }) => service === 'worker')!;
      for (const [traceId, address] of [
        [ssrf, '81.2.69.150'],
        [plain, '81.2.69.151'],
      ] as const) {
        expect(verdicts.get(traceId)).toHaveLength(2);
        const job = jobOf(traceId);
        expect(job).toMatchObject({ asynchronous: true, originState: 'known', client: { address, source: 'origin' } });
        expect(job.operation).toMatch(/^process /);
        expect(addressesOf(job)).toEqual([address]);
      }
    });
  });

  describe('by the batch', () => {
    const prefix = `${freshPrefix()}shop`;
    let running: Running;
    beforeAll(async () => {
      running = await startRunning(brokers, prefix, 'eachBatch');
    }, TIMEOUT_MS);
    afterAll(() => running?.stop(), TIMEOUT_MS);

    it('has one root of kind CLIENT, CONSUMER children that link to the producers, and all calls beside them', async () => {
      // one account, so one partition; another batch is under way while they are queued
      const customer = await running.client('81.2.69.144', 7);
      await customer.avatar('http://img1.photos.example/slow/0.png');
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => customer.avatar(`http://img1.photos.example/slow/${i}.png`)),
      );
      const root = await running.book.find(
        ({ service, attributes, name }) =>
          service === 'worker' && name.startsWith('poll ') && Number(attributes['messaging.batch.message_count']) > 1,
      );
      const messages = Number(root.attributes['messaging.batch.message_count']);
      const spans = await running.book.trace(root.traceId, 1 + 3 * messages);
      expect(root).toMatchObject({ kind: CLIENT, parentSpanId: '', name: `poll ${prefix}.avatars`, links: [] });
      const consumers = spans.filter(({ kind }) => kind === CONSUMER);
      expect(consumers).toHaveLength(messages);
      for (const consumer of consumers) {
        expect(consumer).toMatchObject({ parentSpanId: root.spanId, name: `process ${prefix}.avatars` });
        expect(consumer.flags & PARENT_FLAGS).toBe(LOCAL_PARENT);
        expect(callsUnder(spans, consumer)).toEqual([]);
        const producer = running.book.spans.find(({ spanId }) => spanId === consumer.links[0]?.spanId);
        expect(producer).toMatchObject({ kind: PRODUCER, service: 'auth', traceId: consumer.links[0]!.traceId });
      }
      const each = Array.from({ length: messages }, () => ['GET', 'pg.query:UPDATE shop']).flat();
      expect(callsUnder(spans, root)).toEqual(each);
    });

    it('works off what was queued before it stops, leaves nothing behind, and all clients of a batch are behind it', async () => {
      const addresses = Array.from({ length: 6 }, (_, i) => `81.2.69.${150 + i}`);
      const customers = await Promise.all(addresses.map((address, i) => running.client(address, 20 + 2 * i)));
      const traceIds = await Promise.all(
        customers.map((customer, i) => customer.avatar(`http://127.0.0.1:${i + 1}/latest/meta-data/iam`)),
      );
      await running.stop();
      expectEachJobOnce(running.book);
      expect(await leftOn(prefix)).toEqual([]);
      expect(running.notes).toEqual([]);

      const verdicts = running.judged.close();
      const batches = [...verdicts.values()].flat().filter(({ service }) => service === 'worker');
      const clientOf = new Map(traceIds.map((traceId, i) => [traceId, addresses[i]!]));
      let together = 0;
      let found = 0;
      for (const batch of batches) {
        expect(batch).toMatchObject({ asynchronous: true, originState: 'known' });
        expect(batch.operation).toMatch(/^receive /);
        const consumers = running.book.spans.filter(
          ({ traceId, kind }) => traceId === batch.traceId && kind === CONSUMER,
        );
        // on a slow machine jobs of the customer of the test before are still queued, and share a batch with these
        const all = consumers.map(({ links }) => clientOf.get(links[0]!.traceId) ?? '81.2.69.144');
        expect(addressesOf(batch)).toEqual(all.sort());
        const queuedBy = all.filter((address) => address !== '81.2.69.144');
        found += queuedBy.length;
        if (queuedBy.length > 1) together++;
      }
      expect(found).toBe(addresses.length);
      expect(together).toBeGreaterThan(0);
    });
  });

  it('makes topics anew that a killed shop left, and leaves those of a running one alone', async () => {
    const kafka: ShopKafka = { brokers, prefix: `${freshPrefix()}shop` };
    const client = new Kafka({ brokers, logLevel: logLevel.NOTHING });
    const [admin, producer] = [client.admin(), client.producer()];
    const consumer = client.consumer({ groupId: groupOf(kafka), sessionTimeout: 10_000 });
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
    try {
      await createTopics(admin, kafka);
      await producer.send({ topic: topicOf(kafka, 'avatars'), messages: [{ value: 'of a shop that was killed' }] });
      await createTopics(admin, kafka);
      const ends = await admin.fetchTopicOffsets(topicOf(kafka, 'avatars'));
      expect(ends.map(({ high }) => high)).toEqual(['0', '0']);

      const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
      await consumer.subscribe({ topic: topicOf(kafka, 'avatars') });
      await consumer.run({ eachMessage: async () => undefined });
      await joined;
      await expect(createTopics(admin, kafka)).rejects.toThrow(`another shop uses the consumer group`);
    } finally {
      await consumer.disconnect();
      await removeTopics(admin, kafka);
      await Promise.all([admin.disconnect(), producer.disconnect()]);
    }
    expect(await leftOn(kafka.prefix!)).toEqual([]);
  });

  it('says that a topic of its name is not its own, and leaves it alone', async () => {
    const prefix = `${freshPrefix()}shop`;
    const admin = adminOf(brokers);
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: `${prefix}.avatars`, numPartitions: 1 }], waitForLeaders: false });
    try {
      const logger = { info: () => undefined, warn: () => undefined };
      const shop = startShop({ otlpEndpoint: 'http://127.0.0.1:9', logger, kafka: { brokers, prefix } });
      await expect(shop).rejects.toThrow(`the topic ${prefix}.avatars exists and is not the shop's`);
      expect(await admin.listTopics()).toContain(`${prefix}.avatars`);
    } finally {
      await admin.deleteTopics({ topics: [`${prefix}.avatars`] });
      await admin.disconnect();
    }
  }, 60_000);
});

describe.skipIf(noOwnBroker)('a broker of the shop that goes away', () => {
  it(
    'is told once by each service, and the jobs go on when it is back',
    async () => {
      const broker = await startBroker();
      try {
        const running = await startRunning([broker.address], 'shop', 'eachBatch');
        try {
          const customer = await running.client('81.2.69.144', 7);
          await customer.avatar('http://img1.photos.example/u/1.png');
          await running.book.find(({ kind }) => kind === CONSUMER);
          await broker.kill();
          const back = broker.restart();
          // whoever asks too early, on a slow machine, hears that it failed and asks again
          const asked = async (): Promise<string> => {
            for (;;) {
              const answer = await customer.avatar('http://img1.photos.example/u/2.png').catch(() => undefined);
              if (answer !== undefined) return answer;
            }
          };
          const [traceId] = await Promise.all([asked(), back]);
          const sent = await running.book.find(({ kind, traceId: own }) => kind === PRODUCER && own === traceId);
          await running.book.find(({ links }) => links[0]?.spanId === sent.spanId);
          const lines = running.notes.filter((line) => line.endsWith('trying on'));
          expect(lines.length).toBeGreaterThan(0);
          expect(lines.length).toBeLessThanOrEqual(2);
        } finally {
          await running.stop();
        }
      } finally {
        await broker.stop();
      }
    },
    TIMEOUT_MS,
  );

  it('and is not there at the start is named as the reason', async () => {
    const logger = { info: () => undefined, warn: () => undefined };
    const shop = startShop({ otlpEndpoint: 'http://127.0.0.1:9', logger, kafka: { brokers: ['127.0.0.1:9'] } });
    await expect(shop).rejects.toThrow(/127\.0\.0\.1:9/);
  }, 60_000);
});
