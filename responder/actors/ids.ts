/** Ids of traces and spans in words of a column: hexadecimal digits as they are written, eight a word. */

export function writeId(words: Uint32Array, at: number, count: number, id: string): void {
  for (let i = 0; i < count; i++) words[at + i] = Number.parseInt(id.slice(8 * i, 8 * i + 8), 16); // NaN is 0
}

/** '' where there is none: no id is all zeros. */
export function readId(words: Uint32Array, at: number, count: number): string {
  let text = '';
  let any = 0;
  for (let i = at; i < at + count; i++) {
    any |= words[i]!;
    text += words[i]!.toString(16).padStart(8, '0');
  }
  return any === 0 ? '' : Buffer.from(text).toString();
}
