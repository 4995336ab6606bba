/**
 * A process that consumes from Kafka, for tests that kill or freeze it: `kafka-child.ts BROKER PREFIX GROUP` prints what
 * its handler is told and commits what it reads; on its standard input, `commit PARTITION OFFSET` commits. With a further
 * argument it writes, reads and stops; then nothing must keep the process alive.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Assignment, Consumer } from '../../../runtime/log/port.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { kafkaConfig, openKafkaLog } from './kafka-harness.ts';

const [broker = '', prefix = '', group = '', once] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);

const log = await openKafkaLog(kafkaConfig([broker], prefix));
const assignments = new Map<number, Assignment>();
const first = Promise.withResolvers<void>();

async function commit(partition: number, offset: number): Promise<void> {
  const assignment = assignments.get(partition);
  say(`committed ${assignment ? await consumer.commit(assignment, offset) : 'nothing'} ${partition} ${offset}`);
}

const consumer: Consumer = log.consumer({
  topic: 'spans',
  group,
  handler: {
    async assigned(assignment) {
      assignments.set(assignment.partition, assignment);
      say(`assigned ${assignment.partition}`);
      return undefined;
    },
    revoked: (partition) => say(`revoked ${partition}`),
    async batch(partition, records) {
      first.resolve();
      say(`read ${partition} ${records[0]!.offset} ${records.at(-1)!.offset}`);
      await commit(partition, records.at(-1)!.offset + 1);
    },
    async idle() {},
  },
});

if (once === undefined) {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [, partition, offset] = line.split(' ');
    void commit(Number(partition), Number(offset));
  });
  await consumer.start();
} else {
  await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
  await consumer.start();
  await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: new Uint8Array(10) }]);
  await first.promise;
  await log.stop(2_000);
}
