/** A growing byte buffer into which an operation's text is composed before it is interned. */

export interface ByteSink {
  bytes: Uint8Array;
  length: number;
}

export const createSink = (): ByteSink => ({ bytes: new Uint8Array(512), length: 0 });

const encoder = new TextEncoder();
/** Text whose bytes are appended often. */
export const ascii = (text: string): Uint8Array => encoder.encode(text);

function reserve(sink: ByteSink, count: number): void {
  if (sink.length + count <= sink.bytes.length) return;
  const larger = new Uint8Array(Math.max(sink.bytes.length * 2, sink.length + count));
  larger.set(sink.bytes);
  sink.bytes = larger;
}

export function append(sink: ByteSink, bytes: Uint8Array, start: number, end: number): void {
  reserve(sink, end - start);
  const to = sink.bytes;
  let at = sink.length;
  for (let i = start; i < end; i++) to[at++] = bytes[i]!;
  sink.length = at;
}

export function appendByte(sink: ByteSink, byte: number): void {
  reserve(sink, 1);
  sink.bytes[sink.length++] = byte;
}

export const appendAll = (sink: ByteSink, bytes: Uint8Array): void => append(sink, bytes, 0, bytes.length);
