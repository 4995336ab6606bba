/** Networks that are actors are found for every client in them and for no other, without a look at most clients' text. */
import { expect, test } from 'vitest';
import { clientOf, networkOf } from '../../../responder/actors/learned/addresses.ts';
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
  ];
  while (found.length < count) {
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
