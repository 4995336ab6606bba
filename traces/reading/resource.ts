/** Service name and version of a resource message; the last one read is remembered, as spans of a resource lie together. */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { ResourceField } from '../../schemas/otlp/fields.ts';
import { createKeyValueView, readKeyValue } from '../../schemas/otlp/read-attributes.ts';
import type { Symbols } from '../segment.ts';
import { Attribute, type KeyTable } from './keys.ts';
import { clearSlots, createSlots, hasText, setSlot } from './slots.ts';

export interface ResourceReader {
  /** Symbol of service.name; `unknown_service` when absent, as the resource conventions say. */
  read(bytes: Uint8Array, start: number, end: number): number;
  /** Symbol of service.version of the last read; 0 when absent. */
  version: number;
}

const MAX_NAME_BYTES = 128;

export function createResourceReader(symbols: Symbols, keys: KeyTable): ResourceReader {
  const cursor = createCursor(new Uint8Array(0));
  const view = createKeyValueView();
  const slots = createSlots();
  const unknown = symbols.intern('unknown_service');
  let lastBytes: Uint8Array | null = null;
  let lastStart = -1;
  let lastEnd = -1;
  let service = 0;

  const textOfSlot = (slot: Attribute): number => {
    const start = slots.starts[slot]!;
    return symbols.internBytes(slots.bytes, start, Math.min(slots.ends[slot]!, start + MAX_NAME_BYTES));
  };

  const reader: ResourceReader = {
    version: 0,
    read(bytes, start, end) {
      if (bytes === lastBytes && start === lastStart && end === lastEnd) return service;
      lastBytes = bytes;
      lastStart = start;
      lastEnd = end;
      clearSlots(slots, bytes);
      resetCursor(cursor, bytes, start, end);
      for (
        let at = nextField(cursor, ResourceField.attributes);
        at >= 0;
        at = nextField(cursor, ResourceField.attributes)
      ) {
        if (!readKeyValue(bytes, at, cursor.position, view)) continue;
        const slot = keys.recognise(bytes, view.keyStart, view.keyEnd);
        if (slot === Attribute.serviceName || slot === Attribute.serviceVersion) setSlot(slots, slot, keys.rank, view);
      }
      service = hasText(slots, Attribute.serviceName) ? textOfSlot(Attribute.serviceName) : unknown;
      reader.version = hasText(slots, Attribute.serviceVersion) ? textOfSlot(Attribute.serviceVersion) : 0;
      return service;
    },
  };
  return reader;
}
