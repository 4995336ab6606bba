/** Lifecycle: order of start and stop, roll-back, deadlines, signals. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { listenError } from '../../../runtime/lifecycle/listen-error.ts';
import type { Service } from '../../../runtime/lifecycle/service.ts';
import { drainOnSignal, parentOf } from '../../../runtime/lifecycle/signals.ts';
import { startInOrder } from '../../../runtime/lifecycle/start.ts';
import { environmentName } from '../../../schemas/config/environment-name.ts';

function recorded<T>(name: string, events: string[], value: T, fail?: 'start' | 'stop'): Service<T> {
  return {
    name,
    async start() {
      events.push(`start ${name}`);
      if (fail === 'start') throw new Error(`${name} cannot start`);
      return value;
    },
    async stop() {
      events.push(`stop ${name}`);
      if (fail === 'stop') throw new Error(`${name} cannot stop`);
    },
  };
}

test('services start in order, give their values, and stop in reverse, once', async () => {
  const events: string[] = [];
  const started = await startInOrder([recorded('a', events, 1), recorded('b', events, 'two')]);
  const [one, two]: readonly [number, string] = started.values;
  expect([one, two]).toEqual([1, 'two']);
  await Promise.all([started.stop(100), started.stop(100)]);
  expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a']);
});

test('a start that fails rolls back what had started, and only that', async () => {
  const events: string[] = [];
  const starting = startInOrder([
    recorded('a', events, 1),
    recorded('b', events, 2),
    recorded('c', events, 3, 'start'),
    recorded('d', events, 4),
  ]);
  await expect(starting).rejects.toThrow('c cannot start');
  expect(events).toEqual(['start a', 'start b', 'start c', 'stop b', 'stop a']);
});

test('one that fails to stop does not keep the others from stopping', async () => {
  const events: string[] = [];
  const started = await startInOrder([recorded('a', events, 1), recorded('b', events, 2, 'stop')]);
  await expect(started.stop(100)).rejects.toThrow('b cannot stop');
  expect(events.slice(2)).toEqual(['stop b', 'stop a']);
});

test('one that never stops is left behind at the deadline', async () => {
  const events: string[] = [];
  const stuck: Service = { name: 'stuck', start: async () => {}, stop: () => new Promise(() => {}) };
  const started = await startInOrder([recorded('a', events, 1), stuck]);
  await expect(started.stop(10)).rejects.toMatchObject({ code: 'STOPPED', message: /stuck did not stop/ });
  expect(events).toEqual(['start a', 'stop a']);
});

function signalSource() {
  const listeners = new Map<string, () => void>();
  const exits: number[] = [];
  return {
    exits,
    listeners,
    send: (signal: string) => listeners.get(signal)?.(),
    on: (signal: string, listener: () => void) => listeners.set(signal, listener),
    off: (signal: string, listener: () => void) => {
      if (listeners.get(signal) === listener) listeners.delete(signal);
    },
    exit: (code: number) => {
      exits.push(code);
    },
  };
}

test('the first signal drains with the deadline, and nothing listens afterwards', async () => {
  const source = signalSource();
  const deadlines: number[] = [];
  const drain = drainOnSignal({ source, deadlineMs: 700, stop: async (deadlineMs) => void deadlines.push(deadlineMs) });
  source.send('SIGTERM');
  expect(await drain.drained).toBe(0);
  expect(deadlines).toEqual([700]);
  expect(source.listeners.size).toBe(0);
});

test('a second signal exits at once', () => {
  const source = signalSource();
  drainOnSignal({ source, deadlineMs: 700, stop: () => new Promise(() => {}) });
  source.send('SIGTERM');
  expect(source.exits).toEqual([]);
  source.send('SIGINT');
  expect(source.exits).toEqual([130]);
});

test('a drain that fails says so by its exit code', async () => {
  const source = signalSource();
  const drain = drainOnSignal({ source, deadlineMs: 700, stop: () => Promise.reject(new Error('no')) });
  source.send('SIGINT');
  expect(await drain.drained).toBe(1);
});

test('a taken port is named with the setting and the variable that change it', () => {
  const target = { what: 'OTLP gRPC receiver', host: '127.0.0.1', port: 4317, setting: 'collector.grpcPort' };
  const taken = listenError(Object.assign(new Error('listen'), { code: 'EADDRINUSE' }), target);
  expect(taken).toBeInstanceOf(SpanwardenError);
  expect(taken).toMatchObject({ code: 'PORT_TAKEN' });
  expect(String(taken)).toContain('port 4317 on 127.0.0.1 is taken');
  expect(String(taken)).toContain('SPANWARDEN_COLLECTOR_GRPC_PORT');
  const quoted = new Error('Failed to bind to address 127.0.0.1:4317 with error EADDRINUSE: address already in use');
  expect(listenError(quoted, target)).toMatchObject({ code: 'PORT_TAKEN' });
  const other = new Error('something else');
  expect(listenError(other, target)).toBe(other);
});

test('environment names', () => {
  expect(environmentName('log.groupLeaseMs')).toBe('SPANWARDEN_LOG_GROUP_LEASE_MS');
});

test('a process that another one started drains when its input ends, and leaves Ctrl-C to that one', async () => {
  const input = new PassThrough();
  const listeners = process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
  const stopped: number[] = [];
  const drain = drainOnSignal({
    stop: async (deadlineMs) => void stopped.push(deadlineMs),
    deadlineMs: 70,
    source: parentOf(input),
  });
  process.emit('SIGINT');
  expect(stopped).toEqual([]);
  input.end();
  expect(await drain.drained).toBe(0);
  expect(stopped).toEqual([70]);
  expect(process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')).toBe(listeners);
});
