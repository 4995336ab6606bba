/** The second who fails at an account or in a network within a day. */
import { expect, it } from 'vitest';
import { createFailures } from '../../../responder/actors/learned/failures.ts';

const NOW = 1_777_852_800;
const HOUR = 3_600;

it('counts while the first is not a day ago, and then begins anew', () => {
  const failures = createFailures(3);
  const [ann, bob, eve] = [11, 12, 13];
  expect(failures.isSecondAtAccount(5, ann, NOW)).toBe(false);
  expect(failures.isSecondAtAccount(5, ann, NOW + HOUR)).toBe(false);
  expect(failures.isSecondInNetwork(5, bob, NOW + HOUR)).toBe(false);
  expect(failures.isSecondAtAccount(5, bob, NOW + 20 * HOUR)).toBe(true);
  expect(failures.isSecondAtAccount(5, bob, NOW + 27 * HOUR)).toBe(false);
  expect(failures.isSecondAtAccount(5, bob, NOW + 40 * HOUR)).toBe(false);
  expect(failures.isSecondAtAccount(5, eve, NOW + 63 * HOUR)).toBe(true);
});

it('is not everybody for ever after somebody tried as many names as there are places', () => {
  const failures = createFailures(3);
  for (let name = 0; name < 1 << 16; name++) failures.isSecondAtAccount(name, 99, NOW);
  expect(failures.isSecondAtAccount(77, 12, NOW + HOUR)).toBe(true);
  const made = Array.from({ length: 500 }, (_, n) => failures.isSecondAtAccount(n * 100, 12, NOW + 30 * HOUR + n));
  expect(made.filter(Boolean)).toEqual([]);
});

it('is known again from a snapshot', () => {
  const failures = createFailures(3);
  failures.isSecondAtAccount(5, 11, NOW);
  failures.addSignIn('a');
  failures.parts.begin();
  const restored = createFailures(3);
  for (const { name, bytes } of failures.parts.rest()) restored.parts.restore(name, bytes!);
  expect([restored.isSecondAtAccount(5, 12, NOW), restored.isSecondAtAccount(5, 12, NOW + 30 * HOUR)]).toEqual([
    true,
    false,
  ]);
  expect([restored.isSignIn('a'), restored.isSignIn('b')]).toEqual([true, false]);
});
