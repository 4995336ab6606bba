/** The log on Kafka when the broker is away, silent or differently set up: one clear line, nothing lost, recovery. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ITopicConfig, Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Log, NewRecord } from '../../../runtime/log/port.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../../runtime/telemetry/metrics.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { type Broker, startBroker } from '../../kafka/broker.ts';
import { freshPrefix, noOwnBroker } from '../../kafka/for-tests.ts';
import { bytes, consume, createRecorder, until } from './harness.ts';
import { kafkaConfig, kafkaHarness, type OpenOptions, openKafkaLog } from './kafka-harness.ts';

const HOUR = 3_600_000;
const record = (key: string, value: string): NewRecord => ({ kind: RecordKind.spans, key, value: bytes(value) });

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly reason?: string;
}
const WARNINGS = ['warn', 'error'];

describe.skipIf(noOwnBroker)('a broker with faults', () => {
  let broker: Broker;
  let prefix: string;
  let lines: Line[];
  let metrics: Metrics;
  const logs: Log[] = [];
  const children: ChildProcess[] = [];
  const harness = kafkaHarness(kafkaConfig(['unused'], ''));

  beforeAll(async () => {
    broker = await startBroker({
      properties: { 'log.retention.check.interval.ms': 300, 'log.initial.task.delay.ms': 0 },
    });
  });
  afterAll(() => broker?.stop());
  beforeEach(() => {
    prefix = freshPrefix();
    lines = [];
    metrics = createMetrics();
  });
  afterEach(async () => {
    broker.resume(); // a test that failed in between left it silent
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await Promise.all(logs.splice(0).map((log) => log.stop(3_000)));
  });

  const logger = () =>
    createLogger({ name: 'test', level: 'info' }, { stream: { write: (line) => lines.push(JSON.parse(line)) } });
  const config = (settings = {}) => kafkaConfig([broker.address], prefix, { requestTimeoutMs: 2_000, ...settings });
  async function open(settings = {}, options: OpenOptions = {}): Promise<Log> {
    const log = await openKafkaLog(config(settings), { logger: logger(), metrics, ...options });
    logs.push(log);
    return log;
  }
  const warnings = (wanted: RegExp) => lines.filter(({ level, msg }) => WARNINGS.includes(level) && wanted.test(msg));
  const gauge = async (name: string): Promise<string | undefined> =>
    (await metrics.text()).split('\n').find((line) => line.startsWith(`spanwarden_${name}`));

  async function admin<T>(use: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
    const own = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
    await own.connect();
    try {
      return await use(own);
    } finally {
      await own.disconnect();
    }
  }
  const createTopic = (topic: ITopicConfig) =>
    admin((own) => own.createTopics({ topics: [topic], waitForLeaders: true }));

  describe('away', () => {
    test('at start: waited for with one line and a gauge, and reached by itself when it is back', async () => {
      await broker.kill();
      const opening = open();
      await until(harness, () => warnings(/cannot be used/).length > 0);
      expect(warnings(/cannot be used/)[0]!.reason).toBe('nothing listens there');
      expect(await gauge('log_kafka_unreachable_brokers')).toBe('spanwarden_log_kafka_unreachable_brokers 1');
      const before = performance.now();
      for (let i = 0; i < 100; i++) await harness.turn();
      expect(performance.now() - before).toBeGreaterThan(400); // several attempts later
      expect(warnings(/./)).toHaveLength(1);
      await broker.restart();
      const log = await opening;
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR });
      await log.produce('spans', [record('k', 'v')]);
      expect(await gauge('log_kafka_unreachable_brokers')).toBe('spanwarden_log_kafka_unreachable_brokers 0');
    });

    test('a start that waits for it can be stopped', async () => {
      await broker.kill();
      const { createKafkaLog } = await import('../../../runtime/log/kafka/log.ts');
      const log = createKafkaLog({ kafka: config(), queueBytes: 1_048_576 }, { logger: logger() });
      const starting = log.start();
      starting.catch(() => {});
      await until(harness, () => warnings(/cannot be used/).length > 0);
      await log.stop(1_000);
      await expect(starting).rejects.toMatchObject({ code: 'STOPPED' });
      await broker.restart();
    });

    test('in the middle: refused in time, nothing acknowledged is lost, the consumer keeps its partitions and goes on', async () => {
      const log = await open();
      await log.ensureTopic('spans', { partitions: 2, retentionMs: HOUR });
      const recorder = createRecorder();
      const consumer = await consume(log, 'g', recorder);
      const acknowledged: string[] = [];
      const send = async (value: string): Promise<void> => {
        await log.produce('spans', [record(value, value)]);
        acknowledged.push(value);
      };
      for (let i = 0; i < 50; i++) await send(`before ${i}`);
      await until(harness, () => recorder.records.length === 50);

      await broker.kill();
      const idlesBefore = recorder.idleTimes.length;
      const startedAt = performance.now();
      await expect(send('lost')).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', retryable: true });
      expect(performance.now() - startedAt).toBeLessThan(6_000);
      // the broker's silence is not taken for idleness of its partitions
      const late = recorder.idleTimes.slice(idlesBefore).filter((ms) => ms > Date.now() - 1_000);
      expect(late).toEqual([]);
      expect(warnings(/cannot be used/)).toHaveLength(1);

      const restarted = performance.now();
      await broker.restart();
      let tries = 0;
      await until(harness, async () => {
        try {
          await send(`after ${tries++}`);
          return true;
        } catch {
          return false;
        }
      });
      for (let i = 0; i < 50; i++) await send(`then ${i}`);
      await until(harness, () => acknowledged.every((value) => recorder.values().includes(value)));
      expect(performance.now() - restarted).toBeLessThan(30_000);
      expect(recorder.told.filter(({ what }) => what === 'revoked')).toEqual([]);
      const assignment = recorder.assignments.get(0)!;
      expect(await consumer.commit(assignment, 1)).toBe(true);
      expect(lines.some(({ msg }) => msg === 'Kafka broker answers again')).toBe(true);
    });

    test('silent, with connections open: refused in time, and reached again when it answers', async () => {
      const log = await open({ requestTimeoutMs: 1_000, sessionTimeoutMs: 30_000 });
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR });
      const recorder = createRecorder();
      await consume(log, 'g', recorder);
      await log.produce('spans', [record('k', 'one')]);
      await until(harness, () => recorder.records.length === 1);
      broker.pause();
      await expect(log.produce('spans', [record('k', 'unknown')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      await expect(log.offsets('spans')).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      expect(warnings(/cannot be used/)[0]!.reason).toMatch(/did not answer in time/);
      expect(warnings(/cannot be used/)).toHaveLength(1);
      broker.resume();
      await until(harness, async () => {
        try {
          await log.produce('spans', [record('k', 'two')]);
          return true;
        } catch {
          return false;
        }
      });
      await until(harness, () => recorder.values().includes('two'));
    });

    test('silent for longer than the session: ours is not confirmed until it answers, soon after it does', async () => {
      // commits and metadata wait long; heartbeats must not wait with them
      const log = await open({ requestTimeoutMs: 20_000, sessionTimeoutMs: 3_000 });
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR });
      const recorder = createRecorder();
      const consumer = await consume(log, 'g', recorder);
      await until(harness, () => recorder.assignments.size === 1);
      expect(consumer.confirmed()).toBe(true);
      broker.pause();
      let answered = false;
      const commit = consumer
        .commit(recorder.assignments.get(0)!, 0)
        .catch(() => false)
        .finally(() => {
          answered = true;
        });
      await until(harness, () => !consumer.confirmed());
      expect(answered).toBe(false); // long before the commit is given up
      broker.resume();
      await until(harness, () => consumer.confirmed());
      await commit;
    });
  });

  describe('topics', () => {
    test('deleted: made again, written and read again', async () => {
      const log = await open();
      await log.ensureTopic('spans', { partitions: 2, retentionMs: HOUR });
      const recorder = createRecorder();
      await consume(log, 'g', recorder);
      for (let i = 0; i < 20; i++) await log.produce('spans', [record(`${i}`, `old ${i}`)]);
      await until(harness, () => recorder.records.length === 20);
      for (const assignment of recorder.assignments.values()) expect(assignment.committed).toBe(0);
      await admin((own) => own.deleteTopics({ topics: [`${prefix}spans`] }));
      await until(harness, async () => {
        try {
          await log.produce('spans', [record('k', 'new')]);
          return true;
        } catch {
          return false;
        }
      });
      await until(harness, () => recorder.values().includes('new'));
      expect(recorder.told.filter(({ what }) => what === 'revoked').length).toBeGreaterThanOrEqual(2);
      expect(recorder.records.at(-1)!.offset).toBeLessThan(2);
      expect(warnings(/created again/)).toHaveLength(1);
    });

    test('with other partitions than configured: named at start', async () => {
      await createTopic({ topic: `${prefix}spans`, numPartitions: 2 });
      const log = await open();
      await expect(log.ensureTopic('spans', { partitions: 4, retentionMs: HOUR })).rejects.toMatchObject({
        code: 'SCHEMA_MISMATCH',
        message: expect.stringMatching(/has 2 partitions, not 4/),
      });
    });

    test.each([
      ['compact', { name: 'cleanup.policy', value: 'compact' }, /cleanup\.policy=compact.*kafka-configs/],
      [
        'CreateTime',
        { name: 'message.timestamp.type', value: 'CreateTime' },
        /message\.timestamp\.type=CreateTime.*kafka-configs/,
      ],
    ])('with %s: named at start, with the way out', async (_, entry, message) => {
      const others =
        entry.name === 'message.timestamp.type' ? [] : [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
      await createTopic({ topic: `${prefix}spans`, numPartitions: 1, configEntries: [entry, ...others] });
      const log = await open();
      await expect(log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR })).rejects.toMatchObject({
        code: 'SCHEMA_MISMATCH',
        message: expect.stringMatching(message),
      });
    });

    test('that keep or take less than configured are told, and used', async () => {
      const configEntries = [
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        { name: 'retention.ms', value: '1000000' },
        { name: 'max.message.bytes', value: '100000' },
      ];
      await createTopic({ topic: `${prefix}spans`, numPartitions: 1, configEntries });
      const log = await open({ compression: 'none' });
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR });
      expect(warnings(/less long than configured/)).toHaveLength(1);
      expect(warnings(/smaller records than/)).toHaveLength(1);
      // batches larger than the topic takes are made smaller; one record cannot be
      const value = new Uint8Array(30_000);
      const large = log.produce('spans', [{ kind: RecordKind.spans, key: 'large', value: new Uint8Array(150_000) }]);
      const others = Promise.all(
        Array.from({ length: 20 }, (_, i) => log.produce('spans', [{ kind: RecordKind.spans, key: `${i}`, value }])),
      );
      await expect(large).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE', retryable: false });
      await others;
      await log.produce('spans', [record('later', 'fits')]);
      const keys = (await log.read('spans', 0, 0, 100)).map(({ key }) => key);
      expect(keys).toEqual([...Array.from({ length: 20 }, (_, i) => `${i}`), 'later']);
      expect(await gauge('log_rejected_total')).toMatch(/RECORD_TOO_LARGE.* 1$/);
    });

    test('records older than the retention go, and offsets stay', async () => {
      const log = await open();
      await log.ensureTopic('spans', { partitions: 1, retentionMs: 300 });
      for (let i = 0; i < 50; i++) await log.produce('spans', [record('k', `${i}`)]);
      await until(harness, async () => (await log.offsets('spans')).earliest[0] === 50);
      expect(await log.read('spans', 0, 0, 10)).toEqual([]);
      await log.produce('spans', [record('k', 'later')]);
      expect((await log.read('spans', 0, 0, 10)).map((r) => r.offset)).toEqual([50]);
    });

    test('beyond the size of a topic the oldest records go, and a slow consumer goes on with what is left', async () => {
      const log = await open({ compression: 'none' });
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR, retentionBytes: 2_000_000 });
      const value = new Uint8Array(100_000);
      const recorder = createRecorder();
      const consumer = await consume(log, 'g', recorder, { maxBatchBytes: 1 });
      await until(harness, () => recorder.assignments.size === 1);
      consumer.pause(0);
      for (let i = 0; i < 100; i++) await log.produce('spans', [{ kind: RecordKind.spans, key: `${i}`, value }]);
      let earliest = 0;
      await until(harness, async () => {
        earliest = (await log.offsets('spans')).earliest[0]!;
        return earliest >= 60;
      });
      consumer.seek(0, 0); // what had been fetched before it was paused is not what this is about
      consumer.resume(0);
      await until(harness, async () => (await consumer.lag()).get(0) === 0);
      const first = recorder.records[0]!.offset;
      expect(first).toBeGreaterThanOrEqual(earliest);
      expect(recorder.records.map(({ offset }) => offset)).toEqual(
        Array.from({ length: 100 - first }, (_, i) => first + i),
      );
      expect(warnings(/removed by retention/)).toHaveLength(1);
      expect(await gauge('log_skipped_records_total')).toMatch(new RegExp(` ${first}$`));
    });

    test('records that were fetched before retention took what follows them are read; only the others are skipped', async () => {
      const log = await open({ compression: 'none' });
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR, retentionBytes: 2_000_000 });
      const value = new Uint8Array(100_000);
      const send = (i: number) => log.produce('spans', [{ kind: RecordKind.spans, key: `${i}`, value }]);
      const gate = Promise.withResolvers<void>();
      // taken slowly, so that some are there when the broker says that what follows is gone
      const counted = async (): Promise<boolean> => / [1-9]\d*$/.test((await gauge('log_skipped_records_total')) ?? '');
      const recorder = createRecorder({
        async onBatch() {
          await gate.promise;
          const endMs = performance.now() + 250;
          while (performance.now() < endMs && !(await counted())) await harness.turn();
        },
      });
      for (let i = 0; i < 15; i++) await send(i);
      await consume(log, 'g', recorder, { maxBatchRecords: 1, maxBatchBytes: 400_000 });
      await until(harness, () => recorder.records.length === 1);
      let earliest = 0;
      for (let i = 15; earliest < 40; i++) {
        await send(i);
        earliest = (await log.offsets('spans')).earliest[0]!;
      }
      const { latest } = await log.offsets('spans');
      gate.resolve();
      await until(harness, () => recorder.records.at(-1)!.offset === latest[0]! - 1);
      const offsets = recorder.records.map(({ offset }) => offset);
      const gap = offsets.findIndex((offset, i) => i > 0 && offset !== offsets[i - 1]! + 1);
      expect(gap).toBeGreaterThan(1); // what was there already came, in order
      expect(offsets.slice(gap)).toEqual(
        Array.from({ length: latest[0]! - offsets[gap]! }, (_, i) => offsets[gap]! + i),
      );
      const skipped = offsets[gap]! - offsets[gap - 1]! - 1;
      expect(await gauge('log_skipped_records_total')).toMatch(new RegExp(` ${skipped}$`));
    });

    test('a start beyond the end is asked for again, ever more slowly, with one line', async () => {
      const log = await open();
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR });
      await log.produce('spans', [record('k', 'v')]);
      let asked = 0;
      const recorder = createRecorder({ start: () => (++asked < 7 ? 1_000 : undefined) });
      const startedMs = performance.now();
      await consume(log, 'g', recorder);
      await until(harness, () => recorder.records.length === 1);
      expect(performance.now() - startedMs).toBeGreaterThan(2_000);
      expect(asked).toBe(7);
      expect(warnings(/ends before the position/)).toHaveLength(1);
      expect(warnings(/partitions revoked/)).toHaveLength(1);
    });
  });

  describe('members', () => {
    /** A process that consumes and commits what it reads; each line it prints is one thing that happened. */
    function startMember(group: string) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'kafka-child.ts'), broker.address, prefix, group],
        {
          stdio: ['pipe', 'pipe', 'inherit'],
        },
      );
      children.push(child);
      const seen: string[] = [];
      const waiting = new Set<() => void>();
      createInterface({ input: child.stdout! }).on('line', (line) => {
        seen.push(line);
        for (const check of waiting) check();
      });
      const line = (wanted: (line: string) => boolean): Promise<string> =>
        new Promise((resolve) => {
          const check = () => {
            const found = seen.find(wanted);
            if (found === undefined) return;
            waiting.delete(check);
            resolve(found);
          };
          waiting.add(check);
          check();
        });
      return { child, seen, line };
    }

    test('kill -9 of one: the other has its partitions when the session ended; what was not committed comes again', async () => {
      const log = await open();
      await log.ensureTopic('spans', { partitions: 4, retentionMs: HOUR });
      const member = startMember('g');
      await member.line((line) => line === 'assigned 3');
      const recorder = createRecorder();
      await consume(log, 'g', recorder);
      await until(harness, () => recorder.assignments.size === 2);
      const ownedBefore = new Set(recorder.assignments.keys());
      for (let i = 0; i < 200; i++) await log.produce('spans', [record(`${i}`, `${i}`)]);
      await member.line((line) => line.startsWith('committed true'));
      member.child.kill('SIGKILL');
      for (let i = 200; i < 300; i++) await log.produce('spans', [record(`${i}`, `${i}`)]);
      await until(harness, () => recorder.assignments.size === 4);
      const { latest } = await log.offsets('spans');
      await until(harness, () => {
        const ends = latest.map((_, p) => recorder.records.findLast(({ partition }) => partition === p)?.offset ?? -1);
        return ends.every((offset, p) => offset + 1 === latest[p]);
      });
      const read = latest.map(() => new Set<number>());
      for (const line of member.seen) {
        const [, p, first, last] = /^read (\d+) (\d+) (\d+)$/.exec(line) ?? [];
        for (let offset = Number(first); offset <= Number(last); offset++) read[Number(p)]!.add(offset);
        const [, partition, next] = /^committed true (\d+) (\d+)$/.exec(line) ?? [];
        if (partition === undefined) continue;
        // a commit that was confirmed is where the other began, or before it
        const own = recorder.assignments.get(Number(partition))!;
        if (!ownedBefore.has(own.partition)) expect(own.committed).toBeGreaterThanOrEqual(Number(next));
      }
      for (const { partition, committed } of recorder.assignments.values()) {
        const own = recorder.records.filter((one) => one.partition === partition).map(({ offset }) => offset);
        expect(own).toEqual(Array.from({ length: latest[partition]! - committed }, (_, i) => committed + i));
        for (const offset of own) read[partition]!.add(offset);
        expect(read[partition]!.size).toBe(latest[partition]);
      }
    });

    test('one that hangs past its session is replaced; when it goes on its commit is refused and it is told', async () => {
      const log = await open();
      await log.ensureTopic('spans', { partitions: 1, retentionMs: HOUR });
      const hung = startMember('g');
      await hung.line((line) => line === 'assigned 0');
      const recorder = createRecorder();
      const consumer = await consume(log, 'g', recorder);
      hung.child.kill('SIGSTOP');
      await until(harness, () => recorder.assignments.size === 1);
      await log.produce('spans', [record('k', 'one'), record('k', 'two')]);
      await until(harness, () => recorder.records.length === 2);
      expect(await consumer.commit(recorder.assignments.get(0)!, 2)).toBe(true);
      hung.child.stdin!.write('commit 0 1\n');
      hung.child.kill('SIGCONT');
      await hung.line((line) => line === 'committed false 0 1');
      await hung.line((line) => line === 'revoked 0');
      await consumer.stop(2_000);
      const next = createRecorder();
      hung.child.kill('SIGKILL');
      await consume(log, 'g', next);
      await until(harness, () => next.assignments.size === 1);
      expect(next.assignments.get(0)!.committed).toBe(2);
    });
  });

  test('nothing is left behind: a stopped log has no connections, no timers', async () => {
    const member = spawn(
      process.execPath,
      [join(import.meta.dirname, 'kafka-child.ts'), broker.address, prefix, 'once', 'and stop'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(member);
    const code = await new Promise((resolve) => member.on('exit', resolve));
    expect(code).toBe(0);
  });
});
