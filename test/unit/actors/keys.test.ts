/** Keys come from outside: what is shown of them steers no terminal, and different ones stay different. */
import { expect, test } from 'vitest';
import { keyOf } from '../../../responder/actors/scene/keys.ts';
import { hasSteering } from '../../../traces/steering.ts';

test('what is harmless is its own key, in any script', () => {
  for (const text of ['', '198.51.100.9', '2001:db8::/64', 'анна@mail.example', '名前', 'x'.repeat(128), ' ~'])
    expect(keyOf(text)).toBe(text);
});

test('characters that steer, and all beyond 128, are in no key; a hash tells keys apart', () => {
  const hostile = [
    'eve\u0000',
    'eve\u001b[2J',
    'eve\u007f',
    'eve\u0085',
    'eve\u00ad',
    'eve\u200b',
    'eve\u200d',
    'eve\u202e',
    'eve\u2066',
    'eve\ufeff',
    'eve\ud800',
    'eve\udbff!',
    'eve\u{e0041}',
    'x'.repeat(129),
    'x'.repeat(5_000),
    `${'x'.repeat(115)}😀${'x'.repeat(20)}`,
  ];
  const keys = hostile.map((text) => keyOf(text));
  for (const key of keys) {
    expect(hasSteering(key)).toBe(false);
    expect(key.length).toBeLessThanOrEqual(128);
  }
  expect(new Set(keys).size).toBe(keys.length);
});
