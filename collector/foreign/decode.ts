/**
 * What a record of others holds: TracesData, as protobuf or as JSON, whichever way the exporter split its requests. Says
 * why when it is something else, without quoting it: what it is may be secret.
 */
import { REJECTION_NAMES } from '../../schemas/otlp/check-span.ts';
import { jsonToTracesData } from '../../schemas/otlp/json.ts';

export const ENCODINGS = ['auto', 'otlp_proto', 'otlp_json'] as const;
export type ForeignEncoding = (typeof ENCODINGS)[number];

export type Decoded =
  | {
      readonly outcome: 'decoded';
      /** Protobuf. From JSON: what could be read of it. */
      readonly bytes: Uint8Array;
      readonly rejected: number;
      /** Rejected spans by SpanRejection. */
      readonly reasons: readonly number[];
    }
  /** A tombstone, or nothing in it. */
  | { readonly outcome: 'empty' }
  | { readonly outcome: 'not_otlp'; readonly problem: string };

const NO_REASONS: readonly number[] = REJECTION_NAMES.map(() => 0);
const OPEN_BRACE = 0x7b;
const LINE_FEED = 0x0a;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09;

/** Whether these bytes begin as a JSON object does: in protobuf, `{` would be the start of a group, which TracesData has none of. */
function looksLikeJson(value: Uint8Array): boolean {
  let at = 0;
  while (at < value.length && at < 64 && isSpace(value[at]!)) at++;
  return value[at] === OPEN_BRACE;
}

function decodeJson(value: Uint8Array): Decoded {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
  const read = jsonToTracesData(text);
  if (read.outcome !== 'read') {
    const problem = read.problem ?? 'not TracesData';
    // the parser's message quotes the text
    return { outcome: 'not_otlp', problem: problem.startsWith('not JSON') ? 'not JSON' : problem };
  }
  if (read.spans === 0 && read.rejected === 0) {
    return text.includes('"resourceSpans"') || text.trim() === '{}'
      ? { outcome: 'empty' }
      : { outcome: 'not_otlp', problem: 'JSON without resourceSpans' };
  }
  return { outcome: 'decoded', bytes: read.bytes, rejected: read.rejected, reasons: read.reasons };
}

/** `auto` looks at each record: a topic may have producers of both kinds. */
export function decodeForeign(value: Uint8Array | null, encoding: ForeignEncoding): Decoded {
  if (value === null || value.length === 0) return { outcome: 'empty' };
  if (encoding === 'otlp_json') return decodeJson(value);
  if (encoding === 'auto' && looksLikeJson(value)) {
    const decoded = decodeJson(value);
    // a line feed and a brace may also begin protobuf: a first resource of 123 bytes
    if (decoded.outcome !== 'not_otlp' || value[0] !== LINE_FEED) return decoded;
  }
  return { outcome: 'decoded', bytes: value, rejected: 0, reasons: NO_REASONS };
}
