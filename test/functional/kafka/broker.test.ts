/** The starter of brokers itself: what the other tests on Kafka rely on. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, type Cluster, startBroker, startCluster } from '../../kafka/broker.ts';
import { brokerForTests, noKafka, noOwnBroker } from '../../kafka/for-tests.ts';
import { isAlive } from '../../kafka/held-process.ts';

const clientOf = (config: Omit<KafkaConfig, 'logLevel'>): Kafka =>
  new Kafka({ logLevel: logLevel.NOTHING, connectionTimeout: 5_000, retry: { retries: 3 }, ...config });

const isNotLeader = (error: unknown): boolean =>
  (error as { type?: string }).type === 'NOT_LEADER_FOR_PARTITION' || /not the leader/.test(String(error));

async function topicsSeen(kafka: Kafka): Promise<string[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

async function createTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic }] });
  await admin.disconnect();
}

async function write(kafka: Kafka, topic: string, value: string): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ value }] });
  await producer.disconnect();
}

describe.skipIf(noKafka)('the shared broker', () => {
  it('is the same for everybody who asks', async () => {
    const [first, second] = await Promise.all([brokerForTests(), brokerForTests()]);
    expect(second).toEqual(first);
    await expect(topicsSeen(clientOf({ brokers: first }))).resolves.toBeInstanceOf(Array);
  });
});

describe.skipIf(noOwnBroker)('a broker of one’s own', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker();
  }, 180_000);
  afterAll(() => broker?.stop());

  it('has after a kill what it acknowledged, on the same port', async () => {
    const kafka = clientOf({ brokers: [broker.address] });
    await createTopic(kafka, 'kept');
    await write(kafka, 'kept', 'one');
    await broker.kill();
    expect(() => broker.pid).toThrow('does not run');
    await broker.restart();
    const admin = kafka.admin();
    await admin.connect();
    const kept = async (): Promise<number> =>
      (await admin.fetchTopicOffsets('kept')).reduce((sum, one) => sum + Number(one.high), 0);
    // it leads its partitions again only a while after it answers, and kafkajs does not ask twice
    const asked = (): Promise<number> =>
      kept().catch((error) => (isNotLeader(error) ? asked() : Promise.reject(error)));
    expect(await asked()).toBe(1);
    await admin.disconnect();
  });

  it('accepts and never answers while it is paused', async () => {
    broker.pause();
    const kafka = clientOf({ brokers: [broker.address], requestTimeout: 500, retry: { retries: 0 } });
    await expect(topicsSeen(kafka)).rejects.toThrow(/timed out/i);
    broker.resume();
    expect(await topicsSeen(clientOf({ brokers: [broker.address] }))).toContain('kept');
  });

  it('says that its port is taken', async () => {
    await expect(startBroker({ port: broker.port })).rejects.toThrow(`port ${broker.port} on 127.0.0.1 is taken`);
  });

  it('says what is wrong with its configuration', async () => {
    const started = startBroker({ properties: { 'log.retention.hours': 'many' } });
    await expect(started).rejects.toThrow(/log\.retention\.hours/);
  });
});

describe.skipIf(noOwnBroker)('a broker with TLS and passwords', () => {
  const users = { alice: 'her password', bob: 'his-password' };
  let broker: Broker;
  beforeAll(async () => {
    const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
    broker = await startBroker({ security: { tls: true, clientCertificates: true, sasl: { mechanisms, users } } });
  }, 180_000);
  afterAll(() => broker?.stop());

  const tls = () => ({
    ca: [readFileSync(broker.certificates!.caFile, 'utf8')],
    cert: readFileSync(broker.certificates!.clientCertFile, 'utf8'),
    key: readFileSync(broker.certificates!.clientKeyFile, 'utf8'),
  });

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('takes the right password by %s only', async (how) => {
    const brokers = [broker.address];
    const sasl = (password: string) => ({ mechanism: how, username: 'alice', password }) as SASLOptions;
    expect(await topicsSeen(clientOf({ brokers, ssl: tls(), sasl: sasl(users.alice) }))).toEqual([]);
    await expect(topicsSeen(clientOf({ brokers, ssl: tls(), sasl: sasl('wrong') }))).rejects.toThrow(/authentication/i);
  });

  it('refuses who has no certificate, and who has no password', async () => {
    const brokers = [broker.address];
    const sasl = { mechanism: 'plain', username: 'alice', password: users.alice } as const;
    await expect(
      topicsSeen(clientOf({ brokers, ssl: { ca: tls().ca }, sasl, retry: { retries: 0 } })),
    ).rejects.toThrow();
    await expect(topicsSeen(clientOf({ brokers, ssl: tls(), retry: { retries: 0 } }))).rejects.toThrow();
  });
});

describe.skipIf(noOwnBroker)('three brokers', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  }, 180_000);
  afterAll(() => cluster?.stop());

  it('take records in three copies, and go on without one of them', async () => {
    const kafka = clientOf({ brokers: [...cluster.addresses], retry: { retries: 20 } });
    await createTopic(kafka, 'copied');
    const admin = kafka.admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: ['copied'] });
    const { leader, replicas } = topics[0]!.partitions[0]!;
    expect(replicas).toHaveLength(3);
    await admin.disconnect();
    await cluster.brokers.find((one) => one.nodeId === leader)!.kill();
    await write(kafka, 'copied', 'all the same');
  });
});

describe.skipIf(noOwnBroker)('a process that started a broker', () => {
  it('takes it along when it is killed', async () => {
    const source = `
      import { startBroker } from '${new URL('../../kafka/broker.ts', import.meta.url)}';
      const broker = await startBroker();
      console.log(broker.pid);
      setInterval(() => {}, 1_000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
    const pid = Number((await lines.next()).value);
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  }, 180_000);
});
