/** Which parameters name a thing of the application, and what of a value may leave: its keyed hash, and short plain integers. */
import type { ActorsConfig } from '../../schemas/config/actors.ts';
import { createNameTest } from './login.ts';

/** Names under which an integer is private to a person. */
const PRIVATE = /card|iban|ssn|social|phone|mobile|tax|passport|licen[cs]e|account/i;

/** Whether the name ends in one of the words: `id`, `order_id`, `orderId`, `items[{id}].ref`. */
export function createObjectTest({ parameters, ignore }: ActorsConfig['objects']): (name: string) => boolean {
  const words = parameters.map((word) => word.toLowerCase());
  const isIgnored = createNameTest(ignore);
  return (name) => !isIgnored(name) && words.some((word) => endsWithWord(name, word));
}

function endsWithWord(name: string, word: string): boolean {
  const whole = name.endsWith(']') ? name.slice(0, -1) : name;
  if (!whole.toLowerCase().endsWith(word)) return false;
  const at = whole.length - word.length;
  if (at === 0) return true;
  if (/[-_.[]/.test(whole[at - 1]!)) return true;
  // `orderId`, `orderID`: a capital after a small letter
  return /[A-Z]/.test(whole[at]!) && /[a-z0-9]/.test(whole[at - 1]!);
}

export const isPrivateName = (name: string): boolean => PRIVATE.test(name);

/** A longer number is no count that grows by one: a card, a phone, a random id. */
const MOST_DIGITS = 12;

/** The integer that these bytes write, as anybody would write it; null for anything else. */
export function plainInteger(bytes: Uint8Array, start: number, end: number): number | null {
  const length = end - start;
  if (length === 0 || length > MOST_DIGITS || (length > 1 && bytes[start] === 0x30)) return null;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return value;
}
