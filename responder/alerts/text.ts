/**
 * Text from outside made fit for people's eyes: what steers a terminal, a browser or the direction of writing is shown as an
 * escape instead of obeyed, and nothing is longer than its place allows. Names, keys and values of requests are an attacker's words.
 */
import { withoutSteering } from '../../traces/steering.ts';

const escaped = (character: string): string => {
  const code = character.codePointAt(0)!;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
};

/** One line without anything that steers; idempotent. */
export const plain = (text: string): string => withoutSteering(text, escaped);

/** At most `max` UTF-16 units, as limits of receivers are counted, never ending in half a character. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = max - 1;
  const whole = (text.charCodeAt(end - 1) & 0xfc00) === 0xd800 ? end - 1 : end;
  return `${text.slice(0, whole)}…`;
}

/** For a place that shows one line. */
export const line = (text: string, max: number): string => cut(plain(text), max);

/** A time for people: UTC, to the second. */
export const when = (iso: string): string => `${iso.slice(0, 19).replace('T', ' ')} UTC`;
