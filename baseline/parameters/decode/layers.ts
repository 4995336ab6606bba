/**
 * Single decoders: percent, HTML entities, string escapes, Unicode compatibility forms. Each reads `input[0, length)`,
 * writes `output` and gives the new length, or −1 when nothing was there to decode. Output never grows beyond input.
 */

const hexValue = (b: number): number => {
  if (b >= 0x30 && b <= 0x39) return b - 0x30;
  const letter = b | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
};

const hexRun = (bytes: Uint8Array, at: number, digits: number, length: number): number => {
  if (at + digits > length) return -1;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const v = hexValue(bytes[at + i]!);
    if (v < 0) return -1;
    value = value * 16 + v;
  }
  return value;
};

/** UTF-8 of a code point; callers decode forms at least as long as this output. */
const writePoint = (output: Uint8Array, at: number, point: number): number => {
  if (point < 0x80) {
    output[at] = point;
    return at + 1;
  }
  if (point < 0x800) {
    output[at] = 0xc0 | (point >> 6);
    output[at + 1] = 0x80 | (point & 63);
    return at + 2;
  }
  if (point < 0x10000) {
    output[at] = 0xe0 | (point >> 12);
    output[at + 1] = 0x80 | ((point >> 6) & 63);
    output[at + 2] = 0x80 | (point & 63);
    return at + 3;
  }
  output[at] = 0xf0 | ((point >> 18) & 7);
  output[at + 1] = 0x80 | ((point >> 12) & 63);
  output[at + 2] = 0x80 | ((point >> 6) & 63);
  output[at + 3] = 0x80 | (point & 63);
  return at + 4;
};

/** `%41`, and `%u0041` as IIS reads it; a `%` that starts neither stays. `plus`: `+` is a blank (form encoding). */
export const decodePercent = (input: Uint8Array, length: number, output: Uint8Array, plus: boolean): number => {
  let to = 0;
  let decoded = false;
  for (let i = 0; i < length; i++) {
    const b = input[i]!;
    if (b === 0x25) {
      const byte = hexRun(input, i + 1, 2, length);
      if (byte >= 0) {
        output[to++] = byte;
        i += 2;
        decoded = true;
        continue;
      }
      const point = i + 1 < length && (input[i + 1]! | 0x20) === 0x75 ? hexRun(input, i + 2, 4, length) : -1;
      if (point >= 0) {
        to = writePoint(output, to, point);
        i += 5;
        decoded = true;
        continue;
      }
    } else if (plus && b === 0x2b) {
      output[to++] = 0x20;
      decoded = true;
      continue;
    }
    output[to++] = b;
  }
  return decoded ? to : -1;
};

/** The named references that matter in attacks and in everyday escaping (HTML Living Standard, 13.5). */
const ENTITIES: readonly (readonly [string, number])[] = [
  ['lt', 0x3c],
  ['gt', 0x3e],
  ['amp', 0x26],
  ['quot', 0x22],
  ['apos', 0x27],
  ['nbsp', 0x20],
  ['tab', 0x09],
  ['newline', 0x0a],
  ['colon', 0x3a],
  ['semi', 0x3b],
  ['lpar', 0x28],
  ['rpar', 0x29],
  ['sol', 0x2f],
  ['bsol', 0x5c],
  ['equals', 0x3d],
  ['period', 0x2e],
  ['comma', 0x2c],
  ['grave', 0x60],
  ['num', 0x23],
  ['dollar', 0x24],
  ['percnt', 0x25],
];

/** Longest reference looked at: `&#x0000000027;` and the names above. */
const MAX_ENTITY = 14;

const namedEntity = (input: Uint8Array, start: number, end: number): number => {
  for (const [name, point] of ENTITIES) {
    if (name.length !== end - start) continue;
    let same = true;
    for (let i = 0; same && i < name.length; i++) same = (input[start + i]! | 0x20) === name.charCodeAt(i);
    if (same) return point;
  }
  return -1;
};

const numericEntity = (input: Uint8Array, start: number, end: number): number => {
  const hex = (input[start]! | 0x20) === 0x78;
  let value = 0;
  const from = hex ? start + 1 : start;
  if (from >= end) return -1;
  for (let i = from; i < end; i++) {
    const digit = hexValue(input[i]!);
    if (digit < 0 || (!hex && digit > 9)) return -1;
    value = value * (hex ? 16 : 10) + digit;
    if (value > 0x10ffff) return -1;
  }
  return value;
};

