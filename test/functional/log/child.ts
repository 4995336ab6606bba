/**
 * A process that uses the embedded log, for tests that kill or freeze it:
 * `child.ts DIRECTORY produce COUNT PREFIX` prints `acknowledged N` for every durable record;
 * `child.ts DIRECTORY consume GROUP` prints what its handler is told and commits what it reads; on its standard input,
 * `commit N` commits and `freeze` stops its main thread until the file `thaw` is in DIRECTORY.
 */
import { existsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createWallClock } from '../../../runtime/log/clock.ts';
import { createEmbeddedStore } from '../../../runtime/log/embedded/store.ts';
import type { Assignment, Consumer } from '../../../runtime/log/port.ts';
import { createStoredLog } from '../../../runtime/log/stored-log.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';

const [directory = '', role = '', ...rest] = process.argv.slice(2);
const nap = new Int32Array(new SharedArrayBuffer(4));
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      // the pipe is full: whoever reads it is busy
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(nap, 0, 0, 1);
    }
  }
}

const log = createStoredLog(
  { queueBytes: 67_108_864, leaseMs: 500, pollMs: 20 },
  { store: createEmbeddedStore({ directory }), clock: createWallClock() },
);
await log.start();

if (role === 'produce') {
  const count = Number(rest[0]);
  let next = 0;
  /** Several produce calls are under way at once, so that a kill meets some in every state. */
  const send = async (): Promise<void> => {
    while (next < count) {
      const n = next++;
      const value = new TextEncoder().encode(`${rest[1]}${n}`);
      await log.produce('spans', [{ kind: RecordKind.spans, key: `${rest[1]}${n % 17}`, value }]);
      say(`acknowledged ${n}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, send));
  await log.stop(1_000);
} else {
  let assigned: Assignment | undefined;
  const commit = async (offset: number): Promise<void> => {
    say(`committed ${assigned ? await consumer.commit(assigned, offset) : 'nothing'} ${offset}`);
  };
  const consumer: Consumer = log.consumer({
    topic: 'spans',
    group: rest[0] ?? '',
    handler: {
      async assigned(assignment) {
        assigned ??= assignment;
        say(`assigned ${assignment.partition} ${assignment.generation}`);
        return undefined;
      },
      revoked: (partition) => say(`revoked ${partition}`),
      batch: (_partition, records) => commit(records.at(-1)!.offset + 1),
      async idle() {},
    },
  });
  const freeze = (): void => {
    say('frozen');
    const still = new Int32Array(new SharedArrayBuffer(4));
    while (!existsSync(join(directory, 'thaw'))) Atomics.wait(still, 0, 0, 10);
  };
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'freeze') freeze();
    else void commit(Number(line.split(' ')[1]));
  });
  await consumer.start();
}
