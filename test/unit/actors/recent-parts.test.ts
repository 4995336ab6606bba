/** Each part counts once: as many as are remembered at least, over generations, and no other is taken for one of them. */
import { expect, it } from 'vitest';
import { createRecentParts } from '../../../responder/actors/kept/recent-parts.ts';

it('a part counts once among as many as are to be remembered, and again when it is forgotten', () => {
  const most = 5_000;
  const recent = createRecentParts(most, 3);
  const takes = (n: number): boolean => recent.takes(`20260504-${n.toString(16).padStart(32, '0')}-00f067aa`, n % 3);
  for (let n = 0; n < 40_000; n++) {
    expect(takes(n)).toBe(true);
    if (n >= most && n % 7 === 0) expect([takes(n), takes(n - 1), takes(n - most + 1)]).toEqual([false, false, false]);
  }
  expect(takes(1)).toBe(true);
});

it('parts of one event are told apart, and what was taken stays so over a snapshot', () => {
  const recent = createRecentParts(100, 3);
  expect([recent.takes('a', 0), recent.takes('a', 1), recent.takes('a', 0)]).toEqual([true, true, false]);
  recent.parts.begin();
  const restored = createRecentParts(100, 3);
  for (const { name, bytes } of recent.parts.rest()) restored.parts.restore(name, bytes!);
  expect([restored.takes('a', 0), restored.takes('a', 1), restored.takes('b', 0)]).toEqual([false, false, true]);
});
