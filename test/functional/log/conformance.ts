/** What every log must do, whatever stands behind the port. Run by one test file a log. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { partitionOf } from '../../../runtime/log/partitioner.ts';
import type { Assignment, Consumer, Log, NewRecord } from '../../../runtime/log/port.ts';
import { RecordKind, TOPICS } from '../../../schemas/log/topics.ts';
import { bytes, consume, createRecorder, type LogHarness, text, until } from './harness.ts';

const HOUR = 3_600_000;
const record = (key: string, value: string): NewRecord => ({ kind: RecordKind.spans, key, value: bytes(value) });
const numbered = (from: number, count: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => record(`key-${(from + i) % 13}`, String(from + i)));

export function describeLogConformance(name: string, createHarness: () => Promise<LogHarness>): void {
  describe(`${name} log`, () => {
    let harness: LogHarness;
    let log: Log;

    beforeEach(async () => {
      harness = await createHarness();
      log = await harness.open();
    });
    afterEach(async () => {
      await log.stop(1_000);
      await harness.close();
    });

    const create = (partitions: number, topic: (typeof TOPICS)[number] = 'spans'): Promise<void> =>
      log.ensureTopic(topic, { partitions, retentionMs: HOUR });

    const offsetsOf = async (consumer: Consumer, assignment: Assignment, next: number): Promise<void> => {
      expect(await consumer.commit(assignment, next)).toBe(true);
    };

    /** Every record of a topic, by partition. */
    async function contents(from: Log = log): Promise<string[][]> {
      const { earliest, latest } = await from.offsets('spans');
      return Promise.all(
        latest.map(async (_, p) => (await from.read('spans', p, earliest[p]!, 1_000_000)).map((r) => text(r.value))),
      );
    }

    describe('records', () => {
      test('a key always goes to the partition Java would choose, in the order of its records', async () => {
        await create(4);
        for (let i = 0; i < 10; i++) await log.produce('spans', numbered(i * 20, 20));
        const all = await contents();
        expect(all.flat()).toHaveLength(200);
        for (let p = 0; p < 4; p++) {
          const values = all[p]!.map(Number);
          expect(values.every((value) => partitionOf(`key-${value % 13}`, 4) === p)).toBe(true);
          expect(values).toEqual(values.toSorted((a, b) => a - b));
        }
      });

      test('produce calls that are not awaited keep their order too', async () => {
        await create(1);
        await Promise.all(Array.from({ length: 300 }, (_, i) => log.produce('spans', [record('k', String(i))])));
        expect((await contents())[0]!.map(Number)).toEqual(Array.from({ length: 300 }, (_, i) => i));
      });

      test('offsets begin at 0 and have no gaps; append times never go back', async () => {
        await create(2);
        const before = harness.now();
        for (let i = 0; i < 20; i++) await log.produce('spans', numbered(i * 7, 7));
        const { earliest, latest } = await log.offsets('spans');
        expect(earliest).toEqual([0, 0]);
        expect(latest[0]! + latest[1]!).toBe(140);
        for (const p of [0, 1]) {
          const records = await log.read('spans', p, 0, 1_000);
          expect(records.map((r) => r.offset)).toEqual(Array.from({ length: latest[p]! }, (_, i) => i));
          const times = records.map((r) => r.appendMs);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          expect(times[0]).toBeGreaterThanOrEqual(before);
          expect(times.at(-1)).toBeLessThanOrEqual(harness.now());
        }
      });

      test('kind, key and value come back as they went in: empty, not ASCII, large', async () => {
        await create(1);
        const large = new Uint8Array(3 * 1_048_576).map((_, i) => i % 251);
        const sent: NewRecord[] = [
          { kind: RecordKind.originAsk, key: '', value: new Uint8Array() },
          { kind: RecordKind.spans, key: 'schlüssel-鍵', value: bytes('x') },
          { kind: RecordKind.spans, key: 'a', value: large },
          { kind: RecordKind.version, key: 'b', value: bytes('after') },
        ];
        await log.produce('spans', sent);
        const got = await log.read('spans', 0, 0, 10);
        expect(got.map(({ kind, key }) => ({ kind, key }))).toEqual(sent.map(({ kind, key }) => ({ kind, key })));
        for (let i = 0; i < sent.length; i++) expect(Buffer.compare(got[i]!.value, sent[i]!.value)).toBe(0);
      });

      test('a record may name its partition, but only one that exists', async () => {
        await create(3);
        await log.produce('spans', [{ ...record('same', 'a'), partition: 2 }]);
        expect((await log.offsets('spans')).latest).toEqual([0, 0, 1]);
        await expect(log.produce('spans', [{ ...record('same', 'a'), partition: 3 }])).rejects.toThrow(
          /no partition 3/,
        );
      });

      test('read() is bounded, starts anywhere and is empty at the end', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 100));
        expect((await log.read('spans', 0, 37, 3)).map((r) => r.offset)).toEqual([37, 38, 39]);
        expect(await log.read('spans', 0, 100, 3)).toEqual([]);
      });

      test('a value may be changed by its sender once the produce call ended', async () => {
        await create(1);
        const value = bytes('before');
        await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value }]);
        value.fill(0);
        expect(await contents()).toEqual([['before']]);
      });
    });

    describe('topics', () => {
      test('all topics live side by side', async () => {
        for (const topic of TOPICS) await create(2, topic);
        await Promise.all(TOPICS.map((topic) => log.produce(topic, [{ ...record('k', topic), partition: 1 }])));
        for (const topic of TOPICS) {
          expect((await log.offsets(topic)).latest).toEqual([0, 1]);
          expect(text((await log.read(topic, 1, 0, 5))[0]!.value)).toBe(topic);
        }
      });

      test('ensureTopic may be repeated, but not with other partitions', async () => {
        await create(2);
        await log.produce('spans', numbered(0, 5));
        await create(2);
        expect(await log.partitions('spans')).toBe(2);
        expect((await contents()).flat()).toHaveLength(5);
        await expect(create(3)).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' });
      });

      test('a topic that does not exist yet is unavailable, which may change', async () => {
        const failure = { code: 'LOG_UNAVAILABLE', retryable: true };
        await expect(log.produce('findings', [record('k', 'v')])).rejects.toMatchObject(failure);
        await expect(log.partitions('findings')).rejects.toMatchObject(failure);
        await create(1, 'findings');
        await log.produce('findings', [record('k', 'v')]);
      });

      test('a consumer may be started before its topic exists', async () => {
        const recorder = createRecorder();
        const consumer = await consume(log, 'g', recorder, { topic: 'baselines' });
        await harness.turn();
        await create(1, 'baselines');
        await log.produce('baselines', [record('k', 'v')]);
        await until(harness, () => recorder.records.length === 1);
        await consumer.stop(1_000);
      });
    });

    describe('consumers', () => {
      test('gets every record in order, one call at a time', async () => {
        await create(4);
        await log.produce('spans', numbered(0, 500));
        const recorder = createRecorder();
        const consumer = await consume(log, 'g', recorder, { maxBatchRecords: 7 });
        await log.produce('spans', numbered(500, 500));
        await until(harness, () => recorder.records.length === 1_000);
        const seen = [0, 0, 0, 0];
        for (const { partition, offset } of recorder.records) expect(offset).toBe(seen[partition]!++);
        expect(recorder.overlaps()).toBe(0);
        expect(recorder.told.every(({ offsets }) => offsets === undefined || offsets.length <= 7)).toBe(true);
        expect([...(await consumer.lag()).values()]).toEqual([0, 0, 0, 0]);
        await consumer.stop(1_000);
      });

      test('batches are bounded in bytes, but a large record passes alone', async () => {
        await create(1);
        await log.produce(
          'spans',
          [400, 400, 400, 5_000, 10].map((size) => record('k', 'x'.repeat(size))),
        );
        const recorder = createRecorder();
        const consumer = await consume(log, 'g', recorder, { maxBatchBytes: 1_000 });
        await until(harness, () => recorder.records.length === 5);
        const batches = recorder.told.filter(({ what }) => what === 'batch').map(({ offsets }) => offsets);
        expect(batches).toEqual([[0, 1], [2], [3], [4]]);
        await consumer.stop(1_000);
      });

      test('without a commit everything comes again; after one, what follows it', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 10));
        const first = createRecorder();
        const one = await consume(log, 'g', first);
        await until(harness, () => first.records.length === 10);
        await one.stop(1_000);

        const second = createRecorder();
        const two = await consume(log, 'g', second);
        await until(harness, () => second.records.length === 10);
        await offsetsOf(two, second.assignments.get(0)!, 6);
        await two.stop(1_000);

        const third = createRecorder();
        const three = await consume(log, 'g', third);
        await until(harness, () => third.records.length === 4);
        expect(third.values()).toEqual(['6', '7', '8', '9']);
        await three.stop(1_000);
      });

      test('groups do not know of each other', async () => {
        await create(2);
        await log.produce('spans', numbered(0, 20));
        const [a, b] = [createRecorder(), createRecorder()];
        const one = await consume(log, 'a', a);
        await until(harness, () => a.records.length === 20);
        for (const assignment of a.assignments.values()) await offsetsOf(one, assignment, 10);
        const two = await consume(log, 'b', b);
        await until(harness, () => b.records.length === 20);
        await Promise.all([one.stop(1_000), two.stop(1_000)]);
      });

      test('from latest: only what comes after the group was made, even if it never commits', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 5));
        const first = createRecorder();
        const one = await consume(log, 'g', first, { from: 'latest' });
        await until(harness, () => first.assignments.size === 1);
        await log.produce('spans', numbered(5, 2));
        await until(harness, () => first.records.length === 2);
        expect(first.values()).toEqual(['5', '6']);
        await one.stop(1_000);
        const second = createRecorder();
        const two = await consume(log, 'g', second, { from: 'latest' });
        await until(harness, () => second.records.length === 2);
        expect(second.values()).toEqual(['5', '6']);
        await two.stop(1_000);
      });

      test('assigned() may choose where to start', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 10));
        const recorder = createRecorder({ start: () => 8 });
        const consumer = await consume(log, 'g', recorder);
        await until(harness, () => recorder.records.length === 2);
        expect(recorder.values()).toEqual(['8', '9']);
        await consumer.stop(1_000);
      });

      test('seek goes back and forward, also from inside a batch', async () => {
        await create(1);
        for (let i = 0; i < 10; i++) {
          await log.produce('spans', numbered(i, 1));
          const sentMs = harness.now();
          await until(harness, () => harness.now() > sentMs);
        }
        let again = true;
        const recorder = createRecorder({
          onBatch: (partition) => {
            if (again) consumer.seek(partition, 4);
            again = false;
          },
        });
        const consumer: Consumer = log.consumer({ topic: 'spans', group: 'g', handler: recorder, maxBatchRecords: 6 });
        await consumer.start();
        await until(harness, () => recorder.records.length === 12);
        expect(recorder.values()).toEqual(['0', '1', '2', '3', '4', '5', '4', '5', '6', '7', '8', '9']);
        consumer.seek(0, 9);
        await until(harness, () => recorder.records.length === 13);
        expect(recorder.values().at(-1)).toBe('9');
        // what comes again has the append times that it had
        const times = new Map(recorder.records.slice(0, 6).map(({ offset, appendMs }) => [offset, appendMs]));
        const again4and5 = recorder.records.slice(6, 8).map(({ appendMs }) => appendMs);
        expect(again4and5).toEqual([times.get(4), times.get(5)]);
        expect(times.get(4)).toBeLessThan(times.get(5)!);
        await consumer.stop(1_000);
      });

      test('is confirmed while partitions are its own', async () => {
        await create(1);
        const recorder = createRecorder();
        const consumer = log.consumer({ topic: 'spans', group: 'g', handler: recorder });
        expect(consumer.confirmed()).toBe(false);
        await consumer.start();
        await until(harness, () => recorder.assignments.size === 1);
        expect(consumer.confirmed()).toBe(true);
        await consumer.stop(1_000);
        expect(consumer.confirmed()).toBe(false);
      });

      test('a paused partition is silent, the others go on; resume continues where it was', async () => {
        await create(2);
        const recorder = createRecorder();
        const consumer = await consume(log, 'g', recorder);
        await until(harness, () => recorder.assignments.size === 2);
        consumer.pause(0);
        await log.produce(
          'spans',
          [0, 1].flatMap((p) => [{ ...record('k', `${p}`), partition: p }]),
        );
        await until(harness, () => recorder.records.length === 1);
        await until(harness, () => recorder.told.some(({ what, partition }) => what === 'idle' && partition === 1));
        for (let i = 0; i < 5; i++) await harness.turn();
        expect(recorder.values()).toEqual(['1']);
        expect((await consumer.lag()).get(0)).toBe(1);
        consumer.resume(0);
        await until(harness, () => recorder.records.length === 2);
        expect(recorder.values()).toEqual(['1', '0']);
        await consumer.stop(1_000);
      });

      test('idle is told again and again while a partition has nothing new, with a time that does not go back', async () => {
        await create(2);
        await log.produce('spans', [{ ...record('k', 'v'), partition: 0 }]);
        const recorder = createRecorder();
        const consumer = await consume(log, 'g', recorder);
        const idles = (p: number) => recorder.told.filter(({ what, partition }) => what === 'idle' && partition === p);
        await until(harness, () => idles(0).length >= 3 && idles(1).length >= 3);
        expect(recorder.records).toHaveLength(1);
        expect(recorder.idleTimes).toEqual(recorder.idleTimes.toSorted((a, b) => a - b));
        expect(recorder.idleTimes.at(-1)).toBeLessThanOrEqual(harness.now());
        await consumer.stop(1_000);
      });

      test('a handler that fails ends the consumer, and the next one gets the same records', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 3));
        const failing = createRecorder({
          onBatch: () => {
            throw new Error('cannot store');
          },
        });
        const consumer = await consume(log, 'g', failing);
        await expect(consumer.ended).rejects.toThrow('cannot store');
        expect(failing.told.at(-1)?.what).toBe('revoked');
        const next = createRecorder();
        const other = await consume(log, 'g', next);
        await until(harness, () => next.records.length === 3);
        await other.stop(1_000);
      });
    });

    describe('groups', () => {
      test('one member is active; when it stops, a stand-by goes on from its commit', async () => {
        await create(2);
        await log.produce('spans', numbered(0, 20));
        const [a, b] = [createRecorder(), createRecorder()];
        const one = await consume(log, 'g', a, { exclusive: true });
        await until(harness, () => a.records.length === 20);
        const two = await consume(log, 'g', b, { exclusive: true });
        for (let i = 0; i < 5; i++) await harness.turn();
        expect(b.told).toEqual([]);
        const { latest } = await log.offsets('spans');
        for (const assignment of a.assignments.values())
          expect(await one.commit(assignment, latest[assignment.partition]! - 1)).toBe(true);
        await one.stop(1_000);
        expect(a.told.filter(({ what }) => what === 'revoked')).toHaveLength(2);
        await until(harness, () => b.records.length === 2);
        expect(b.records.map((r) => r.offset)).toEqual(latest.map((end) => end - 1));
        await two.stop(1_000);
      });

      test('members that share the partitions have each one owner, keep what they have, and see every record', async ({
        skip,
      }) => {
        if (!harness.shares) return skip('one member is active on this machine');
        await create(4);
        await log.produce('spans', numbered(0, 200));
        const other = await harness.open();
        const [a, b] = [createRecorder(), createRecorder()];
        const one = await consume(log, 'g', a);
        await until(harness, () => a.records.length === 200);
        const ownedBefore = [...a.assignments.keys()];
        expect(ownedBefore.toSorted()).toEqual([0, 1, 2, 3]);
        const { latest } = await log.offsets('spans');
        for (const assignment of a.assignments.values())
          await offsetsOf(one, assignment, latest[assignment.partition]!);

        const two = await consume(other, 'g', b);
        await until(harness, () => a.assignments.size === 2 && b.assignments.size === 2);
        expect([...a.assignments.keys(), ...b.assignments.keys()].toSorted()).toEqual([0, 1, 2, 3]);
        expect(a.told.filter(({ what }) => what === 'assigned')).toHaveLength(4); // those it keeps are not told again
        for (const assignment of a.assignments.values())
          await offsetsOf(one, assignment, latest[assignment.partition]!);
        await log.produce('spans', numbered(200, 200));
        await until(harness, () => a.records.length + b.records.length === 400);
        expect(new Set([...a.values(), ...b.values()]).size).toBe(400);

        // what a had not committed comes again to b
        await one.stop(1_000);
        await until(harness, () => b.assignments.size === 4 && b.records.length === 200);
        await two.stop(1_000);
        await other.stop(1_000);
        expect(a.overlaps() + b.overlaps()).toBe(0);
      });

      test('hand-over works between processes, and the generation grows', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 4));
        const other = await harness.open();
        const [a, b] = [createRecorder(), createRecorder()];
        const one = await consume(log, 'g', a);
        await until(harness, () => a.records.length === 4);
        const before = a.assignments.get(0)!;
        const two = await consume(other, 'g', b);
        await one.stop(1_000);
        await until(harness, () => b.records.length === 4);
        expect(b.assignments.get(0)!.generation).toBeGreaterThan(before.generation);
        await two.stop(1_000);
        await other.stop(1_000);
      });

      test('a commit of a former owner is refused and changes nothing', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 10));
        const [a, b, c] = [createRecorder(), createRecorder(), createRecorder()];
        const one = await consume(log, 'g', a);
        await until(harness, () => a.records.length === 10);
        const stale = a.assignments.get(0)!;
        await one.stop(1_000);
        const two = await consume(log, 'g', b);
        await until(harness, () => b.records.length === 10);
        expect(await two.commit(b.assignments.get(0)!, 8)).toBe(true);
        expect(await one.commit(stale, 3)).toBe(false);
        expect(await two.commit(stale, 2)).toBe(false);
        await two.stop(1_000);
        const three = await consume(log, 'g', c);
        await until(harness, () => c.records.length === 2);
        expect(c.assignments.get(0)!.committed).toBe(8);
        await three.stop(1_000);
      });

      test('records written by another process arrive', async () => {
        await create(1);
        const other = await harness.open();
        const recorder = createRecorder();
        const consumer = await consume(log, 'g', recorder);
        await until(harness, () => recorder.assignments.size === 1);
        await other.produce('spans', numbered(0, 3));
        await until(harness, () => recorder.records.length === 3);
        await log.produce('spans', numbered(3, 3));
        await other.produce('spans', numbered(6, 3));
        await until(harness, () => recorder.records.length === 9);
        expect(recorder.values().map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
        await consumer.stop(1_000);
        await other.stop(1_000);
      });

      test('a crash leaves what was acknowledged and committed; the rest comes again', async ({ skip }) => {
        const crash = harness.crash;
        if (!crash) return skip('shown with a killed child process instead');
        await create(2);
        await log.produce('spans', numbered(0, 20));
        const first = createRecorder();
        const one = await consume(log, 'g', first);
        await until(harness, () => first.records.length === 20);
        await one.commit(first.assignments.get(0)!, 3);
        crash(log);
        await expect(log.produce('spans', numbered(20, 1))).rejects.toMatchObject({ code: 'STOPPED' });
        log = await harness.open();
        const second = createRecorder();
        const two = await consume(log, 'g', second);
        await until(harness, () => second.records.length === 17);
        expect(first.told.at(-1)?.what).not.toBe('revoked');
        await two.stop(1_000);
      });
    });

    describe('bounds', () => {
      test('nothing is lost when the log is closed and opened again', async () => {
        await create(3);
        await log.produce('spans', numbered(0, 100));
        const before = await contents();
        await log.stop(1_000);
        log = await harness.open();
        expect(await contents()).toEqual(before);
        await log.produce('spans', numbered(100, 1));
        expect((await contents()).flat()).toHaveLength(101);
      });

      test('a full queue is LOG_FULL, retryable; what was acknowledged is there, what was refused is not', async () => {
        const small = await harness.open({ queueBytes: 1_048_576 });
        await create(1);
        const value = new Uint8Array(100_000);
        const outcomes = await Promise.allSettled(
          Array.from({ length: 30 }, (_, i) =>
            small.produce('spans', [{ kind: RecordKind.spans, key: `${i}`, value }]),
          ),
        );
        const refused = outcomes.filter((one) => one.status === 'rejected');
        expect(refused.length).toBeGreaterThan(15);
        for (const one of refused) expect(one.reason).toMatchObject({ code: 'LOG_FULL', retryable: true });
        const there = (await log.read('spans', 0, 0, 100)).map((r) => Number(r.key));
        expect(there).toEqual(outcomes.flatMap((one, i) => (one.status === 'fulfilled' ? [i] : [])));
        await small.produce('spans', [record('later', 'fits again')]);
        await small.produce('spans', [{ kind: RecordKind.spans, key: 'big', value: new Uint8Array(2_000_000) }]);
        await small.stop(1_000);
      });

      test('records older than the retention go, and offsets stay', async ({ skip }) => {
        if (harness.slowRetention) return skip('shown with a broker of its own');
        await log.ensureTopic('spans', { partitions: 1, retentionMs: 300 });
        await log.produce('spans', numbered(0, 50));
        await until(harness, async () => (await log.offsets('spans')).earliest[0] === 50);
        expect(await log.read('spans', 0, 0, 10)).toEqual([]);
        await log.produce('spans', numbered(50, 1));
        expect((await log.read('spans', 0, 0, 10)).map((r) => r.offset)).toEqual([50]);
      });

      test('beyond the size of a topic the oldest records go, and a slow consumer goes on with what is left', async ({
        skip,
      }) => {
        if (harness.slowRetention) return skip('shown with a broker of its own');
        await log.ensureTopic('spans', { partitions: 2, retentionMs: HOUR, retentionBytes: 1_000_000 });
        const value = new Uint8Array(50_000);
        const recorder = createRecorder();
        const consumer = await consume(log, 'g', recorder);
        await until(harness, () => recorder.assignments.size === 2);
        consumer.pause(0);
        consumer.pause(1);
        for (let i = 0; i < 60; i++)
          await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value, partition: i % 2 }]);
        let earliest: readonly number[] = [];
        await until(harness, async () => {
          earliest = (await log.offsets('spans')).earliest;
          return 60 - earliest[0]! - earliest[1]! === 19;
        });
        // the oldest go, so the partitions keep about the same age
        expect(Math.abs(earliest[0]! - earliest[1]!)).toBeLessThanOrEqual(3);
        consumer.resume(0);
        consumer.resume(1);
        await until(harness, async () => [...(await consumer.lag()).values()].every((lag) => lag === 0));
        expect(recorder.records.length).toBe(19);
        await consumer.stop(1_000);
      });

      test('stop waits for the batch under way, whose commit still counts', async () => {
        await create(1);
        await log.produce('spans', numbered(0, 4));
        const reached = Promise.withResolvers<void>();
        const go = Promise.withResolvers<void>();
        const commits: boolean[] = [];
        const recorder = createRecorder({
          onBatch: async (partition) => {
            reached.resolve();
            await go.promise;
            commits.push(await consumer.commit(recorder.assignments.get(partition)!, 4));
          },
        });
        const consumer: Consumer = log.consumer({ topic: 'spans', group: 'g', handler: recorder });
        await consumer.start();
        await reached.promise;
        const stopping = consumer.stop(5_000);
        go.resolve();
        await stopping;
        expect(commits).toEqual([true]);
        expect(recorder.told.map(({ what }) => what)).toEqual(['assigned', 'batch', 'revoked']);
        await consumer.ended;
      });

      test('stopping the log writes what waits, then refuses', async () => {
        await create(1);
        const waiting = Promise.all(Array.from({ length: 20 }, (_, i) => log.produce('spans', numbered(i, 1))));
        const stopping = log.stop(5_000);
        await waiting;
        await stopping;
        await expect(log.produce('spans', numbered(0, 1))).rejects.toMatchObject({ code: 'STOPPED' });
        log = await harness.open();
        expect((await contents()).flat()).toHaveLength(20);
      });

      test('a consumer that never started, or was stopped twice, stops', async () => {
        await create(1);
        const idle = log.consumer({ topic: 'spans', group: 'g', handler: createRecorder() });
        await idle.stop(100);
        await idle.ended;
        const used = await consume(log, 'g', createRecorder());
        await Promise.all([used.stop(1_000), used.stop(1_000)]);
      });
    });
  });
}
