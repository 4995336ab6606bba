/**
 * Reads one attribute (KeyValue message) into a reused view, and writes a value as the text that the Collector's
 * ClickHouse exporter stores (pdata's `Value.AsString`).
 */
import {
  type Cursor,
  createCursor,
  nextField,
  readLength,
  readVarint,
  resetCursor,
  skipField,
  WireType,
} from './cursor.ts';
import { AnyValueField, KeyValueField } from './fields.ts';
import { base64Of, textOf } from './text.ts';

/** Type of a value: the AnyValue field that is set; 0 = none (an empty value). */
export type ValueType = 0 | (typeof AnyValueField)[keyof typeof AnyValueField];

export interface KeyValueView {
  bytes: Uint8Array;
  keyStart: number;
  keyEnd: number;
  type: ValueType;
  /** string, bytes: the contents. array, kvlist: the ArrayValue or KeyValueList message. Else empty. */
  valueStart: number;
  valueEnd: number;
  /** bool (0 or 1), double, int (rounded beyond 2⁵³; exact in the halves). */
  number: number;
  /** int: two's complement halves, unsigned. */
  intHigh: number;
  intLow: number;
}

export const createKeyValueView = (): KeyValueView => ({
  bytes: new Uint8Array(0),
  keyStart: 0,
  keyEnd: 0,
  type: 0,
  valueStart: 0,
  valueEnd: 0,
  number: 0,
  intHigh: 0,
  intLow: 0,
});

const outer = createCursor(new Uint8Array(0));
const inner = createCursor(new Uint8Array(0));
const scratch = new DataView(new ArrayBuffer(8));

/** Fills `view` from the KeyValue message in [start, end); false when malformed. */
export function readKeyValue(bytes: Uint8Array, start: number, end: number, view: KeyValueView): boolean {
  view.keyStart = view.keyEnd = start;
  clearValue(bytes, start, view);
  resetCursor(outer, bytes, start, end);
  while (outer.position < end) {
    const tag = readVarint(outer);
    if (tag === ((KeyValueField.key << 3) | WireType.bytes)) {
      const length = readLength(outer);
      view.keyStart = outer.position;
      outer.position += length;
      view.keyEnd = outer.position;
    } else if (tag === ((KeyValueField.value << 3) | WireType.bytes)) {
      const length = readLength(outer);
      if (outer.failed || !readAnyValue(bytes, outer.position, outer.position + length, view)) return false;
      outer.position += length;
    } else if (tag < 8) return false;
    else skipField(outer, tag & 7);
    if (outer.failed) return false;
  }
  return true;
}

function clearValue(bytes: Uint8Array, start: number, view: KeyValueView): void {
  view.bytes = bytes;
  view.type = 0;
  view.valueStart = view.valueEnd = start;
  view.number = view.intHigh = view.intLow = 0;
}

/** Fills the value part of `view` from the AnyValue message in [start, end); false when malformed. The last oneof member counts. */
export function readAnyValue(bytes: Uint8Array, start: number, end: number, view: KeyValueView): boolean {
  clearValue(bytes, start, view);
  resetCursor(inner, bytes, start, end);
  while (inner.position < end) {
    const tag = readVarint(inner);
    const field = tag >>> 3;
    switch (tag) {
      case (AnyValueField.string << 3) | WireType.bytes:
      case (AnyValueField.array << 3) | WireType.bytes:
      case (AnyValueField.kvlist << 3) | WireType.bytes:
      case (AnyValueField.bytes << 3) | WireType.bytes: {
        const length = readLength(inner);
        view.type = field as ValueType;
        view.valueStart = inner.position;
        inner.position += length;
        view.valueEnd = inner.position;
        break;
      }
      case (AnyValueField.bool << 3) | WireType.varint:
        view.type = AnyValueField.bool;
        view.number = readVarint(inner) === 0 ? 0 : 1;
        break;
      case (AnyValueField.int << 3) | WireType.varint:
        view.type = AnyValueField.int;
        readInt64(inner, view);
        break;
      case (AnyValueField.double << 3) | WireType.fixed64: {
        const at = inner.position;
        skipField(inner, WireType.fixed64);
        if (inner.failed) return false;
        for (let i = 0; i < 8; i++) scratch.setUint8(i, bytes[at + i]!);
        view.type = AnyValueField.double;
        view.number = scratch.getFloat64(0, true);
        break;
      }
      default:
        if (tag < 8) return false;
        skipField(inner, tag & 7);
    }
    if (inner.failed) return false;
  }
  return true;
}

