/**
 * The columns that all spans of a resource share (ServiceName, ResourceAttributes), encoded once: a service sends the same
 * resource bytes with every request, so they are kept by content.
 */
import { createCursor, nextField, resetCursor } from '../otlp/cursor.ts';
import { ResourceField } from '../otlp/fields.ts';
import { createKeyValueView, readKeyValue } from '../otlp/read-attributes.ts';
import { equalBytes, textOf } from '../otlp/text.ts';
import { writeAttributes } from './attribute-row.ts';
import { type ByteSink, createByteSink, writeRaw, writeText, writeUint8 } from './byte-sink.ts';
import type { Redactor } from './redactor.ts';

const SLOTS = 512;
const SERVICE_NAME = Buffer.from('service.name');

interface Kept {
  readonly resource: Uint8Array;
  readonly row: Uint8Array;
}

export interface ResourceRows {
  /** Appends ServiceName and ResourceAttributes of the Resource message in [start, end); an empty range is a resource without any. */
  write(sink: ByteSink, bytes: Uint8Array, start: number, end: number): void;
}

export function createResourceRows(redactor: Redactor): ResourceRows {
  const kept: (Kept | undefined)[] = new Array<Kept | undefined>(SLOTS).fill(undefined);
  const scratch = createByteSink(4_096);
  const cursor = createCursor(new Uint8Array(0));
  const inner = createCursor(new Uint8Array(0));
  const view = createKeyValueView();

  const encode = (bytes: Uint8Array, start: number, end: number): void => {
    scratch.length = 0;
    let count = 0;
    let first = end;
    let service = '';
    resetCursor(cursor, bytes, start, end);
    for (
      let before = cursor.position, at = nextField(cursor, ResourceField.attributes);
      at >= 0;
      before = cursor.position, at = nextField(cursor, ResourceField.attributes)
    ) {
      if (count++ === 0) first = before;
      if (readKeyValue(bytes, at, cursor.position, view) && equalBytes(bytes, view.keyStart, view.keyEnd, SERVICE_NAME))
        service = textOf(bytes, view.valueStart, view.valueEnd);
    }
    writeText(scratch, service);
    writeAttributes(scratch, redactor, inner, bytes, first, end, ResourceField.attributes, count);
  };

  return {
    write(sink, bytes, start, end) {
      if (end <= start) {
        writeUint8(sink, 0);
        writeUint8(sink, 0);
        return;
      }
      const slot = hash(bytes, start, end) % SLOTS;
      const found = kept[slot];
      if (found !== undefined && equalBytes(bytes, start, end, found.resource)) {
        writeRaw(sink, found.row, 0, found.row.length);
        return;
      }
      encode(bytes, start, end);
      writeRaw(sink, scratch.bytes, 0, scratch.length);
      // Large ones are rare and would pin memory.
      if (end - start <= 16_384)
        kept[slot] = {
          resource: Uint8Array.prototype.slice.call(bytes, start, end),
          row: Uint8Array.prototype.slice.call(scratch.bytes, 0, scratch.length),
        };
    },
  };
}

/** FNV-1a over at most 64 bytes from each end: resources differ in length, in their last attributes or in their instance id. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5 ^ (end - start);
  const head = Math.min(end, start + 64);
  for (let i = start; i < head; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  for (let i = Math.max(head, end - 64); i < end; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  return value >>> 0;
}
