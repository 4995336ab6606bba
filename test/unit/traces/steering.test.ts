/** Characters that steer what shows a text. */
import { expect, it } from 'vitest';
import { hasSteering, withoutSteering } from '../../../traces/steering.ts';

/** Every code point that Unicode calls a control, and those of its formats that move, hide or number text. */
const steers = (code: number): boolean =>
  /^\p{Cc}$/u.test(String.fromCodePoint(code)) ||
  [0xad, 0x61c, 0x180e, 0x2028, 0x2029, 0xfeff].includes(code) ||
  [
    [0x200b, 0x200f],
    [0x202a, 0x202e],
    [0x2060, 0x206f],
    [0xfff9, 0xfffb],
    [0xd800, 0xdfff],
    [0xe0000, 0xe007f],
  ].some(([first, last]) => code >= first! && code <= last!);

it('every code point of Unicode: those that steer are told and replaced, all others stay as they are', () => {
  const wrong: string[] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    const text = `a${String.fromCodePoint(code)}z`;
    const want = steers(code);
    if (hasSteering(text) !== want || withoutSteering(text) !== (want ? 'a\ufffdz' : text))
      wrong.push(code.toString(16));
  }
  expect(wrong).toEqual([]);
});

it('a pair of surrogates is a character, a half of one is not', () => {
  expect(hasSteering('🍣')).toBe(false);
  expect(withoutSteering('\udf63\ud83c', () => '?')).toBe('??');
});