/** A 64-bit varint in two halves; bits beyond 64 are dropped, as protobuf's own readers do. */
function readInt64(cursor: Cursor, view: KeyValueView): void {
  const { bytes, end } = cursor;
  let position = cursor.position;
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (position >= end) break;
    const byte = bytes[position++]!;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high |= bits >> 4;
    } else if (shift < 63) high |= bits << (shift - 32);
    else high |= (bits & 1) << 31;
    if (byte < 0x80) {
      cursor.position = position;
      view.intLow = low >>> 0;
      view.intHigh = high >>> 0;
      view.number = high * 4294967296 + view.intLow;
      return;
    }
  }
  cursor.failed = true;
  cursor.position = end;
}

/** Key of the attribute as a string. */
export const attributeKey = (view: KeyValueView): string => textOf(view.bytes, view.keyStart, view.keyEnd);

/**
 * The value as `otel_traces` holds it: a string as is; `true`/`false`; numbers as JavaScript and Go's encoding/json write
 * them; bytes in base64; arrays and maps as Go's compact JSON (keys sorted, `<`, `>`, `&` escaped); nothing = ''.
 */
export function attributeText(view: KeyValueView): string {
  switch (view.type) {
    case AnyValueField.string:
      return textOf(view.bytes, view.valueStart, view.valueEnd);
    case AnyValueField.bool:
      return view.number === 0 ? 'false' : 'true';
    case AnyValueField.int:
      return int64Text(view);
    case AnyValueField.double:
      return Number.isFinite(view.number)
        ? numberText(view.number)
        : `json: unsupported value: ${goInfinity(view.number)}`;
    case AnyValueField.bytes:
      return base64Of(view.bytes, view.valueStart, view.valueEnd);
    case AnyValueField.array:
    case AnyValueField.kvlist:
      return jsonOf(view, 0) ?? '';
    default:
      return '';
  }
}

const int64Text = (view: KeyValueView): string =>
  Number.isSafeInteger(view.number)
    ? String(view.number)
    : String((BigInt(view.intHigh | 0) << 32n) | BigInt(view.intLow));

const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const goInfinity = (value: number): string => (Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf');

/** Nesting beyond this reads as null: a message of 20 MiB could otherwise nest a million deep and overflow the stack. */
const MAX_DEPTH = 64;

/** Compact JSON of any value; undefined when Go's encoder would fail (NaN, infinity, malformed bytes). */
function jsonOf(view: KeyValueView, depth: number): string | undefined {
  switch (view.type) {
    case AnyValueField.string:
      return goQuote(textOf(view.bytes, view.valueStart, view.valueEnd));
    case AnyValueField.double:
      return Number.isFinite(view.number) ? numberText(view.number) : undefined;
    case AnyValueField.bytes:
      return `"${base64Of(view.bytes, view.valueStart, view.valueEnd)}"`;
    case AnyValueField.array:
      return depth >= MAX_DEPTH ? 'null' : arrayJson(view, depth + 1);
    case AnyValueField.kvlist:
      return depth >= MAX_DEPTH ? 'null' : mapJson(view, depth + 1);
    case 0:
      return 'null';
    default:
      return attributeText(view);
  }
}

function arrayJson(view: KeyValueView, depth: number): string | undefined {
  const cursor = createCursor(view.bytes, view.valueStart, view.valueEnd);
  const element = createKeyValueView();
  const parts: string[] = [];
  for (let at = nextField(cursor, 1); at >= 0; at = nextField(cursor, 1)) {
    if (!readAnyValue(view.bytes, at, cursor.position, element)) return undefined;
    const text = jsonOf(element, depth);
    if (text === undefined) return undefined;
    parts.push(text);
  }
  return cursor.failed ? undefined : `[${parts.join(',')}]`;
}

function mapJson(view: KeyValueView, depth: number): string | undefined {
  const cursor = createCursor(view.bytes, view.valueStart, view.valueEnd);
  const entry = createKeyValueView();
  const values = new Map<string, string>();
  for (let at = nextField(cursor, 1); at >= 0; at = nextField(cursor, 1)) {
    if (!readKeyValue(view.bytes, at, cursor.position, entry)) return undefined;
    const key = attributeKey(entry);
    const text = jsonOf(entry, depth);
    if (text === undefined) return undefined;
    values.set(key, text);
  }
  if (cursor.failed) return undefined;
  // Go sorts keys bytewise; UTF-16 order differs only beyond U+FFFF, so compare as bytes.
  const keys = [...values.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${keys.map((key) => `${goQuote(key)}:${values.get(key)}`).join(',')}}`;
}

const GO_ESCAPES = /[<>&\u2028\u2029]/g;

/** JSON string as Go's encoding/json writes it by default. */
const goQuote = (text: string): string =>
  JSON.stringify(text).replace(GO_ESCAPES, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
