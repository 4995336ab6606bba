/** Attributes as a Map(LowCardinality(String), String) column, redacted on the way. */
import { type Cursor, nextField, resetCursor } from '../otlp/cursor.ts';
import { AnyValueField } from '../otlp/fields.ts';
import { attributeText, createKeyValueView, type KeyValueView, readKeyValue } from '../otlp/read-attributes.ts';
import { textOf } from '../otlp/text.ts';
import { type ByteSink, reserve, writeBytes, writeRaw, writeText, writeUint8, writeVarUint } from './byte-sink.ts';
import { type Redactor, Sensitivity } from './redactor.ts';

const view = createKeyValueView();

/**
 * Writes the map of the `count` attributes from `first` on (field `fieldNumber` of the message that ends at `end`).
 * A malformed attribute becomes an empty pair, because the count stands in front; returns how many there were.
 */
export function writeAttributes(
  sink: ByteSink,
  redactor: Redactor,
  cursor: Cursor,
  bytes: Uint8Array,
  first: number,
  end: number,
  fieldNumber: number,
  count: number,
): number {
  writeVarUint(sink, count);
  if (count === 0) return 0;
  let malformed = 0;
  let written = 0;
  resetCursor(cursor, bytes, first, end);
  for (let at = nextField(cursor, fieldNumber); at >= 0 && written < count; at = nextField(cursor, fieldNumber)) {
    written++;
    if (!readKeyValue(bytes, at, cursor.position, view)) {
      malformed++;
      writeUint8(sink, 0);
      writeUint8(sink, 0);
      continue;
    }
    const { keyStart, keyEnd } = view;
    writeBytes(sink, bytes, keyStart, keyEnd);
    writeValue(sink, redactor, redactor.classifyBytes(bytes, keyStart, keyEnd), view);
  }
  for (; written < count; written++, malformed++) {
    writeUint8(sink, 0);
    writeUint8(sink, 0);
  }
  return malformed;
}

function writeValue(sink: ByteSink, redactor: Redactor, sensitivity: Sensitivity, value: KeyValueView): void {
  const { type } = value;
  if (sensitivity === Sensitivity.secret) {
    writeText(sink, redactor.secret(attributeText(value)));
    return;
  }
  if (type === AnyValueField.string) {
    const { bytes, valueStart, valueEnd } = value;
    if (sensitivity === Sensitivity.look && redactor.suspects(bytes, valueStart, valueEnd))
      writeText(sink, redactor.look(textOf(bytes, valueStart, valueEnd)));
    else writeBytes(sink, bytes, valueStart, valueEnd);
  } else if (type === AnyValueField.int && Number.isSafeInteger(value.number) && Math.abs(value.number) < 1e12) {
    writeInteger(sink, value.number);
  } else if (type === 0) writeUint8(sink, 0);
  else if (type === AnyValueField.bool) writeText(sink, value.number === 0 ? 'false' : 'true');
  else {
    const text = attributeText(value);
    writeText(sink, sensitivity === Sensitivity.look ? redactor.look(text) : text);
  }
}

const digits = new Uint8Array(16);

/** Decimal text of an integer, without a string. */
function writeInteger(sink: ByteSink, value: number): void {
  let rest = Math.abs(value);
  let at = digits.length;
  do {
    const quotient = Math.floor(rest / 10);
    digits[--at] = 48 + (rest - quotient * 10);
    rest = quotient;
  } while (rest > 0);
  if (value < 0) digits[--at] = 45;
  reserve(sink, 17);
  writeUint8(sink, digits.length - at);
  writeRaw(sink, digits, at, digits.length);
}
