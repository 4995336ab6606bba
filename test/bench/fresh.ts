/** The same request again as another one: its trace and span ids changed alike, its times moved. */
import { createCursor, readVarint, resetCursor, skipField } from '../../schemas/otlp/cursor.ts';
import { ResourceSpansField, ScopeSpansField, SpanField, TracesDataField } from '../../schemas/otlp/fields.ts';

export interface Template {
  /** A copy with ids of its own for every `n`, and times moved by `ns`. */
  fresh(n: number, ns: bigint): Buffer;
}

/** Finds the ids and times of a TracesData body once. */
export function createTemplate(body: Uint8Array): Template {
  const traceIds: number[] = [];
  const spanIds: number[] = [];
  const times: number[] = [];
  eachMessage(body, 0, body.length, TracesDataField.resourceSpans, (start, end) =>
    eachMessage(body, start, end, ResourceSpansField.scopeSpans, (from, to) =>
      eachMessage(body, from, to, ScopeSpansField.spans, (at, until) => {
        eachField(body, at, until, (field, value) => {
          if (field === SpanField.traceId) traceIds.push(value);
          else if (field === SpanField.spanId || field === SpanField.parentSpanId) spanIds.push(value);
          else if (field === SpanField.startTimeUnixNano || field === SpanField.endTimeUnixNano) times.push(value);
        });
      }),
    ),
  );
  return {
    fresh(n, ns) {
      const copy = Buffer.from(body);
      const mask = (BigInt(n) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
      for (const at of traceIds) copy.writeBigUInt64LE(copy.readBigUInt64LE(at) ^ mask, at);
      for (const at of spanIds) copy.writeBigUInt64LE(copy.readBigUInt64LE(at) ^ mask, at);
      for (const at of times) copy.writeBigUInt64LE(copy.readBigUInt64LE(at) + ns, at);
      return copy;
    },
  };
}

/** Every field with where its value begins; the length of a nested one is what follows. */
function eachField(
  bytes: Uint8Array,
  start: number,
  end: number,
  found: (field: number, value: number, valueEnd: number) => void,
): void {
  const cursor = createCursor(bytes);
  resetCursor(cursor, bytes, start, end);
  while (cursor.position < end) {
    const tag = readVarint(cursor);
    const from = cursor.position;
    skipField(cursor, tag & 7);
    if (cursor.failed) throw new Error('the load is damaged');
    let value = from;
    if ((tag & 7) === 2) while (bytes[value++]! >= 0x80); // past the length
    found(tag >>> 3, value, cursor.position);
  }
}

function eachMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: number,
  found: (start: number, end: number) => void,
): void {
  eachField(bytes, start, end, (field, value, valueEnd) => {
    if (field === wanted) found(value, valueEnd);
  });
}
