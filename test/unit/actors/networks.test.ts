/** Networks that are actors are found for every client in them and for no other, without a look at most clients' text. */
import { expect, test } from 'vitest';
import { clientOf, networkOf, rangeOf } from '../../../responder/actors/learned/addresses.ts';
import { createNetworks } from '../../../responder/actors/scene/networks.ts';
import { randomOf } from './events.ts';

function clients(count: number): string[] {
  const random = randomOf(11);
  const below = (most: number): number => Math.floor(random() * most);
  const group = (): string => (below(3) === 0 ? '0' : below(65_536).toString(16));
  const found = [
    '::1',
    '::',
    '::ffff:1.2.3.4',
    '2001:db8::',
    '0:0:1::',
    'no address',
    '',
    '1',
    'a:b',
    '2001:db8:0:0:1::/64',
    '64:ff9b::',
    '64:ff9b:1::/64',
  ];
  while (found.length < count) {
    const embedding = ['64:ff9b::', '64:ff9b:1::', '::ffff:0:', '::'][found.length % 40];
    if (embedding !== undefined) {
      found.push(`${embedding}c0a8:${below(700).toString(16)}`);
      continue;
    }
    const six = Array.from({ length: 8 }, group).join(':');
    found.push(
      below(2) === 0
        ? `${below(4)}.${below(4)}.${below(99)}.${below(256)}`
        : clientOf(six.replace(/(^|:)0(:0)+(:|$)/, '::')),
    );
  }
  return found;
}

test('a network is found for all clients in it, whoever comes and goes', () => {
  const networks = createNetworks();
  const known = new Map<string, number>();
  const all = clients(6_000);
  const random = randomOf(5);
  let inOne = 0;
  for (let n = 0; n < 40_000; n++) {
    const client = all[Math.floor(random() * all.length)]!;
    const key = networkOf(client);
    expect(networks.find(client)).toBe(known.get(key) ?? -1);
    if (known.has(key)) inOne++;
    if (key === '' || random() < 0.5) continue;
    if (random() < 0.4) {
      networks.set(key, n);
      known.set(key, n);
    } else {
      networks.delete(key);
      known.delete(key);
    }
    expect(networks.size()).toBe(known.size);
  }
  expect(inOne).toBeGreaterThan(1_000);
  networks.clear();
  expect(all.some((client) => networks.find(client) >= 0)).toBe(false);
});

test('an address that translators made of an IPv4 one is a client of its own, in the /24 of that', () => {
  for (const [address, network] of [
    ['64:ff9b::c633:6407', '64:ff9b::c633:6400/120'],
    ['64:ff9b::c633:64ff', '64:ff9b::c633:6400/120'],
    ['64:ff9b::7', '64:ff9b::0/120'],
    ['64:ff9b::', '64:ff9b::0/120'],
    ['64:ff9b:1::c633:6407', '64:ff9b:1::c633:6400/120'],
    ['64:ff9b:1:9::c633:6407', '64:ff9b:1:9::c633:6400/120'],
    ['::ffff:0:c633:6407', '::ffff:0:c633:6400/120'],
    ['::ffff:198.51.100.7', '::ffff:198.51.100.0/120'],
    ['::c633:6407', '::c633:6400/120'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:0:4136:e378:8000:63bf:3fff:fd00/120'],
  ] as const)
    expect([clientOf(address), networkOf(clientOf(address))]).toEqual([address, network]);
  // others are their /64: a site's own, 6to4, what only begins like a translator's
  for (const [address, client, network] of [
    ['2001:db8:1:2::c633:6407', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2002:c633:6407:1::9', '2002:c633:6407:1::/64', '2002:c633:6407::/48'],
    ['64:ff9b::1:2:3:4', '64:ff9b::/64', '64:ff9b::/48'],
    ['64:ff9b:2::c633:6407', '64:ff9b:2::/64', '64:ff9b:2::/48'],
    ['2001:1::c633:6407', '2001:1::/64', '2001:1::/48'],
  ] as const)
    expect([clientOf(address), networkOf(clientOf(address))]).toEqual([client, network]);
});

test('an address that translators made of an IPv4 one is in the range of that', () => {
  const addresses = ['64:ff9b::a00:1', '::ffff:0:a00:1', '64:ff9b::6810:1', '64:ff9b::c633:6407', '2002:a00:1::/64'];
  expect(addresses.map(rangeOf)).toEqual(['private', 'private', 'CDN', '', 'private']);
});