/** `&lt;`, `&#39;`, `&#x27;`; browsers read numbers without the semicolon too, so do we. */
export const decodeEntities = (input: Uint8Array, length: number, output: Uint8Array): number => {
  let to = 0;
  let decoded = false;
  for (let i = 0; i < length; i++) {
    const b = input[i]!;
    if (b === 0x26 && i + 2 < length) {
      const numeric = input[i + 1] === 0x23;
      let end = i + (numeric ? 2 : 1);
      const limit = Math.min(length, i + MAX_ENTITY);
      while (end < limit) {
        const c = input[end]!;
        const x = numeric && end === i + 2 && (c | 0x20) === 0x78;
        const inside = numeric ? x || hexValue(c) >= 0 : (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
        if (!inside) break;
        end++;
      }
      const closed = end < length && input[end] === 0x3b;
      const point = numeric ? numericEntity(input, i + 2, end) : closed ? namedEntity(input, i + 1, end) : -1;
      // `&#1;` is four bytes and no point needs more than four, so output cannot overtake input.
      if (point >= 0 && (closed || point < 0x80)) {
        to = writePoint(output, to, point);
        i = closed ? end : end - 1;
        decoded = true;
        continue;
      }
    }
    output[to++] = b;
  }
  return decoded ? to : -1;
};

/** `\u0027`, `\x27` as JSON and JavaScript write them; with one of these present also `\n`, `\"`, `\/` and the like. */
export const decodeEscapes = (input: Uint8Array, length: number, output: Uint8Array): number => {
  let to = 0;
  let decoded = false;
  for (let i = 0; i < length; i++) {
    const b = input[i]!;
    if (b === 0x5c && i + 1 < length) {
      const c = input[i + 1]! | 0x20;
      const digits = c === 0x75 ? 4 : c === 0x78 ? 2 : 0;
      const point = digits === 0 ? -1 : hexRun(input, i + 2, digits, length);
      if (point >= 0) {
        to = writePoint(output, to, point);
        i += 1 + digits;
        decoded = true;
        continue;
      }
      const next = input[i + 1]!;
      if (next === 0x22 || next === 0x2f) {
        output[to++] = next;
        i++;
        continue;
      }
    }
    output[to++] = b;
  }
  return decoded ? to : -1;
};

/** Overlong two-byte forms of ASCII (`C0 AE` for a dot), which lenient decoders take. */
const decodeOverlong = (input: Uint8Array, length: number, output: Uint8Array): number => {
  let to = 0;
  let decoded = false;
  for (let i = 0; i < length; i++) {
    const b = input[i]!;
    if ((b === 0xc0 || b === 0xc1) && i + 1 < length && (input[i + 1]! & 0xc0) === 0x80) {
      output[to++] = ((b & 0x1f) << 6) | (input[i + 1]! & 0x3f);
      i++;
      decoded = true;
    } else {
      output[to++] = b;
    }
  }
  return decoded ? to : -1;
};

const asciiCount = (text: string): number => {
  let n = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x80) n++;
  return n;
};

const UTF8 = new TextDecoder();
const ENCODER = new TextEncoder();

/**
 * Compatibility forms (fullwidth, mathematical letters, superscripts) that NFKC turns into ASCII: what a back end that
 * normalises would see. Accented letters stay as they are.
 */
export const decodeUnicode = (input: Uint8Array, length: number, output: Uint8Array): number => {
  const overlong = decodeOverlong(input, length, output);
  if (overlong >= 0) return overlong;
  let candidate = false;
  for (let i = 0; i < length && !candidate; i++) candidate = input[i]! >= 0xe2 || input[i] === 0xc2;
  if (!candidate) return -1;
  const text = UTF8.decode(input.subarray(0, length));
  const normal = text.normalize('NFKC');
  if (normal === text || asciiCount(normal) <= asciiCount(text)) return -1;
  // NFKC may expand one character to eighteen (U+FDFA); what does not fit is not decoded.
  const { read, written } = ENCODER.encodeInto(normal, output);
  return read === normal.length ? written : -1;
};

const base64Value = (b: number): number => {
  if (b >= 0x41 && b <= 0x5a) return b - 0x41;
  if (b >= 0x61 && b <= 0x7a) return b - 0x47;
  if (b >= 0x30 && b <= 0x39) return b + 4;
  if (b === 0x2b || b === 0x2d) return 62;
  return b === 0x2f || b === 0x5f ? 63 : -1;
};

/** Base64 and base64url of `input[start, end)`, padding optional; −1 when a byte is of neither alphabet. */
export const decodeBase64 = (input: Uint8Array, start: number, end: number, output: Uint8Array): number => {
  let last = end;
  while (last > start && input[last - 1] === 0x3d) last--;
  if (end - last > 2 || (last - start) % 4 === 1) return -1;
  let to = 0;
  let bits = 0;
  let have = 0;
  for (let i = start; i < last; i++) {
    const value = base64Value(input[i]!);
    if (value < 0) return -1;
    bits = ((bits << 6) | value) & 0xffffff;
    have += 6;
    if (have >= 8) {
      have -= 8;
      output[to++] = (bits >> have) & 0xff;
    }
  }
  return to;
};
