/** Collects a span's parameters: names interned under a cap, values copied, long ones cut, all of it counted. */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { AnyValueField } from '../../schemas/otlp/fields.ts';
import { createKeyValueView, type KeyValueView, readAnyValue } from '../../schemas/otlp/read-attributes.ts';
import { createByteTable } from '../byte-table.ts';
import { appendNameTemplate } from '../operations/name-template.ts';
import type { PathParts } from '../operations/path-parts.ts';
import { createSink } from '../operations/sink.ts';
import { ParameterSource, type Segment, type Symbols } from '../segment.ts';
import { OVERFLOW } from '../symbols.ts';
import { addRawParameter, copyValue, type RawParameters } from './raw.ts';
import type { AttributeSlots } from './slots.ts';

export interface ParameterOptions {
  readonly maxValueBytes: number;
  readonly maxParametersPerSpan: number;
  readonly maxParameterNames: number;
}

export interface ParameterStats {
  /** Values longer than `maxValueBytes`. */
  truncatedValues: number;
  /** Parameters past `maxParametersPerSpan`. */
  droppedParameters: number;
  /** Names past `maxParameterNames`. */
  overflowedNames: number;
}

export interface ParameterCollector {
  /** Starts a span. */
  begin(segment: Segment, raw: RawParameters): void;
  /** A value in the span's bytes. */
  range(source: number, name: number, bytes: Uint8Array, start: number, end: number): void;
  /** An attribute's value: text as it is, numbers in decimal, each element of an array by itself. */
  value(source: number, name: number, view: KeyValueView): void;
  slot(source: number, name: number, slots: AttributeSlots, slot: number): void;
  number(source: number, name: number, value: number): void;
  /** `name=value&…`; a part without `=` is a value of the name `(none)`. */
  query(bytes: Uint8Array, start: number, end: number): void;
  path(bytes: Uint8Array, parts: PathParts): void;
  /** Symbol of a name: a header's in lower case with `_` as `-`, any other with `{id}` for identifiers in it. */
  nameOf(bytes: Uint8Array, start: number, end: number, header: boolean): number;
  readonly stats: ParameterStats;
}

const MAX_NAME_BYTES = 96;
const MAX_ELEMENTS = 16;

/**
 * Whether a name may have an identifier in it: `items[17][sku]`, `1734567890123`. Names with other marks than names have
 * stay as they came: they may be an attack. So do positions of arguments, `0` to `99`.
 */
const mayHoldIdentifier = (name: Uint8Array, length: number): boolean => {
  let digits = 0;
  for (let i = 0; i < length; i++) {
    const b = name[i]!;
    const letter = b | 0x20;
    if (b >= 0x30 && b <= 0x39) digits++;
    else if (letter < 0x61 || letter > 0x7a) {
      // - . : [ ] _
      if (b !== 0x2d && b !== 0x2e && b !== 0x3a && b !== 0x5b && b !== 0x5d && b !== 0x5f) return false;
    }
  }
  return digits > 0 && (digits > 2 || digits < length);
};

