/** The type of a value: the narrowest of a lattice that holds it. One or two passes over bytes, no backtracking. */
import { CharacterClass, CLASS_OF } from './characters.ts';
import { Type } from './features.ts';

/** How many bytes of each sort a value has. Filled by the reader of shapes; reused. */
export interface Census {
  length: number;
  lower: number;
  upper: number;
  digits: number;
  spaces: number;
  marks: number;
  beyond: number;
  /** Control characters of any kind. */
  controls: number;
}

const isHex = (b: number): boolean => (b >= 0x30 && b <= 0x39) || (b >= 0x61 && b <= 0x66) || (b >= 0x41 && b <= 0x46);

const isUuid = (bytes: Uint8Array, start: number, end: number): boolean => {
  if (end - start !== 36) return false;
  for (let i = 0; i < 36; i++) {
    const dash = i === 8 || i === 13 || i === 18 || i === 23;
    const b = bytes[start + i]!;
    if (dash ? b !== 0x2d : !isHex(b)) return false;
  }
  return true;
};

const allHex = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) if (!isHex(bytes[i]!)) return false;
  return true;
};

const countOf = (bytes: Uint8Array, start: number, end: number, wanted: number): number => {
  let n = 0;
  for (let i = start; i < end; i++) if (bytes[i] === wanted) n++;
  return n;
};

const isDigit = (b: number | undefined): boolean => b !== undefined && b >= 0x30 && b <= 0x39;

/** `2026-08-01`, optionally with a time. */
const isDate = (bytes: Uint8Array, start: number, end: number): boolean => {
  if (end - start < 10 || end - start > 35) return false;
  for (let i = 0; i < 10; i++) {
    if (i === 4 || i === 7 ? bytes[start + i] !== 0x2d : !isDigit(bytes[start + i])) return false;
  }
  for (let i = start + 10; i < end; i++) {
    const b = bytes[i]!;
    // digits, T, Z, blank, colon, dot, signs
    if (!isDigit(b) && b !== 0x54 && b !== 0x5a && b !== 0x20 && b !== 0x3a && b !== 0x2e && b !== 0x2b && b !== 0x2d) {
      return false;
    }
  }
  return true;
};

const isEmail = (bytes: Uint8Array, start: number, end: number): boolean => {
  let at = -1;
  let dotAfter = false;
  for (let i = start; i < end; i++) {
    const b = bytes[i]!;
    if (b === 0x40) {
      if (at >= 0 || i === start) return false;
      at = i;
    } else if (b === 0x2e) {
      if (at >= 0 && i > at + 1 && i + 1 < end) dotAfter = true;
    } else if (CLASS_OF[b]! > CharacterClass.digit && b < 128 && b !== 0x2d && b !== 0x5f && b !== 0x2b && b !== 0x25) {
      return false;
    }
  }
  return at >= 0 && dotAfter;
};

const isIp4 = (bytes: Uint8Array, start: number, end: number): boolean => {
  let parts = 1;
  let digits = 0;
  for (let i = start; i < end; i++) {
    if (bytes[i] === 0x2e) {
      if (digits === 0) return false;
      parts++;
      digits = 0;
    } else if (!isDigit(bytes[i]) || ++digits > 3) return false;
  }
  return parts === 4 && digits > 0;
};

const hasScheme = (bytes: Uint8Array, start: number, end: number): boolean => {
  let i = start;
  while (i < end && i - start < 16 && CLASS_OF[bytes[i]!]! <= CharacterClass.digit) i++;
  return i > start && i + 2 < end && bytes[i] === 0x3a && bytes[i + 1] === 0x2f && bytes[i + 2] === 0x2f;
};

const isWord = (bytes: Uint8Array, start: number, end: number, text: string): boolean => {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if ((bytes[start + i]! | 0x20) !== text.charCodeAt(i)) return false;
  return true;
};

/** Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates). */
export const isUtf8 = (bytes: Uint8Array, start: number, end: number): boolean => {
  let i = start;
  while (i < end) {
    const b = bytes[i]!;
    if (b < 0x80) {
      i++;
      continue;
    }
    const more = b >= 0xc2 && b <= 0xdf ? 1 : b >= 0xe0 && b <= 0xef ? 2 : b >= 0xf0 && b <= 0xf4 ? 3 : 0;
    if (more === 0 || i + more >= end) return false;
    const second = bytes[i + 1]!;
    if (b === 0xe0 && second < 0xa0) return false;
    if (b === 0xed && second > 0x9f) return false;
    if (b === 0xf0 && second < 0x90) return false;
    if (b === 0xf4 && second > 0x8f) return false;
    for (let k = 1; k <= more; k++) if ((bytes[i + k]! & 0xc0) !== 0x80) return false;
    i += more + 1;
  }
  return true;
};

/** Numbers may have a sign, one decimal point and nothing else. */
const numberType = (bytes: Uint8Array, start: number, end: number, c: Census): Type | 0 => {
  if (c.digits === 0 || c.lower + c.upper + c.spaces + c.beyond > 0) return 0;
  const signed = bytes[start] === 0x2d || bytes[start] === 0x2b ? 1 : 0;
  const rest = c.marks - signed;
  if (rest === 0) return Type.integer;
  return rest === 1 && countOf(bytes, start + signed, end, 0x2e) === 1 ? Type.decimal : 0;
};

export const typeOf = (bytes: Uint8Array, start: number, end: number, c: Census): Type => {
  if (c.length === 0) return Type.empty;
  if (c.controls > 0 || (c.beyond > 0 && !isUtf8(bytes, start, end))) return Type.binary;
  const letters = c.lower + c.upper;
  const number = numberType(bytes, start, end, c);
  if (number !== 0) return number;
  if (c.marks === 0 && c.spaces === 0) {
    if (c.digits === 0) {
      return isWord(bytes, start, end, 'true') || isWord(bytes, start, end, 'false') ? Type.boolean : Type.word;
    }
    if (c.beyond === 0 && c.length >= 8 && allHex(bytes, start, end)) return Type.hex;
  }
  if (isUuid(bytes, start, end)) return Type.uuid;
  if (isDate(bytes, start, end)) return Type.date;
  if (c.marks > 0 && c.spaces === 0) {
    if (isIp4(bytes, start, end)) return Type.ip;
    if (isEmail(bytes, start, end)) return Type.email;
    if (hasScheme(bytes, start, end)) return Type.url;
  }
  const first = bytes[start]!;
  const last = bytes[end - 1]!;
  if ((first === 0x7b && last === 0x7d) || (first === 0x5b && last === 0x5d)) return Type.json;
  if (first === 0x2f && c.spaces === 0) return Type.path;
  if (c.marks === 0) {
    if (c.spaces > 0) return Type.words;
    return c.length >= 20 && c.digits > 0 && c.upper > 0 && c.lower > 0 ? Type.token : Type.identifier;
  }
  if (c.spaces === 0 && c.beyond === 0) {
    const plain = countOf(bytes, start, end, 0x2d) + countOf(bytes, start, end, 0x5f);
    if (plain === c.marks && c.length < 20) return Type.identifier;
    const tokenMarks =
      plain +
      countOf(bytes, start, end, 0x2e) +
      countOf(bytes, start, end, 0x2b) +
      countOf(bytes, start, end, 0x2f) +
      countOf(bytes, start, end, 0x3d);
    if (tokenMarks === c.marks && c.length >= 20 && c.digits > 0 && letters > 0 && c.marks * 8 <= c.length) {
      return Type.token;
    }
    if (plain === c.marks) return Type.identifier;
  }
  return Type.text;
};
