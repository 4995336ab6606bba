/** Bytes of a message as text: UTF-8 and hex, over ranges, without intermediate arrays. */

/** Node's own range decoder; works on any Uint8Array, three times faster than TextDecoder over a subarray for short texts. */
const utf8Slice = (Buffer.prototype as unknown as { utf8Slice(this: Uint8Array, start: number, end: number): string })
  .utf8Slice;
const hexSlice = (Buffer.prototype as unknown as { hexSlice(this: Uint8Array, start: number, end: number): string })
  .hexSlice;
const base64Slice = (
  Buffer.prototype as unknown as { base64Slice(this: Uint8Array, start: number, end: number): string }
).base64Slice;

/** UTF-8 text of a range; invalid sequences become U+FFFD. */
export const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  start >= end ? '' : utf8Slice.call(bytes, start, end);

/** Lowercase hex of `length` bytes: a trace id is 16, a span id 8. */
export const hexOf = (bytes: Uint8Array, start: number, length: number): string =>
  hexSlice.call(bytes, start, start + length);

/** Lowercase hex of a 64-bit value in two unsigned halves: a span id. */
export const hexOfPair = (high: number, low: number): string =>
  high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');

/** Standard base64 with padding. */
export const base64Of = (bytes: Uint8Array, start: number, end: number): string => base64Slice.call(bytes, start, end);

/** Whether a range holds exactly these bytes. */
export function equalBytes(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}
