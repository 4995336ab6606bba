/** Whatever the configuration takes for a range, the program reads as one: what is misspelt is refused and not left out. */
import { expect, it } from 'vitest';
import { actorsConfigOf } from '../../../responder/actors-config.ts';
import { parseNetwork } from '../../../responder/decisions/network.ts';
import { actorsSection } from '../../../schemas/config/actors.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import { isRange } from '../../../schemas/config/ranges.ts';
import { responseSection } from '../../../schemas/config/response.ts';
import { randomOf } from '../actors/events.ts';

const PARTS =
  '10 . 0 255 256 010 1 203 113 / 24 32 33 128 129 :: ffff : 2001 db8 fe80 %eth0 0x7f ::ffff: 127.1 10.0.0.0 /104 /96 /8 203.0.113.7 2001:db8::1 [ ] ::1 /0 /08'.split(
    ' ',
  );

it('made up of anything', () => {
  const random = randomOf(7);
  const pick = (n: number): number => Math.floor(random() * n);
  let taken = 0;
  for (let n = 0; n < 60_000; n++) {
    const text = Array.from({ length: 1 + pick(5) }, () => PARTS[pick(PARTS.length)]).join('');
    if (!isRange(text)) continue;
    taken++;
    expect([text, parseNetwork(text)]).not.toEqual([text, null]);
  }
  expect(taken).toBeGreaterThan(1_000);
});

it.each([
  ['198.51.100.0/24', true],
  ['2001:db8::/32', true],
  ['::ffff:10.0.0.0/104', true],
  ['198.51.100.0/240', false],
  ['203.0.113.010', false],
  ['10.0.0/8', false],
  ['::ffff:10.0.0.0/8', false],
  ['::ffff:1:db8/08', false],
  ['::ffff:10.0.0.032', false],
  ['2001:db8::/129', false],
  ['', false],
])('%s: %s, in every list', (text, good) => {
  expect(responseSection.safeParse({ allow: [text] }).success).toBe(good);
  expect(responseSection.safeParse({ ownInfrastructure: [text] }).success).toBe(good);
  expect(attributionSection.safeParse({ trustedProxies: [text] }).success).toBe(good);
  expect(attributionSection.safeParse({ services: { edge: { trustedProxies: [text] } } }).success).toBe(good);
  expect(actorsSection.safeParse({ clientRanges: [text] }).success).toBe(good);
});

it('private ranges of clients, in whatever form, hold their addresses and no others', () => {
  const { isClientRange } = actorsConfigOf(
    configSchema.parse({ actors: { clientRanges: ['::ffff:10.4.0.0/112', 'fd00:1::/64'] } }),
  );
  expect(['10.4.9.9', 'fd00:1::7', '10.5.0.1', 'fd00:2::7', '', 'x'].map(isClientRange)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
