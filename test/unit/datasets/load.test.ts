import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { createJourney, type Intent, MAX_CART, mistype } from '../../../datasets/load/journeys.ts';
import { createPopulation, type Persona } from '../../../datasets/load/population.ts';
import { createRandom } from '../../../datasets/load/random.ts';
import { accountEmail, accountPassword, firstOrderOf } from '../../../datasets/shop/database/schema.ts';
import { readProxyHeader, writeProxyHeader } from '../../../datasets/shop/edge/proxy-protocol.ts';

const people = (seed: number) => createPopulation(createRandom(seed, 'population'), { clients: 200 });

/** Requests of one client against a shop that always agrees. */
function requests(persona: Persona, seed: number, count: number): Intent[] {
  const journey = createJourney(persona, createRandom(seed, 'journey'));
  return Array.from({ length: count }, () => {
    const intent = journey.next();
    const status = intent.name === 'add' || intent.name === 'checkout' ? 201 : 200;
    journey.answered(intent, status, { token: 'token', order: 1_001 });
    return intent;
  });
}

describe('random', () => {
  it('gives the same numbers for a seed and others for another', () => {
    const draw = (seed: number, name = '') => Array.from({ length: 5 }, createRandom(seed, name).next);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(1, 'a')).not.toEqual(draw(1, 'b'));
  });

  it('stays inside its ranges', () => {
    const random = createRandom(3);
    for (let i = 0; i < 2_000; i++) {
      expect(random.zipf(8)).toBeGreaterThanOrEqual(0);
      expect(random.zipf(8)).toBeLessThan(8);
      expect([2, 3, 4]).toContain(random.between(2, 4));
      expect(
        random.weighted([
          ['never', 0],
          ['always', 1],
        ]),
      ).toBe('always');
    }
  });
});

describe('population', () => {
  it('is the same for a seed', () => {
    expect(people(7)).toEqual(people(7));
    expect(people(7)).not.toEqual(people(8));
  });

  it('has as many clients as asked for, each with a public address and an account of its own', () => {
    const all = people(7);
    expect(all).toHaveLength(200);
    expect(new Set(all.map(({ address }) => address)).size).toBe(200);
    for (const { address } of all) expect(ipaddr.parse(address).range()).toBe('unicast');
    expect(all.some(({ address }) => address.includes(':'))).toBe(true);
    const accounts = all.map(({ account }) => account).filter((account) => account > 0);
    expect(new Set(accounts).size).toBe(accounts.length);
    expect(all.filter(({ role }) => role === 'staff').length).toBeGreaterThanOrEqual(15);
  });
});

describe('journeys', () => {
  const buyer = people(7).find(({ role }) => role === 'buyer')!;

  it('are the same for a seed', () => {
    expect(requests(buyer, 1, 200)).toEqual(requests(buyer, 1, 200));
    expect(requests(buyer, 1, 200)).not.toEqual(requests(buyer, 2, 200));
  });

  it('ask for every attacked operation at least 200 times in 100 s at 80 requests a second', () => {
    const counts: Record<string, number> = {};
    const all = people(7);
    for (const persona of all) {
      for (const { name } of requests(persona, persona.account + 1, (80 * 100) / all.length)) {
        counts[name] = (counts[name] ?? 0) + 1;
      }
    }
    const attacked = 'search order receipt checkout product list coupon login avatar wishlist availability sales';
    for (const name of attacked.split(' ')) {
      expect(counts[name], name).toBeGreaterThanOrEqual(200);
    }
  });

  it('never do what the attacks do', () => {
    for (const persona of people(7)) {
      for (const { path, body } of requests(persona, persona.account, 60)) {
        expect(path).not.toMatch(/include=(?!stock|none)|union.*select.*from|pace=\d{3}/);
        expect(path).not.toMatch(/code=(?!SAVE\d+$)/);
        expect(JSON.stringify(body ?? {})).not.toMatch(/prepaid|127\.0\.0\.1|203\.0\.113/);
        expect((body?.products as number[] | undefined)?.length ?? 0).toBeLessThanOrEqual(20);
      }
    }
  });

  it('mistype when they sign in, now and then, and read only their own orders unless they are staff', () => {
    let logins = 0;
    let wrong = 0;
    for (const persona of people(7)) {
      const own = new Set([firstOrderOf(persona.account), firstOrderOf(persona.account) + 1, 1_001, 1_002]);
      for (const { name, path, body } of requests(persona, persona.account + 1, 120)) {
        if (name === 'login') {
          logins++;
          const right = accountEmail(persona.account) === body?.email;
          if (!right || accountPassword(persona.account) !== body?.password) wrong++;
        }
        const order = /^\/orders\/(\d+)/.exec(path)?.[1];
        if (order !== undefined && persona.role !== 'staff') expect(own).toContain(Number(order));
      }
    }
    expect(wrong / logins).toBeGreaterThan(0.02);
    expect(wrong / logins).toBeLessThan(0.1);
  });

  it('mistype into something else', () => {
    const random = createRandom(4);
    for (const text of ['ab', 'aaaa', 'pass-7919', 'customer1@mail.example']) {
      for (let i = 0; i < 200; i++) expect(mistype(random, text)).not.toBe(text);
    }
  });

  it('put apostrophes and accents into searches, but never two apostrophes', () => {
    const visitor = people(7).find(({ role }) => role === 'visitor')!;
    const texts = requests(visitor, 5, 4_000)
      .filter(({ name }) => name === 'search')
      .map(({ path }) => new URLSearchParams(path.split('?')[1]).get('q') ?? '');
    expect(texts.some((text) => text.includes("O'Neill"))).toBe(true);
    expect(texts.some((text) => /[éêöñ]/.test(text))).toBe(true);
    for (const text of texts) expect(text.split("'").length).toBeLessThanOrEqual(2);
  });

  it('keep a cart within its bound', () => {
    let cart = 0;
    for (const { name } of requests(buyer, 9, 500)) {
      if (name === 'add') cart++;
      if (name === 'checkout') cart = 0;
      expect(cart).toBeLessThanOrEqual(MAX_CART);
    }
  });
});

describe('PROXY protocol', () => {
  it('carries an address of either family', () => {
    for (const address of ['81.2.69.144', '2a01:db8::17']) {
      const header = writeProxyHeader(address, 4_711, 443);
      const read = readProxyHeader(Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n')]));
      expect(read).toEqual({ state: 'complete', address, length: header.length });
      for (let cut = 0; cut < header.length; cut++) {
        expect(readProxyHeader(header.subarray(0, cut)).state).toBe('incomplete');
      }
    }
  });

  it('is version 2 as the specification lays it out', () => {
    expect(writeProxyHeader('1.2.3.4', 0x1234, 0x01bb).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a2111000c010203047f000001123401bb',
    );
  });

  it('refuses what does not begin with it', () => {
    expect(readProxyHeader(Buffer.from('GET / HTTP/1.1\r\n\r\n')).state).toBe('malformed');
  });
});
