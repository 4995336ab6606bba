/** What an attacker writes is shown on a terminal, and does not steer it. */
import { expect, it } from 'vitest';
import { jsonText, linesText } from '../../../cli/terminal.ts';
import { hasSteering } from '../../../traces/steering.ts';

const HOSTILE = [
  '\u001b[2J\u001b]0;title\u0007', // clears the screen, names the window
  'one\nREQUEST ALLOWED', // a line of one's own
  '\u009b31m', // C1: CSI in one character
  'user\u202eresu', // right to left
  'pay\u200bload\u00ad', // invisible
  '\u{e0041}', // a tag
  'half \ud800 and \udc00',
];

it('a line stays one line, and nothing in it steers; what is only unusual stays', () => {
  const lines = linesText(HOSTILE).split('\n');
  expect(lines).toHaveLength(HOSTILE.length + 1);
  expect(lines.filter(hasSteering)).toEqual([]);
  expect(lines[1]).toBe('one\\x0aREQUEST ALLOWED');
  expect(linesText(['Zoë 寿司 🍣 | 50 %'])).toBe('Zoë 寿司 🍣 | 50 %\n');
});

it('JSON means what it meant', () => {
  const value = { names: HOSTILE, [HOSTILE[0]!]: HOSTILE[5] };
  const text = jsonText(value);
  expect(hasSteering(text)).toBe(false);
  expect(JSON.parse(text)).toEqual(value);
});
