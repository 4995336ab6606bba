/**
 * The embedded log's store: SQLite files in one directory, spans apart from the small topics so that they never wait
 * for each other. Each file has a writer thread and a reader thread in every process that uses it.
 */
import { join, resolve } from 'node:path';
import type { TopicName } from '../../../schemas/log/topics.ts';
import { SpanwardenError } from '../../errors.ts';
import type { StoredFrame } from '../frame.ts';
import type { TopicOffsets } from '../port.ts';
import type { LogStore, WriteResult } from '../store.ts';
import { startThread, type ThreadCaller } from './caller.ts';

export interface EmbeddedStoreConfig {
  readonly directory: string;
  readonly busyMs?: number;
  readonly retentionEveryMs?: number;
  /** Bound of each file in pages of 8 KiB; 0 = the disk's. */
  readonly maxPages?: number;
  /** For a process that only looks at the log of others: no file is created, nothing is written, nothing expires by its hand. */
  readonly readOnly?: boolean;
}

type Lane = 'spans' | 'topics';

const laneOf = (topic: TopicName): Lane => (topic === 'spans' ? 'spans' : 'topics');

interface Threads {
  /** Undefined in a store that is only read. */
  readonly writer: Promise<ThreadCaller> | undefined;
  reader: Promise<ThreadCaller> | undefined;
}

export function createEmbeddedStore(config: EmbeddedStoreConfig): LogStore {
  const directory = resolve(config.directory);
  const lanes = new Map<Lane, Threads>();
  let stopped = false;

  const startOne = (lane: Lane, role: 'writer' | 'reader'): Promise<ThreadCaller> =>
    startThread({
      role,
      file: join(directory, `${lane}.db`),
      directory,
      busyMs: config.busyMs ?? 5_000,
      maxPages: config.maxPages ?? 0,
      retentionEveryMs: config.retentionEveryMs ?? 5_000,
      ...(config.readOnly && { readOnly: true }),
    });

  /** A file is opened when it is first used: a collector never opens the small topics. */
  function threads(lane: Lane): Threads {
    if (stopped) throw new SpanwardenError('STOPPED', 'the log is stopped');
    let own = lanes.get(lane);
    if (!own) {
      own = config.readOnly
        ? { writer: undefined, reader: startOne(lane, 'reader') }
        : { writer: startOne(lane, 'writer'), reader: undefined };
      lanes.set(lane, own);
      // a file that could not be opened is tried again at the next use
      (own.writer ?? own.reader!).catch(() => lanes.delete(lane));
    }
    return own;
  }

  async function reader(lane: Lane): Promise<ThreadCaller> {
    const own = threads(lane);
    // after the writer: it creates the file
    own.reader ??= own.writer!.then(() => startOne(lane, 'reader'));
    return own.reader;
  }

  return {
    async start() {
      const { writer, reader: only } = threads('spans');
      await (writer ?? only);
    },
    laneOf,
    async write(lane, ops) {
      const writer = await threads(lane as Lane).writer;
      if (writer === undefined) throw new SpanwardenError('LOG_UNAVAILABLE', 'this log was opened to be read only');
      const transfer: ArrayBuffer[] = [];
      for (const op of ops) if (op.type === 'append') transfer.push(op.bytes.buffer);
      const results = await writer.call<WriteResult[]>({ type: 'write', ops }, transfer);
      const refused = ops.findIndex((op, i) => op.type === 'append' && results[i]?.type !== 'appended');
      if (refused >= 0)
        throw new SpanwardenError('LOG_UNAVAILABLE', `the log in ${directory} was replaced while it was in use`);
      return results;
    },
    async offsets(topic) {
      return (await reader(laneOf(topic))).call<TopicOffsets | null>({ type: 'offsets', topic });
    },
    async read(topic, partition, offset, maxBytes) {
      return (await reader(laneOf(topic))).call<StoredFrame[]>({ type: 'read', topic, partition, offset, maxBytes });
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      for (const { writer, reader } of lanes.values()) {
        const ends = await Promise.allSettled([reader, writer]);
        for (const end of ends) if (end.status === 'fulfilled') await end.value?.close();
      }
    },
  };
}
