/** Text from outside on its way to people's eyes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapedLine } from '../../../responder/alerts/slack.ts';
import { cut, line, plain } from '../../../responder/alerts/text.ts';

test.each([
  ['\u001b[31mred', '\\x1b[31mred'],
  ['a\r\nb\tc\u0000', 'a\\x0d\\x0ab\\x09c\\x00'],
  ['\u202egnp.exe', '\\u{202e}gnp.exe'],
  ['ad\u200bmin\ufeff', 'ad\\u{200b}min\\u{feff}'],
  ['\u{e0041}', '\\u{e0041}'],
  ['half \ud83d and half \ude00', 'half \\u{d83d} and half \\u{de00}'],
  ['whole 😀 Überraschung 東京 ١٢٣', 'whole 😀 Überraschung 東京 ١٢٣'],
])('%j is shown as %j', (text, shown) => expect(plain(text)).toBe(shown));

const anything = fc.string({ unit: 'binary', maxLength: 300 });

test('nothing that steers is left, and a second time changes nothing', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const shown = plain(text);
      expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u);
      expect(plain(shown)).toBe(shown);
    }),
    { seed: 6 },
  );
});

test('what is cut fits, and ends in a whole character', () => {
  fc.assert(
    fc.property(anything, fc.integer({ min: 2, max: 80 }), (text, max) => {
      expect(line(text, max).length).toBeLessThanOrEqual(max);
      expect(cut(plain(text), max).isWellFormed()).toBe(true);
    }),
    { seed: 6 },
  );
});

test('in Slack nothing is markup, and escapes are never cut in two', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('<', '>', '&', '`', '!', 'a', '😀'), maxLength: 60 }), (text) => {
      for (const max of [5, 17, 40]) {
        const shown = escapedLine(text, max);
        expect(shown.length).toBeLessThanOrEqual(max);
        expect(shown).not.toMatch(/[<>`]|&(?!amp;|lt;|gt;)/);
      }
    }),
    { seed: 6 },
  );
});
