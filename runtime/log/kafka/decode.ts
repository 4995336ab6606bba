/** From a record in place to one that is safe to keep: of our own topics, and of others. */
import { RecordKind } from '../../../schemas/log/topics.ts';
import type { ForeignRecord } from '../foreign.ts';
import type { LogRecord } from '../port.ts';
import { KIND_HEADER } from './record-batch.ts';
import { createSlab, type RawRecord } from './record-reader.ts';

const KIND_NAME = Buffer.from(KIND_HEADER);
const NO_HEADERS: ReadonlyMap<string, Uint8Array> = new Map();

/** Reads the headers of a record in place. Values are slices of what came. */
function eachHeader(
  raw: RawRecord,
  see: (nameStart: number, nameEnd: number, start: number, end: number) => boolean,
): void {
  const { bytes } = raw;
  let at = raw.headersStart;
  const varint = (): number => {
    let value = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = bytes[at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte > 0x7f && shift <= 28);
    return (value >>> 1) ^ -(value & 1);
  };
  for (let left = raw.headers; left > 0; left--) {
    const nameLength = varint();
    const nameStart = at;
    at += Math.max(0, nameLength);
    const nameEnd = at;
    const length = varint();
    const start = at;
    at += Math.max(0, length);
    if (at > bytes.length || see(nameStart, nameEnd, start, at)) return;
  }
}

/** What the record says it holds; one without the header was not written by us, and holds spans. */
function kindOf(raw: RawRecord): RecordKind {
  if (raw.headers <= 0) return RecordKind.spans;
  const { bytes, headersStart } = raw;
  // ours: one header, its name, one digit
  if (raw.headers === 1 && bytes[headersStart] === KIND_NAME.length * 2 && isKindName(bytes, headersStart + 1)) {
    const at = headersStart + 1 + KIND_NAME.length;
    if (bytes[at] === 2) return (bytes[at + 1]! - 0x30) as RecordKind;
  }
  let kind: RecordKind = RecordKind.spans;
  eachHeader(raw, (nameStart, nameEnd, start, end) => {
    if (nameEnd - nameStart !== KIND_NAME.length || !isKindName(bytes, nameStart)) return false;
    const number = Number.parseInt(bytes.toString('latin1', start, end), 10);
    if (Number.isSafeInteger(number)) kind = number as RecordKind;
    return true;
  });
  return kind;
}

function isKindName(bytes: Buffer, at: number): boolean {
  for (let i = 0; i < KIND_NAME.length; i++) if (bytes[at + i] !== KIND_NAME[i]) return false;
  return true;
}

export type Decode<R> = (partition: number, raw: RawRecord) => R;

export function createRecordDecoder(): Decode<LogRecord> {
  const slab = createSlab();
  return (partition, raw) => ({
    partition,
    offset: raw.offset,
    appendMs: raw.timestampMs,
    kind: kindOf(raw),
    key: raw.keyStart < 0 ? '' : raw.bytes.toString('utf8', raw.keyStart, raw.keyEnd),
    value: slab.copy(raw.bytes, Math.max(0, raw.valueStart), raw.valueStart < 0 ? 0 : raw.valueEnd),
  });
}

export function createForeignDecoder(): Decode<ForeignRecord> {
  const slab = createSlab();
  return (partition, raw) => {
    const { bytes } = raw;
    let headers = NO_HEADERS;
    if (raw.headers > 0) {
      const named = new Map<string, Uint8Array>();
      eachHeader(raw, (nameStart, nameEnd, start, end) => {
        named.set(bytes.toString('utf8', nameStart, nameEnd), slab.copy(bytes, start, end));
        return false;
      });
      headers = named;
    }
    return {
      partition,
      offset: raw.offset,
      timestampMs: raw.timestampMs,
      key: raw.keyStart < 0 ? null : slab.copy(bytes, raw.keyStart, raw.keyEnd),
      value: raw.valueStart < 0 ? null : slab.copy(bytes, raw.valueStart, raw.valueEnd),
      headers,
    };
  };
}
