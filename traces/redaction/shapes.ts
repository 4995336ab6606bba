/** Values that are secrets by their shape: JSON web tokens (RFC 7519) and card numbers (ISO/IEC 7812, Luhn's check). */

const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isLetter = (c: number): boolean => (c | 32) >= 97 && (c | 32) <= 122;
/** base64url */
const isTokenByte = (c: number): boolean => isDigit(c) || isLetter(c) || c === 45 || c === 95;

function endOfToken(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isTokenByte(bytes[at]!)) at++;
  return at;
}

/** End of the JSON web token that starts at `at` (an `e`), or −1: three base64url parts, the first two of some length. */
export function endOfJwt(bytes: Uint8Array, at: number, start: number, end: number): number {
  if (bytes[at + 1] !== 0x79 || bytes[at + 2] !== 0x4a || at + 20 > end) return -1; // `eyJ` is base64 of `{"`
  if (at > start && isTokenByte(bytes[at - 1]!)) return -1;
  const header = endOfToken(bytes, at, end);
  if (header - at < 8 || bytes[header] !== 0x2e || header >= end) return -1;
  const payload = endOfToken(bytes, header + 1, end);
  if (payload - header < 4) return -1;
  if (payload >= end || bytes[payload] !== 0x2e) return payload; // signature cut off: a secret still
  return endOfToken(bytes, payload + 1, end);
}

const MAX_DIGITS = 19;
const digits = new Uint8Array(MAX_DIGITS);

/**
 * End of the card number that starts at `at` (a digit with no digit, letter or point before it), or −1. Digits in one run
 * or in groups of three to six parted by single spaces or dashes.
 */
export function endOfCardNumber(bytes: Uint8Array, at: number, end: number): number {
  let count = 0;
  let group = 0;
  let grouped = false;
  let position = at;
  let best = -1; // a number that ends with a group, when what follows is none of it: `4111 1111 1111 1111 42`
  for (; position < end; position++) {
    const c = bytes[position]!;
    if (isDigit(c)) {
      if (count === MAX_DIGITS) return best;
      digits[count++] = c - 48;
      group++;
    } else if ((c === 32 || c === 45) && position + 1 < end && isDigit(bytes[position + 1]!)) {
      if (count >= 13 && !grouped) break; // one run, then something else
      if (group < 3 || group > 6) return best;
      if (isCard(count)) best = position;
      grouped = true;
      group = 0;
    } else break;
  }
  if (grouped && (group < 3 || group > 6)) return best;
  const next = position < end ? bytes[position]! : 0;
  if (isLetter(next) || (next === 0x2e && position + 1 < end && isDigit(bytes[position + 1]!))) return best;
  return isCard(count) ? position : best;
}

const isCard = (count: number): boolean => count >= 13 && isIssued(count) && passesLuhn(count);

/** Prefix and length of the large card networks. */
function isIssued(count: number): boolean {
  const first = digits[0]!;
  const two = first * 10 + digits[1]!;
  const four = two * 100 + digits[2]! * 10 + digits[3]!;
  if (first === 4) return count === 13 || count === 16 || count === 19;
  if (two >= 51 && two <= 55) return count === 16;
  if (four >= 2221 && four <= 2720) return count === 16;
  if (two === 34 || two === 37) return count === 15;
  if (two === 35) return count >= 16;
  if (two === 30 || two === 36 || two === 38) return count === 14 || count === 16;
  return (four === 6011 || two === 62 || two === 64 || two === 65) && count >= 16;
}

function passesLuhn(count: number): boolean {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    let digit = digits[count - 1 - i]!;
    if (i % 2 === 1) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return sum % 10 === 0;
}
