/** Starts a thread of the embedded log and calls it: one promise a call. */
import { Worker } from 'node:worker_threads';
import { SpanwardenError } from '../../errors.ts';
import type { ThreadCall, ThreadConfig, ThreadFailure, ThreadReply, ThreadRequest } from './messages.ts';

export interface ThreadCaller {
  call<T>(call: ThreadCall, transfer?: readonly ArrayBuffer[]): Promise<T>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const toError = ({ code, message }: ThreadFailure): SpanwardenError => new SpanwardenError(code, message);

/** In a checkout Node runs the TypeScript; in the package it stands beside this file as JavaScript. */
const THREAD = new URL(`./thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

/** Resolves when the database is open; rejects with why it is not. */
export async function startThread(config: ThreadConfig): Promise<ThreadCaller> {
  const waiting = new Map<number, Waiting>();
  const opened = Promise.withResolvers<unknown>();
  const exited = Promise.withResolvers<void>();
  waiting.set(0, opened);
  let lastId = 0;
  let dead: SpanwardenError | undefined;
  const worker = new Worker(THREAD, {
    workerData: config,
    name: `log ${config.role}`,
    // node:sqlite is still called experimental; its warning would appear once a thread
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const die = (cause: unknown) => {
    dead ??= new SpanwardenError('LOG_UNAVAILABLE', `the ${config.role} thread of ${config.file} ended`, { cause });
    for (const one of waiting.values()) one.reject(dead);
    waiting.clear();
  };
  worker.on('message', (reply: ThreadReply) => {
    const one = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.ok) one?.resolve(reply.value);
    else one?.reject(toError(reply.failure));
  });
  worker.on('error', die);
  worker.on('exit', () => {
    die(undefined);
    exited.resolve();
  });

  function call<T>(what: ThreadCall, transfer: readonly ArrayBuffer[] = []): Promise<T> {
    if (dead) return Promise.reject(dead);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const id = ++lastId;
    waiting.set(id, { resolve: (value) => resolve(value as T), reject });
    const request: ThreadRequest = { id, call: what };
    worker.postMessage(request, transfer);
    return promise;
  }

  try {
    await opened.promise;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return {
    call,
    async close() {
      if (dead) return;
      await call({ type: 'close' }).catch(() => {});
      await exited.promise;
    },
  };
}
