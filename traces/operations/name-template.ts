/** Template of a span name: words that look like identifiers become `{id}`, so that names with random ids are one operation. */
import { isIdentifier, isIdentifierPart } from './identifier.ts';
import { append, appendAll, appendByte, ascii, type ByteSink } from './sink.ts';

export const ID = ascii('{id}');

// Between words: space / : ? & = , ; ( ) [ ] # | " '
const SEPARATOR = new Uint8Array(256);
for (const byte of ascii(' /:?&=,;()[]#|"\'<>')) SEPARATOR[byte] = 1;

/** A longer name is cut before templating. */
const MAX_NAME_BYTES = 256;

export function appendNameTemplate(sink: ByteSink, bytes: Uint8Array, start: number, givenEnd: number): void {
  let end = givenEnd;
  if (end - start > MAX_NAME_BYTES) {
    end = start + MAX_NAME_BYTES;
    while (end > start && (bytes[end]! & 0xc0) === 0x80) end--;
  }
  let word = start;
  for (let i = start; i <= end; i++) {
    if (i < end && SEPARATOR[bytes[i]!] === 0) continue;
    if (i > word) appendWord(sink, bytes, word, i);
    if (i < end) appendByte(sink, bytes[i]!);
    word = i + 1;
  }
}

/** A name that conventions want to have few values: most hold neither digit nor @, and no identifier goes without. */
export function appendName(sink: ByteSink, bytes: Uint8Array, start: number, end: number): void {
  const from = sink.length;
  append(sink, bytes, start, end);
  const { bytes: written, length } = sink;
  for (let i = from; i < length; i++) {
    const byte = written[i]!;
    if (byte > 0x40 || byte < 0x30 || (byte > 0x39 && byte < 0x40)) continue;
    sink.length = from;
    appendNameTemplate(sink, bytes, start, end);
    return;
  }
}

/** One word: as a whole, else its parts between dashes, underscores and dots. */
export function appendWord(sink: ByteSink, bytes: Uint8Array, start: number, end: number): void {
  if (isIdentifier(bytes, start, end)) {
    appendAll(sink, ID);
    return;
  }
  let part = start;
  for (let i = start; i <= end; i++) {
    const byte = i < end ? bytes[i]! : 0x2d;
    if (byte !== 0x2d && byte !== 0x5f && byte !== 0x2e && byte !== 0x40) continue;
    const whole = part === start && i === end;
    if (!whole && i > part && isIdentifierPart(bytes, part, i)) appendAll(sink, ID);
    else append(sink, bytes, part, i);
    if (i < end) appendByte(sink, byte);
    part = i + 1;
  }
}
