/** 64-bit integers of OTLP/JSON, which come as decimal strings or as numbers, as two unsigned halves. */

export interface Pair {
  high: number;
  low: number;
}

/** Fills `out` from a non-negative integer below 2⁶⁴; false when it is none. */
export function readUint64(value: unknown, out: Pair): boolean {
  if (typeof value === 'string') return readDigits(value, 0, out);
  if (typeof value !== 'number' || !(value >= 0 && value < 2 ** 64) || !Number.isInteger(value)) return false;
  out.high = Math.floor(value / 4294967296);
  out.low = value % 4294967296;
  return true;
}

/** Fills `out` with the two's complement of an integer in [−2⁶³, 2⁶³); false when it is none. */
export function readInt64(value: unknown, out: Pair): boolean {
  const negative = typeof value === 'string' ? value.charCodeAt(0) === 0x2d : Number(value) < 0;
  if (typeof value === 'string') {
    if (!readDigits(value, negative ? 1 : 0, out)) return false;
  } else if (typeof value !== 'number' || !readUint64(negative ? -value : value, out)) return false;
  if (out.high >= 0x80000000 && !(negative && out.high === 0x80000000 && out.low === 0)) return false;
  if (negative) {
    out.low = -out.low >>> 0;
    out.high = (~out.high + (out.low === 0 ? 1 : 0)) >>> 0;
  }
  return true;
}

/** Decimal digits from `from` to the end, below 2⁶⁴. Without BigInt: it made a third of the cost of a span. */
function readDigits(text: string, from: number, out: Pair): boolean {
  const { length } = text;
  if (length === from || length - from > 20) return false;
  // value = upper · 10⁹ + lower, both small enough to be exact.
  const split = Math.max(from, length - 9);
  let upper = 0;
  let lower = 0;
  for (let i = from; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    if (i < split) upper = upper * 10 + digit;
    else lower = lower * 10 + digit;
  }
  if (upper > 18446744073) return false;
  // upper · 10⁹ = (upperHigh · 2¹⁶ + upperLow) · 10⁹
  const upperHigh = Math.floor(upper / 65536) * 1e9;
  const sum = (upperHigh % 65536) * 65536 + (upper % 65536) * 1e9 + lower;
  out.high = Math.floor(upperHigh / 65536) + Math.floor(sum / 4294967296);
  out.low = sum % 4294967296;
  return out.high <= 0xffffffff;
}

/** An unquoted integer that may be past 2⁵³ − 1 = 9007199254740991: JSON.parse alone would round it. */
const LONG_INTEGER = /[:[,]\s*-?(?:\d{17}|9\d{15})/;

/** Numbers that a double can't hold keep their digits, as strings (ECMAScript "JSON.parse source text access"). */
const keepDigits = (_key: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
    ? context!.source
    : value;

/** JSON.parse that rounds no integer. The reviver makes it three times slower, so it runs only where one may be that long. */
export const parseJson = (text: string): unknown =>
  LONG_INTEGER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
