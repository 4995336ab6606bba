/** The local API, asked by a bouncer that is not ours: CrowdSec's own Go library (go-cs-bouncer), live and stream. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { decisionOf } from '../../unit/decisions/decided.ts';
import { buildGo, type GoProgram } from './go.ts';
import { KEY, OTHER_KEY, type Serving, startServing } from './serving.ts';

let program: GoProgram;
let serving: Serving;
const running = new Set<ChildProcessWithoutNullStreams>();

beforeAll(async () => {
  program = await buildGo(new URL('bouncer/', import.meta.url), 'a CrowdSec bouncer that is not ours', 'bouncer');
}, 300_000);
afterAll(() => program && rmSync(program.directory, { recursive: true, force: true }));
beforeEach(async () => {
  serving = await startServing();
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  await serving.stop();
});

interface Told {
  readonly id: number;
  readonly origin: string;
  readonly type: string;
  readonly scope: string;
  readonly value: string;
  readonly duration: string;
  readonly scenario: string;
}

/** A bouncer's lines, one after the other. */
function start(mode: 'live' | 'stream' | 'metrics', key = KEY) {
  const child = spawn(program.binary!, [mode, `${serving.url}/`, key]);
  running.add(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    say: (line: string) => child.stdin.write(`${line}\n`),
    async next<T>(): Promise<T> {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the bouncer ended: ${errors}`);
      return JSON.parse(value) as T;
    },
    end: () =>
      new Promise<void>((resolve) => {
        child.on('exit', () => resolve());
        child.stdin.end();
      }),
  };
}

const HOUR = 3_600_000;
const now = (fields: Partial<Decision> = {}): Decision =>
  decisionOf({ createdMs: serving.now(), expiresMs: serving.now() + HOUR, ...fields });
const skipWithout = (context: TestContext): void => {
  if (program.binary === null) context.skip();
};

describe('a bouncer on go-cs-bouncer', () => {
  it('live: is told of an address, a range it is in, and of nothing', async (context) => {
    skipWithout(context);
    serving.served.put([
      now({ number: 41 }),
      now({ number: 42, scope: 'range', value: '2001:db8::/64', type: 'captcha', scenario: 'actor' }),
      now({ value: '192.0.2.50', target: 'reduced-rights' }),
      now({ value: '192.0.2.51', state: 'simulated' }),
    ]);
    const bouncer = start('live');
    const about = async (address: string): Promise<readonly Told[] | null> => {
      bouncer.say(address);
      const { decisions, ...rest } = await bouncer.next<{ address: string; decisions: readonly Told[] | null }>();
      expect(rest).toEqual({ address });
      return decisions;
    };
    expect(await about('203.0.113.7')).toMatchObject([
      {
        id: 41,
        origin: 'spanwarden',
        type: 'ban',
        scope: 'Ip',
        value: '203.0.113.7',
        scenario: 'spanwarden/statement',
      },
    ]);
    expect(await about('2001:db8::77')).toMatchObject([
      { id: 42, type: 'captcha', scope: 'Range', value: '2001:db8::/64' },
    ]);
    for (const free of ['203.0.113.8', '192.0.2.50', '192.0.2.51', '2001:db8:1::1'])
      expect(await about(free)).toBeNull();
    serving.pass(HOUR);
    expect(await about('203.0.113.7')).toBeNull();
    bouncer.say('no address');
    expect(await bouncer.next()).toMatchObject({ address: 'no address', error: expect.stringContaining('invalid ip') });
    await bouncer.end();
  });

  it('stream: hears at its start of all, then of each once; ended ones are deleted once, at each bouncer', async (context) => {
    skipWithout(context);
    const first = now({ value: '192.0.2.1' });
    const range = now({ scope: 'range', value: '198.51.100.0/24', expiresMs: serving.now() + 2 * HOUR });
    serving.served.put([first, range, now({ scope: 'user', value: 'mallory' })]);
    const bouncers = [start('stream'), start('stream', OTHER_KEY)];
    const values = async (bouncer: (typeof bouncers)[number]) => {
      const told = await bouncer.next<{ new: readonly Told[] | null; deleted: readonly Told[] | null }>();
      return [(told.new ?? []).map(({ value }) => value).sort(), (told.deleted ?? []).map(({ value }) => value).sort()];
    };
    for (const bouncer of bouncers) expect(await values(bouncer)).toEqual([['192.0.2.1', '198.51.100.0/24'], []]);
    serving.served.put([now({ value: '192.0.2.2', expiresMs: serving.now() + 2 * HOUR })]);
    for (const bouncer of bouncers) expect(await values(bouncer)).toEqual([['192.0.2.2'], []]);
    serving.served.put([{ ...range, revision: 2, state: 'undone', undoneMs: serving.now() }]);
    for (const bouncer of bouncers) expect(await values(bouncer)).toEqual([[], ['198.51.100.0/24']]);
    serving.pass(HOUR + 1_000);
    for (const bouncer of bouncers) expect(await values(bouncer)).toEqual([[], ['192.0.2.1']]);
    await Promise.all(bouncers.map((bouncer) => bouncer.end()));
  });

  it('stream: with a wrong key hears nothing and ends', async (context) => {
    skipWithout(context);
    serving.served.put([now()]);
    expect(await start('stream', 'a wrong key').next()).toEqual({ closed: true });
    const live = start('live', 'a wrong key');
    live.say('203.0.113.7');
    expect(await live.next()).toMatchObject({ error: expect.stringContaining('access forbidden') });
  });

  it('reports its usage', async (context) => {
    skipWithout(context);
    expect(await start('metrics').next()).toEqual({ status: 201 });
    const counter = serving.metrics.counter('response_bouncer_reported_total', '');
    expect(counter.value({ bouncer: 'edge', name: 'dropped', unit: 'packet' })).toBe(7);
  });
});
