/** Behind a translator, where every client of IPv4 comes in one /96, people stay apart: the one who attacks is told of, and nobody else. */
import { expect, test } from 'vitest';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import { crowd, DAY, loginOf } from './events.ts';

const CONFIG = { ...ACTORS_DEFAULTS, learnMs: 3_600_000, maxClients: 20_000, maxUsers: 20_000, maxObjects: 65_536 };
const END = DAY + 10_800 * 500;

/** As an IPv6-only network sees it. */
function translated(event: ActorEvent): ActorEvent {
  const [a, b, c, d] = event.client.address!.split('.').map(Number);
  const address = `64:ff9b::${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;
  return { ...event, client: { ...event.client, address } };
}

test('clients behind NAT64 are as many as there are, and who stuffs credentials is one of them', () => {
  const actors = createActors(CONFIG, 7);
  const learned = crowd(7, 10_800, DAY);
  for (const event of learned) actors.take(translated(event), event.atMs);
  expect(actors.status().clients).toBe(new Set(learned.map(({ client }) => client.address)).size);
  const told = Array.from({ length: 60 }, (_, n) =>
    translated(loginOf(`leak${n}`, false, { client: '203.0.113.66', atMs: END + n * 2_000 })),
  ).flatMap((event) => actors.take(event, event.atMs));
  const clients = told.filter(({ subject }) => subject.kind === 'client');
  expect(new Set(clients.map(({ subject }) => subject.key))).toEqual(new Set(['64:ff9b::cb00:7142']));
  expect(clients[0]!.facts.users).toBe(0);
});
