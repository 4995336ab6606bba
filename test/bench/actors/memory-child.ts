/**
 * Memory of actors, each in a process of its own with --expose-gc; prints one JSON line. `quiet N`: N clients, each from its own
 * address, one plain request. `full N`: N actors kept in full with everything at its most, half of them in letters of two bytes.
 * `usual N`: actors that N ordinary people of a simulated shop leave in full after a day and a half.
 */
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import { observe } from '../../../responder/actors/evidence/evidence.ts';
import { TESTS } from '../../../responder/actors/evidence/tests.ts';
import {
  addAccount,
  addClient,
  addReason,
  addTrace,
  addUser,
  countsFinding,
  vote,
} from '../../../responder/actors/kept/adding.ts';
import { raiseAlarm } from '../../../responder/actors/kept/alarms.ts';
import type { FullActor } from '../../../responder/actors/kept/full-actor.ts';
import { createFullTier } from '../../../responder/actors/kept/full-tier.ts';
import { addMark } from '../../../responder/actors/kept/stage-marks.ts';
import { ABUSE_KINDS } from '../../../schemas/log/actor-record.ts';
import { STAGES } from '../../../schemas/log/kill-chain.ts';
import { pop, push } from './heap.ts';
import { act, address2, createWorld, HOUR_MS, newEvent, type Session, START_MS, sessionsOf } from './people.ts';

const what = process.argv[2]!;
const count = Number(process.argv[3]);
const collect = (globalThis as { gc?: () => void }).gc!;

/** What is really held: heap and typed arrays, collected until nothing more is freed. Buffers are freed behind a collection's back. */
async function used(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let unchanged = 0; unchanged < 5; ) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    unchanged = heapUsed + arrayBuffers > least - 1_024 ? unchanged + 1 : 0;
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

const address = (n: number): string => `${11 + (n >>> 16)}.${(n >>> 8) & 255}.${n & 255}.7`;
const print = (result: object): boolean => process.stdout.write(`${JSON.stringify(result)}\n`);

async function quiet(): Promise<void> {
  const event = newEvent();
  event.operation = 'GET /';
  const before = await used();
  const residentBefore = process.memoryUsage().rss;
  const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: 0 }, 5);
  // tables of fixed size are part of the figure
  const fixed = (await used()) - before;
  for (let n = 0; n < count; n++) {
    address2(event, address(n), null, START_MS + n * 10);
    actors.take(event, event.atMs);
  }
  const bytes = (await used()) - before;
  const resident = process.memoryUsage().rss - residentBefore;
  print({ clients: actors.status().clients, bytes, fixed, resident });
}

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

/** More of everything than is kept. */
function fillUp(actor: FullActor, n: number): void {
  const name = (k: number): string => `${n % 2 === 0 ? 'a' : '名'}${k}${'é'.repeat(80)}`;
  const letters = n % 2 === 0 ? 'ab' : '名前';
  const rare = { rate: 1e-4, shape: 1, habit: 1, halfLifeMs: HOUR_MS };
  for (let k = 0; k < 80; k++) {
    addTrace(actor, hex(n * 1_000 + k, 32));
    addClient(actor, `${1 + (k % 9)}.${k}.1.${n % 10}`, Math.imul(k * 7_919 + n, 0x9e3779b1) >>> 0);
    addUser(actor, `${letters}${k}`);
    addAccount(actor, `${letters}-${k}`);
    addReason(actor, name(k % 7), 1);
    countsFinding(actor, n * 100 + k);
    const mark = { stage: STAGES[k % 6]!, technique: 'T1190', by: ABUSE_KINDS[k % 7]!, count: 1 };
    addMark(actor, { ...mark, firstMs: START_MS, lastMs: START_MS + k }, 1);
  }
  for (let test = 0; test < TESTS; test++) {
    observe(actor.cells, test, true, rare, 1e-4, START_MS, true, null);
    raiseAlarm(actor, test, 'scanning', START_MS, false).revision = 1;
  }
  vote(actor, name(1), name(2).repeat(3));
  actor.toldSinceMs = START_MS;
  const hops = [name(3), name(4), name(5)];
  actor.setClient({ ...newEvent().client, address: actor.key, reason: name(6), session: name(7), hops }, name(8));
}

async function full(): Promise<void> {
  const long = 'ü'.repeat(100);
  const tier = createFullTier({ ...ACTORS_DEFAULTS, maxFull: count }, () => {});
  const before = await used();
  for (let n = 0; n < count; n++)
    fillUp(
      tier.at(tier.add('client', Buffer.from(`${n} ${n % 2 === 0 ? long : '名'}`).toString(), START_MS, START_MS)),
      n,
    );
  print({ full: tier.size(), bytes: (await used()) - before });
}

async function usual(): Promise<void> {
  const world = createWorld(77, { clients: count, support: 14, agents: 45, behindOne: 200 });
  const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: 24 * HOUR_MS }, 3);
  const heap: Session[] = [];
  const event = newEvent();
  for (let hourMs = START_MS; hourMs < START_MS + 36 * HOUR_MS; hourMs += HOUR_MS) {
    for (const session of sessionsOf(world, hourMs)) push(heap, session);
    while (heap.length > 0 && heap[0]!.atMs < hourMs + HOUR_MS) {
      const session = pop(heap)!;
      act(world, session, event);
      if (session.left > 0) push(heap, session);
      actors.take(event, event.atMs);
    }
  }
  // these alone, from a snapshot
  const parts = [...actors.snapshot()].filter(({ name }) => name === 'meta' || name.startsWith('full/'));
  const tier = createFullTier(ACTORS_DEFAULTS, () => {});
  const before = await used();
  for (const { name, bytes } of parts) {
    if (name !== 'meta') tier.parts.restore(name, bytes!);
    else tier.parts.restoreMeta((JSON.parse(Buffer.from(bytes!).toString()) as Meta).sources.full);
  }
  print({ full: tier.size(), bytes: (await used()) - before });
}

interface Meta {
  readonly sources: { readonly full: unknown };
}

await { quiet, full, usual }[what as 'quiet' | 'full' | 'usual']();
