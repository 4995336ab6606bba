/** Receivers that misbehave, one by one, over real sockets on loopback. Deadlines and clocks are the test's: nothing waits. */
import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { createDestinations } from '../../../responder/alerts/destination.ts';
import { createOutbox } from '../../../responder/alerts/outbox.ts';
import { createTargetGuard, type Resolve } from '../../../responder/alerts/target-guard.ts';
import type { Delivery } from '../../../schemas/alerts/incident.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { createCertificates } from '../../kafka/certificates.ts';
import { createHandClock } from '../../unit/alerts/clock.ts';
import { alertOf, incidentOf } from '../../unit/alerts/incidents.ts';
import { SECRET } from '../roles/receiver.ts';
import { listening, type Receiver, startRawReceiver, startReceiver } from './receivers.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function kept<R extends Receiver>(starting: Promise<R>): Promise<R> {
  const receiver = await starting;
  stops.push(() => receiver.stop());
  return receiver;
}
const raw = (answer: (socket: Socket, request: string) => void) => kept(startRawReceiver(answer));

/** One attempt; `late.abort()` is the deadline. */
function attempt(
  url: string,
  { resolve, privateToo = true, more = {} }: { resolve?: Resolve; privateToo?: boolean; more?: object } = {},
) {
  const late = new AbortController();
  const stop = new AbortController();
  const config = alertsSection.parse({ destinations: [{ name: 'ops', url, secret: SECRET, ...more }] });
  const [destination] = createDestinations(config, {
    now: () => NOW,
    deadline: () => late.signal,
    guard: createTargetGuard(privateToo, resolve),
  });
  return { outcome: destination!.post(alertOf('msg_1'), stop.signal), late, stop };
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const FAILED = { kind: 'failed', httpStatus: 0 };

describe('a receiver that', () => {
  it('takes it: signed so that an independent verifier accepts it', async () => {
    const receiver = await kept(startReceiver(() => 204));
    expect(await attempt(receiver.url).outcome).toEqual({ kind: 'delivered', httpStatus: 204 });
    const { headers, body } = receiver.taken[0]!;
    const id = String(headers['webhook-id']);
    expect(id).toBe('msg_1');
    expect(headers['webhook-timestamp']).toBe(String(NOW / 1_000));
    const signature = new Webhook(SECRET).sign(id, new Date(NOW), body);
    expect(headers['webhook-signature']).toBe(signature);
  });

  it.each([
    [500, 'failed'],
    [502, 'failed'],
    [503, 'failed'],
    [504, 'failed'],
    [404, 'failed'],
    [400, 'failed'],
    [401, 'failed'],
    [410, 'gone'],
  ])('answers %i', async (status, kind) => {
    const receiver = await kept(startReceiver(() => status));
    expect(await attempt(receiver.url).outcome).toMatchObject({ kind, httpStatus: status });
  });

  it('answers 429 and says when, in seconds or as a date', async () => {
    const after = ['120', new Date(NOW + 300_000).toUTCString(), 'soon', '-5', '99999999999999'];
    const receiver = await kept(startReceiver((_, n) => ({ status: 429, headers: { 'retry-after': after[n - 1]! } })));
    const waits: number[] = [];
    for (const _ of after) {
      const outcome = await attempt(receiver.url).outcome;
      waits.push(outcome.kind === 'failed' ? outcome.retryAfterMs : -1);
    }
    expect(waits).toEqual([120_000, 300_000, 0, 0, 0]);
  });

  it.each([301, 302, 303, 307, 308])('redirects (%i): is not followed, wherever to', async (status) => {
    const other = await kept(startReceiver(() => 200));
    const receiver = await kept(startReceiver(() => ({ status, headers: { location: other.url } })));
    expect(await attempt(receiver.url).outcome).toMatchObject({ kind: 'failed', httpStatus: status });
    expect(other.connections).toBe(0);
  });

  it('says why it refuses: a line of it is kept, without what is secret or steers', async () => {
    const body = `no: bad key ${SECRET} \u001b[2Jfor Bearer s3cret\r\n`;
    const receiver = await kept(startReceiver(() => ({ status: 400, body })));
    const more = { headers: { authorization: 'Bearer s3cret' } };
    expect(await attempt(receiver.url, { more }).outcome).toMatchObject({
      error: 'receiver answered 400: no: bad key *** \\x1b[2Jfor ***',
    });
  });

  it('never answers', async () => {
    const asked = Promise.withResolvers<void>();
    const receiver = await raw(() => asked.resolve());
    const { outcome, late } = attempt(receiver.url);
    await asked.promise;
    late.abort();
    expect(await outcome).toMatchObject({ ...FAILED, error: 'no answer in 15000 ms' });
  });

  it('never reads: nothing is held for longer than the deadline', async () => {
    const connected = Promise.withResolvers<void>();
    const receiver = await kept(listening(createServer({ pauseOnConnect: true }, () => connected.resolve())));
    const { outcome, late } = attempt(receiver.url);
    await connected.promise;
    late.abort();
    expect(await outcome).toMatchObject(FAILED);
  });

  it('answers one byte at a time and never ends its headers', async () => {
    const began = Promise.withResolvers<void>();
    const receiver = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx-slow: ', () => began.resolve());
    });
    const { outcome, late } = attempt(receiver.url);
    await began.promise;
    late.abort();
    expect(await outcome).toMatchObject(FAILED);
  });

  it('closes the socket before its headers', async () => {
    const receiver = await raw((socket) => socket.destroy());
    expect(await attempt(receiver.url).outcome).toMatchObject(FAILED);
  });

  it('closes the socket amid its headers', async () => {
    const receiver = await raw((socket) => socket.end(`${HEAD}content-len`));
    expect(await attempt(receiver.url).outcome).toMatchObject(FAILED);
  });

  it('closes the socket amid the body of a success: it has the alert', async () => {
    const receiver = await raw((socket) => socket.end(`${HEAD}content-length: 100\r\n\r\nhalf`));
    expect(await attempt(receiver.url).outcome).toMatchObject({ kind: 'delivered', httpStatus: 200 });
  });

  it('closes the socket amid the body of a failure: its status stands', async () => {
    const receiver = await raw((socket) => socket.end('HTTP/1.1 503 No\r\ncontent-length: 100\r\n\r\nhalf'));
    expect(await attempt(receiver.url).outcome).toMatchObject({ kind: 'failed', httpStatus: 503 });
  });

  it('closes the socket while the alert is still being sent', async () => {
    const receiver = await kept(listening(createServer((socket) => socket.once('data', () => socket.destroy()))));
    expect(await attempt(receiver.url).outcome).toMatchObject(FAILED);
  });

  it.each([
    ['200 OK', { kind: 'delivered', httpStatus: 200 }],
    ['500 No', { kind: 'failed', httpStatus: 500 }],
  ])('answers %s with a body without end: a little of it is read', async (status, wanted) => {
    const gone = Promise.withResolvers<void>();
    let written = 0;
    const receiver = await raw((socket) => {
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
      const more = (): void => {
        while (!socket.destroyed) {
          written += chunk.length;
          if (!socket.write(chunk)) return void socket.once('drain', more);
        }
      };
      socket.on('close', () => gone.resolve());
      socket.write(`HTTP/1.1 ${status}\r\ntransfer-encoding: chunked\r\n\r\n`);
      more();
    });
    const outcome = await attempt(receiver.url).outcome;
    expect(outcome).toMatchObject(wanted);
    await gone.promise; // the connection was cut by us
    expect(written).toBeLessThan(64 << 20);
    if (outcome.kind === 'failed') expect(outcome.error.length).toBeLessThanOrEqual(200);
  });

  it('a failure whose body dribbles on: its status stands at the deadline', async () => {
    const began = Promise.withResolvers<void>();
    const receiver = await raw((socket) => {
      socket.write('HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n', () => began.resolve());
    });
    const { outcome, late } = attempt(receiver.url);
    await began.promise;
    await new Promise((resolve) => setImmediate(resolve));
    late.abort();
    expect((await outcome).kind).toBe('failed');
  });

  it.each([
    ['chunked garbage', `HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nnothing`, 500],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n', 0],
    ['both lengths', `HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 0],
    ['headers without end', `${HEAD}x-a: ${'y'.repeat(100_000)}\r\n\r\n`, 0],
  ])('answers %s', async (_, bytes, status) => {
    const receiver = await raw((socket) => socket.end(bytes));
    expect(await attempt(receiver.url).outcome).toMatchObject({ kind: 'failed', httpStatus: status });
  });

  it('has a certificate that nobody vouches for, or speaks no TLS', async () => {
    const { brokerFile } = await createCertificates();
    const pem = await readFile(brokerFile, 'utf8');
    let asked = 0;
    const secure = await kept(
      listening(
        createTlsServer({ key: pem, cert: pem }, () => asked++),
        'https',
      ),
    );
    const unknown = await attempt(secure.url).outcome;
    expect(unknown).toMatchObject({ ...FAILED, error: expect.stringMatching(/certificate|signed/) });
    expect(asked).toBe(0);
    const plain = await kept(listening(createServer((socket) => socket.end(`${HEAD}\r\n`))));
    expect(await attempt(plain.url.replace('http:', 'https:')).outcome).toMatchObject(FAILED);
  });

  it('is not there', async () => {
    const receiver = await startRawReceiver(() => {});
    await receiver.stop();
    expect(await attempt(receiver.url).outcome).toMatchObject({ ...FAILED, error: expect.stringContaining('REFUSED') });
  });
});

describe('a target', () => {
  const at =
    (...addresses: string[]): Resolve =>
    async () =>
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const FORBIDDEN = { kind: 'failed', httpStatus: 0 };

  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://0251.0376.0251.0376/',
    'http://169.254.43518/',
    'http://169.254.169.254./',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[fe80::1]/',
    'http://[fd00:ec2::254]/',
    'http://100.100.100.200/',
    'http://0.0.0.0/',
    'http://[::]/',
  ])('%s is never connected to', async (url) => {
    const outcome = await attempt(url).outcome;
    expect(outcome).toMatchObject(FORBIDDEN);
    expect(outcome.kind === 'failed' && outcome.error).toMatch(/^target .* is (link-local|a cloud|unspecified)/);
  });

  it('whose name resolves to a link-local address when connecting is refused, also beside a good one', async () => {
    const receiver = await kept(startReceiver(() => 200));
    const url = receiver.url.replace('127.0.0.1', 'hook.example.com');
    for (const addresses of [['169.254.169.254'], ['127.0.0.1', '169.254.169.254'], ['::ffff:169.254.169.254']]) {
      expect(await attempt(url, { resolve: at(...addresses) }).outcome).toMatchObject({
        ...FORBIDDEN,
        error: expect.stringContaining('hook.example.com resolves to'),
      });
    }
    expect(receiver.connections).toBe(0);
  });

  it('that changes what its name means between two attempts is looked at each time, and only what was looked at is used', async () => {
    const receiver = await kept(startReceiver(() => 200));
    const url = receiver.url.replace('127.0.0.1', 'rebind.example.com');
    const answers = ['127.0.0.1', '169.254.169.254'];
    let asked = 0;
    const resolve: Resolve = (name) => at(answers[asked++]!)(name);
    expect((await attempt(url, { resolve }).outcome).kind).toBe('delivered');
    expect(asked).toBe(1); // one look for one connection: nothing can change in between
    expect(await attempt(url, { resolve }).outcome).toMatchObject(FORBIDDEN);
    expect(receiver.connections).toBe(1);
  });

  it('may be private in the configuration, and not where that is switched off', async () => {
    const receiver = await kept(startReceiver(() => 200));
    const name = receiver.url.replace('127.0.0.1', 'inside.example.com');
    expect((await attempt(receiver.url).outcome).kind).toBe('delivered');
    expect((await attempt(receiver.url, { privateToo: false }).outcome).kind).toBe('failed');
    const inside = { resolve: at('127.0.0.1'), privateToo: false };
    expect(await attempt(name, inside).outcome).toMatchObject({ error: expect.stringContaining('is not public') });
    expect(receiver.connections).toBe(1);
  });

  it('whose name server is silent holds one look-up, not one an attempt', async () => {
    let asked = 0;
    const guard = createTargetGuard(true, () => {
      asked++;
      return new Promise(() => {});
    });
    const looked = ['a.example', 'a.example', 'b.example'].map((name) => guard.lookup(name, { all: true }, () => {}));
    expect(looked).toHaveLength(3);
    expect(asked).toBe(2);
  });
});

describe('the outbox over sockets', () => {
  it('goes through 500, 429 with a date, silence and a cut connection to success, under one id, as the clock passes', async () => {
    const clock = createHandClock(NOW);
    const ids: unknown[] = [];
    const silent = Promise.withResolvers<void>();
    const answers: ((socket: Socket) => void)[] = [
      (socket) => socket.end('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n'),
      (socket) =>
        socket.end(
          `HTTP/1.1 429 Slow\r\nretry-after: ${new Date(clock.now() + 60_000).toUTCString()}\r\ncontent-length: 0\r\n\r\n`,
        ),
      () => silent.resolve(),
      (socket) => socket.end('HTTP/1.1 200 O'),
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    ];
    const receiver = await raw((socket, request) => {
      ids.push(/^webhook-id: (.*)$/im.exec(request)?.[1]);
      answers[ids.length - 1]!(socket);
    });
    const rows: Delivery[] = [];
    let waiting:
      | { readonly state: Delivery['state']; readonly attempt: number; readonly resolve: () => void }
      | undefined;
    let late = new AbortController();
    const config = alertsSection.parse({ destinations: [{ name: 'ops', url: receiver.url, secret: SECRET }] });
    const destinations = createDestinations(config, {
      now: clock.now,
      deadline: () => {
        late = new AbortController();
        return late.signal;
      },
    });
    const outbox = createOutbox({ giveUpAfterMs: 86_400_000, maxInFlight: 4 }, destinations, {
      now: clock.now,
      after: clock.after,
      random: () => 0.5,
      record(delivery) {
        rows.push(delivery);
        if (waiting?.state === delivery.state && waiting.attempt === delivery.attempt) waiting.resolve();
      },
      onDead: () => {},
    });
    const recorded = (attemptNumber: number, state: Delivery['state']) =>
      new Promise<void>((resolve) => {
        waiting = { state, attempt: attemptNumber, resolve };
      });
    stops.push(() => outbox.stop(0));

    let done = recorded(1, 'failed');
    outbox.add(alertOf('msg_a'), [incidentOf()]);
    await clock.pass(0);
    await done;
    done = recorded(2, 'failed');
    await clock.pass(1_000);
    await done;
    expect(rows.at(-1)!.nextAttemptMs).toBe(NOW + 61_000);
    await clock.pass(59_999);
    expect(ids).toHaveLength(2);
    done = recorded(3, 'failed');
    await clock.pass(1);
    await silent.promise;
    late.abort();
    await done;
    done = recorded(4, 'failed');
    await clock.pass(30_000);
    await done;
    done = recorded(5, 'delivered');
    await clock.pass(120_000);
    await done;
    expect(ids).toEqual(Array.from({ length: 5 }, () => 'msg_a'));
    expect(rows.map(({ state, httpStatus }) => [state, httpStatus])).toEqual([
      ['pending', 0],
      ['failed', 500],
      ['failed', 429],
      ['failed', 0],
      ['failed', 0],
      ['delivered', 200],
    ]);
  });
});