export function createParameters(symbols: Symbols, options: ParameterOptions): ParameterCollector {
  const { maxValueBytes, maxParametersPerSpan, maxParameterNames } = options;
  const names = createByteTable({ maxEntries: maxParameterNames, maxBytes: 64_000_000 });
  let symbolOf = new Int32Array(1024);
  const positions = Int32Array.from({ length: 65 }, (_, i) => symbols.intern(String(i)));
  const emptyName = symbols.intern('(none)');
  const scratch = new Uint8Array(MAX_NAME_BYTES);
  const template = createSink();
  const digits = new Uint8Array(32);
  const cursor = createCursor(new Uint8Array(0));
  const element = createKeyValueView();
  const encoder = new TextEncoder();
  const stats: ParameterStats = { truncatedValues: 0, droppedParameters: 0, overflowedNames: 0 };
  let segment: Segment | null = null;
  let raw: RawParameters | null = null;
  let from = 0;

  function range(source: number, name: number, bytes: Uint8Array, start: number, end: number): void {
    if (raw!.count - from >= maxParametersPerSpan) {
      stats.droppedParameters++;
      return;
    }
    let stop = end;
    if (end - start > maxValueBytes) {
      stop = start + maxValueBytes;
      stats.truncatedValues++;
    }
    const at = copyValue(segment!, raw!, bytes, start, stop);
    addRawParameter(raw!, source, name, at, raw!.valueEnd);
  }

  function nameOf(bytes: Uint8Array, start: number, end: number, header: boolean): number {
    const length = Math.min(end - start, MAX_NAME_BYTES);
    if (length <= 0) return emptyName;
    for (let i = 0; i < length; i++) {
      const byte = bytes[start + i]!;
      if (!header) scratch[i] = byte;
      else scratch[i] = byte === 0x5f ? 0x2d : byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    }
    const known = names.find(scratch, 0, length);
    if (known >= 0) return symbolOf[known]!;
    // Names with identifiers would be as many as requests, and a secret in one would be kept for good.
    if (!header && mayHoldIdentifier(scratch, length)) {
      template.length = 0;
      appendNameTemplate(template, scratch, 0, length);
      return symbolOfName(template.bytes, template.length);
    }
    return symbolOfName(scratch, length);
  }

  function symbolOfName(bytes: Uint8Array, length: number): number {
    const known = names.find(bytes, 0, length);
    if (known >= 0) return symbolOf[known]!;
    const id = names.add(bytes, 0, length);
    if (id < 0) {
      stats.overflowedNames++;
      return OVERFLOW;
    }
    if (id >= symbolOf.length) {
      const longer = new Int32Array(symbolOf.length * 2);
      longer.set(symbolOf);
      symbolOf = longer;
    }
    symbolOf[id] = symbols.internBytes(bytes, 0, length);
    return symbolOf[id]!;
  }

  function number(source: number, name: number, value: number): void {
    if (!Number.isSafeInteger(value)) {
      const text = encoder.encode(String(value));
      range(source, name, text, 0, text.length);
      return;
    }
    let at = digits.length;
    let rest = Math.abs(value);
    do {
      digits[--at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    } while (rest > 0);
    if (value < 0) digits[--at] = 0x2d;
    range(source, name, digits, at, digits.length);
  }

  function scalar(source: number, name: number, view: KeyValueView): void {
    switch (view.type) {
      case AnyValueField.string:
      case AnyValueField.bytes:
        range(source, name, view.bytes, view.valueStart, view.valueEnd);
        break;
      case AnyValueField.int:
      case AnyValueField.double:
      case AnyValueField.bool:
        number(source, name, view.number);
        break;
      default:
    }
  }

  return {
    stats,
    nameOf,
    range,
    number,
    begin(toSegment, toRaw) {
      segment = toSegment;
      raw = toRaw;
      from = toRaw.count;
    },
    value(source, name, view) {
      if (view.type !== AnyValueField.array) {
        scalar(source, name, view);
        return;
      }
      resetCursor(cursor, view.bytes, view.valueStart, view.valueEnd);
      for (let i = 0; i < MAX_ELEMENTS; i++) {
        const at = nextField(cursor, 1);
        if (at < 0) return;
        if (readAnyValue(view.bytes, at, cursor.position, element)) scalar(source, name, element);
      }
    },
    slot(source, name, slots, slot) {
      const type = slots.types[slot];
      if (type === AnyValueField.string) range(source, name, slots.bytes, slots.starts[slot]!, slots.ends[slot]!);
      else if (type === AnyValueField.int || type === AnyValueField.double) number(source, name, slots.numbers[slot]!);
    },
    query(bytes, start, end) {
      let at = start;
      while (at < end) {
        let to = at;
        let equals = -1;
        while (to < end && bytes[to] !== 0x26) {
          if (bytes[to] === 0x3d && equals < 0) equals = to;
          to++;
        }
        if (to > at) {
          // A token alone may be a mail address or a password: a value, since names are kept as text.
          const name = equals < 0 ? emptyName : nameOf(bytes, at, equals, false);
          range(ParameterSource.query, name, bytes, equals < 0 ? at : equals + 1, to);
        }
        at = to + 1;
      }
    },
    path(bytes, parts) {
      for (let i = 0; i < parts.count; i++) {
        range(
          ParameterSource.path,
          positions[Math.min(64, parts.positions[i]!)]!,
          bytes,
          parts.starts[i]!,
          parts.ends[i]!,
        );
      }
    },
  };
}
