/** Ids of traces and spans in words of a column: hexadecimal digits as they are written, eight a word. */

/** Nothing where there is no id. */
export function writeId(words: Uint32Array, at: number, count: number, id: string): void {
  const length = Math.min(8 * count, id.length);
  for (let i = 0; i < count; i++) words[at + i] = 0;
  for (let i = 0; i < length; i++) {
    const code = id.charCodeAt(i);
    const digit = code <= 57 ? code - 48 : (code | 32) - 87;
    words[at + (i >> 3)] = (words[at + (i >> 3)]! << 4) | (digit & 15);
  }
}

/** '' where there is none: no id is all zeros. */
export function readId(words: Uint32Array, at: number, count: number): string {
  let text = '';
  let any = 0;
  for (let i = at; i < at + count; i++) {
    any |= words[i]!;
    text += words[i]!.toString(16).padStart(8, '0');
  }
  return any === 0 ? '' : text;
}
