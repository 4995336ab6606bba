/** Keys of actors as they may be shown and kept: addresses and users come from outside. */
import { hasSteering } from '../../../traces/steering.ts';
import { hash32 } from '../hash.ts';
import { plainText } from '../kept/actor-texts.ts';
import { clientOf } from '../learned/addresses.ts';

const LONGEST_KEY = 128;

/** Of whom an address stands for. */
export const clientKeyOf = (address: string): string => keyOf(clientOf(address));

/** Without characters that steer what shows them, and what is too long by its beginning and its hash. */
export function keyOf(text: string): string {
  if (text.length <= LONGEST_KEY && (isPlain(text) || !hasSteering(text))) return text;
  return `${plainText(text, LONGEST_KEY - 12)}…${hash32(text, 0).toString(16)}`;
}

/** Nearly all are: printable ASCII, and known for it without an expression. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}
