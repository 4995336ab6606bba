/**
 * One segment of a URL path as a template shows it: an identifier is `{id}`, a file named by one keeps its extension
 * (`{id}.png`, `{id}.min.js`, `main.{id}.js`), anything else stays as it is. Learning templates and applying them read
 * segments through this one function, so that both see the same.
 */
import { isIdentifier, isIdentifierPart } from './identifier.ts';
import { ID } from './name-template.ts';
import { addPart, type PathParts } from './path-parts.ts';
import { append, appendAll, type ByteSink } from './sink.ts';

export const SegmentForm = {
  /** As it came. */
  literal: 0,
  /** Holds an identifier, with something that is the same from request to request. */
  partial: 1,
  /** An identifier as a whole, or a value. */
  typed: 2,
} as const;
export type SegmentForm = (typeof SegmentForm)[keyof typeof SegmentForm];

/** A longer segment is an identifier whatever it holds. */
const MAX_SEGMENT_BYTES = 64;
/** Longest file extension: `.html`, `.jpeg`, `.woff2`. */
const MAX_EXTENSION = 5;
/** From this length on, a part of a file's name that looks like a hash is one: `main.9f86d081.js`. */
const MIN_HASH = 8;
const DOT = 0x2e;

// Bytes that names of resources do not have, and values that people and attackers send do: % " ' < = > ; \ ^ ` { | } space.
const OF_VALUES = new Uint8Array(256);
for (const byte of new TextEncoder().encode('%"\'<=>;\\^`{|} ')) OF_VALUES[byte] = 1;

function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (OF_VALUES[bytes[i]!] === 1) return true;
  return false;
}

/** Where the extension of the file name in [start, end) begins, at its dot; −1 without one. A number is none. */
function extensionOf(bytes: Uint8Array, start: number, end: number): number {
  let letters = 0;
  for (let i = end - 1; i > start && i >= end - MAX_EXTENSION - 1; i--) {
    const byte = bytes[i]!;
    if (byte === DOT) return letters > 0 ? i : -1;
    if ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) letters++;
    else if (byte < 0x30 || byte > 0x39) return -1;
  }
  return -1;
}

/** Appends the segment in [start, end), the `level`-th of its path, as a template shows it; collects the identifiers in it. */
export function appendSegment(
  sink: ByteSink,
  bytes: Uint8Array,
  start: number,
  end: number,
  parts: PathParts,
  level: number,
): SegmentForm {
  if (end - start > MAX_SEGMENT_BYTES || isIdentifier(bytes, start, end) || isValue(bytes, start, end)) {
    appendAll(sink, ID);
    addPart(parts, start, end, level);
    return SegmentForm.typed;
  }
  const extension = extensionOf(bytes, start, end);
  if (extension < 0) {
    append(sink, bytes, start, end);
    return SegmentForm.literal;
  }
  // A file has up to three of them: `.min.js`, `.tar.gz`, `.d.ts.map`.
  let stem = extension;
  for (let i = 0; i < 3 && stem > 0; i++) {
    if (isIdentifier(bytes, start, stem)) {
      appendAll(sink, ID);
      append(sink, bytes, stem, end);
      addPart(parts, start, stem, level);
      return SegmentForm.partial;
    }
    stem = extensionOf(bytes, start, stem);
  }
  return appendFileName(sink, bytes, start, extension, end, parts, level);
}

/** A file whose name holds a hash of its content. */
function appendFileName(
  sink: ByteSink,
  bytes: Uint8Array,
  start: number,
  extension: number,
  end: number,
  parts: PathParts,
  level: number,
): SegmentForm {
  let form: SegmentForm = SegmentForm.literal;
  let from = start;
  for (let i = start; i <= extension; i++) {
    const byte = bytes[i]!;
    if (byte !== DOT && byte !== 0x2d && byte !== 0x5f) continue;
    if (i - from >= MIN_HASH && isIdentifierPart(bytes, from, i)) {
      appendAll(sink, ID);
      addPart(parts, from, i, level);
      form = SegmentForm.partial;
    } else append(sink, bytes, from, i);
    append(sink, bytes, i, i + 1);
    from = i + 1;
  }
  append(sink, bytes, from, end);
  return form;
}
