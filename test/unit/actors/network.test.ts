/** Sign-ins spread over one network: told of the network, within seconds, where a small site has had two minutes to learn. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { DAY, loginOf, randomOf } from './events.ts';

const LEARN_MS = 90_000;
const CUSTOMERS = 120;

/** Customers who sign in, one in twenty mistyping, two in a second; from 100 s on tries from `attackers`, three a second. */
function night(attackers: readonly string[], rightEvery: number): ActorRecord[] {
  const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: LEARN_MS }, 7);
  const coin = randomOf(5);
  const records: ActorRecord[] = [];
  let tried = 0;
  for (let second = 0; second < 130; second++) {
    const atMs = DAY + second * 1000;
    for (let i = 0; i < 2; i++) {
      const who = Math.floor(coin() * CUSTOMERS);
      const client = `31.${who}.${(who * 7) % 256}.9`;
      records.push(...actors.take(loginOf(`customer${who}`, coin() > 0.05, { client, atMs }), atMs));
    }
    for (let i = 0; second >= 100 && i < 3; i++) {
      const client = attackers[tried++ % attackers.length]!;
      const right = tried % rightEvery === 0;
      records.push(...actors.take(loginOf(`leaked${tried}`, right, { client, atMs: atMs + i }), atMs + i));
    }
  }
  return records;
}

const network = Array.from({ length: 40 }, (_, i) => `46.3.2.${i + 1}`);

describe('sign-ins from one network', () => {
  it('that fail with ever new accounts are told of it, and of nobody else', () => {
    const told = night(network, 24).filter(({ abuse }) => abuse !== '');
    expect(new Set(told.map(({ subject }) => `${subject.kind} ${subject.key}`))).toEqual(
      new Set(['network 46.3.2.0/24']),
    );
    const [first] = told as [ActorRecord];
    expect(first.abuse).toBe('credential-stuffing');
    expect(first.clientCount).toBeLessThanOrEqual(20);
    for (const address of first.clients) expect(network).toContain(address);
  });

  it('that mistype no more often than others are not', () => {
    const office = Array.from({ length: 40 }, (_, i) => `46.3.2.${i + 1}`);
    const coin = randomOf(9);
    const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: LEARN_MS }, 7);
    const told: ActorRecord[] = [];
    for (let n = 0; n < 3_000; n++) {
      const atMs = DAY + n * 100;
      const client = n % 2 === 0 ? `31.7.${n % 120}.9` : office[n % 40]!;
      told.push(...actors.take(loginOf(`person${n % 200}`, coin() > 0.06, { client, atMs }), atMs));
    }
    expect(told).toEqual([]);
  });
});
