/**
 * Does a path segment or a word of a span name look like an identifier, which differs from request to request? By type
 * (DETECTION §3.1): integer, UUID, hex, date, e-mail, long random token. Works on bytes; makes nothing.
 */

const DIGIT = 1;
const LOWER = 2;
const UPPER = 4;
const OTHER = 8;

const CLASS = new Uint8Array(256).fill(OTHER);
for (let i = 0x30; i <= 0x39; i++) CLASS[i] = DIGIT;
for (let i = 0x61; i <= 0x7a; i++) CLASS[i] = LOWER;
for (let i = 0x41; i <= 0x5a; i++) CLASS[i] = UPPER;

const isHexLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66;

/** From this length on, a token that mixes classes as words do not is random. */
const RANDOM_LENGTH = 16;

export function isIdentifier(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0) return false;
  let digits = 0;
  let hexLetters = 0;
  let letters = 0;
  let dashes = 0;
  let ats = 0;
  let dots = 0;
  let other = 0;
  let digitChanges = 0;
  let oddCapitals = 0;
  let before = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const kind = CLASS[byte]!;
    if (kind === DIGIT) digits++;
    else if (kind !== OTHER) {
      letters++;
      if (isHexLetter(byte)) hexLetters++;
    } else if (byte === 0x2d || byte === 0x5f) dashes++;
    else if (byte === 0x40) ats++;
    else if (byte === 0x2e) dots++;
    else if (byte === 0x25 && i + 2 < end && bytes[i + 1] === 0x34 && bytes[i + 2] === 0x30)
      ats++; // %40
    else other++;
    if (kind === OTHER) continue;
    if (before !== 0 && (kind === DIGIT) !== (before === DIGIT)) digitChanges++;
    // A capital between a small letter and a small letter begins a word: camelCase is no chance.
    else if (before === LOWER && kind === UPPER && (i + 1 === end || CLASS[bytes[i + 1]!] !== LOWER)) oddCapitals++;
    before = kind;
  }
  if (ats === 1 && dots >= 1 && letters > 0) return true; // e-mail
  if (other > 0) return false;
  if (letters === 0) {
    // Integers, decimals, dates, phone numbers and IPv4 addresses: digits with separators. A version like 2.0 stays.
    if (digits === 0) return false;
    return dots === 0 || digits >= 4;
  }
  if (dots > 0) return false;
  if (digits === 0) return false; // 24 random base-62 characters hold a digit 98 times in 100; a long method name none
  const hex = hexLetters === letters;
  if (hex && dashes === 0 && length >= 8) return true; // hashes, trace ids, object ids
  if (hex && length === 36 && dashes === 4) return true; // UUID
  if (isDateTime(bytes, start, end)) return true;
  return (
    length >= RANDOM_LENGTH && ((digits >= 3 && digitChanges >= 4) || (digits >= 2 && digitChanges + oddCapitals >= 7))
  );
}

/** `2026-11-21T08:30:00Z` without its colons, or `20261121T083000Z`: digits and dashes around one T. */
function isDateTime(bytes: Uint8Array, start: number, end: number): boolean {
  let digits = 0;
  let marks = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (CLASS[byte] === DIGIT) digits++;
    else if (byte === 0x54 || byte === 0x5a) marks++;
    else if (byte !== 0x2d) return false;
  }
  return digits >= 8 && marks <= 2;
}

/** A part of a compound word (`order-83f2a1`): only what can hardly be a word or a small ordinal. */
export function isIdentifierPart(bytes: Uint8Array, start: number, end: number): boolean {
  let digits = 0;
  for (let i = start; i < end; i++) if (CLASS[bytes[i]!] === DIGIT) digits++;
  if (digits === end - start) return digits >= 3;
  return digits >= 2 && end - start >= 6 && isIdentifierHexOrRandom(bytes, start, end, digits);
}

function isIdentifierHexOrRandom(bytes: Uint8Array, start: number, end: number, digits: number): boolean {
  let hex = true;
  let changes = 0;
  let before = 0;
  for (let i = start; i < end; i++) {
    const kind = CLASS[bytes[i]!]!;
    if (kind !== DIGIT && !isHexLetter(bytes[i]!)) hex = false;
    // Capitals that begin a word are no chance: `EncodeBase64`, `CurrencyService2023`.
    const odd = before === LOWER && kind === UPPER && (i + 1 === end || CLASS[bytes[i + 1]!] !== LOWER);
    if (before !== 0 && ((kind === DIGIT) !== (before === DIGIT) || odd)) changes++;
    before = kind;
  }
  return hex || (changes >= 3 && digits >= 2 && end - start >= 8);
}
