/**
 * A thread of the embedded log: the writer of one database file, or the reader of it. SQLite is synchronous and a commit
 * can take 170 ms, so none of it may run on a thread that serves sockets.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { StoredFrame } from '../frame.ts';
import { openDatabase } from './database.ts';
import { openFailure, openToReadFailure, writeFailure } from './failures.ts';
import type { ThreadCall, ThreadConfig, ThreadReply, ThreadRequest } from './messages.ts';
import { createReads, type Reads } from './reads.ts';
import { createRetention, type Retention } from './retention.ts';
import { createTransactions, type Transactions } from './transaction.ts';

/** Buffers of frames that are alone in their memory go over without a copy. */
function transferable(frames: readonly StoredFrame[]): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const { bytes } of frames)
    if (bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength) buffers.push(bytes.buffer);
  return buffers;
}

function serve(config: ThreadConfig, port: MessagePort): void {
  const now = () => Date.now();
  const reply = (message: ThreadReply, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
  let database: ReturnType<typeof openDatabase>;
  let transactions: Transactions | undefined;
  let retention: Retention | undefined;
  let reads: Reads;
  try {
    database = openDatabase(config);
    reads = createReads(database);
    if (config.role === 'writer') {
      transactions = createTransactions(database, now);
      retention = createRetention(database, now);
    } else if (!config.readOnly) database.exec('PRAGMA query_only = 1');
  } catch (error) {
    reply({ id: 0, ok: false, failure: (config.readOnly ? openToReadFailure : openFailure)(error, config.directory) });
    return;
  }

  /** Steps follow each other with a turn of the event loop between, so that appends get in. */
  function expire(): void {
    try {
      if (retention?.step()) setImmediate(expire);
    } catch {
      // busy or full: the next look tries again, and appends report what matters
    }
  }
  const timer = retention ? setInterval(expire, config.retentionEveryMs) : undefined;

  function answer(call: ThreadCall): { value: unknown; transfer?: ArrayBuffer[] } {
    if (call.type === 'write') return { value: transactions!.perform(call.ops) };
    if (call.type === 'offsets') return { value: reads.offsets(call.topic) };
    if (call.type === 'read') {
      const frames = reads.read(call.topic, call.partition, call.offset, call.maxBytes);
      return { value: frames, transfer: transferable(frames) };
    }
    clearInterval(timer);
    database.close();
    return { value: null };
  }

  port.on('message', ({ id, call }: ThreadRequest) => {
    try {
      const { value, transfer } = answer(call);
      reply({ id, ok: true, value }, transfer);
    } catch (error) {
      reply({ id, ok: false, failure: writeFailure(error, config.directory) });
    }
    if (call.type === 'close') port.close();
  });
  reply({ id: 0, ok: true, value: null });
}

if (parentPort) serve(workerData as ThreadConfig, parentPort);
