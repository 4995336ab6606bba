/**
 * The two forms of a segment. `SegmentSpans` is what assembly closes: where the bytes of its spans lie. `Segment` is what
 * scoring reads: columns over its spans, decoded once, in pre-order, in arrays that are reused from segment to segment.
 */
import type { ClientRecord } from '../schemas/log/verdict.ts';

/** Integers a span takes in `SegmentSpans.places`. */
export const PLACE_STRIDE = 7;

/** Why the first span of a segment is its entry (ARCHITECTURE decision 5). */
export type EntryReason = 'root' | 'remote' | 'parent-missing' | 'consumer' | 'orphan';

export interface SegmentSpans {
  /** 32-character lowercase hex. */
  readonly traceId: string;
  /** 16-character lowercase hex. */
  readonly entrySpanId: string;
  readonly entryReason: EntryReason;
  readonly asynchronous: boolean;
  readonly partition: number;
  /** Smallest offset among its records: the segment's first record. */
  readonly firstOffset: number;
  /** Log-append time of that record, milliseconds since the epoch. */
  readonly appendMs: number;
  /** Distinct records that hold its spans. */
  readonly records: readonly Uint8Array[];
  readonly spanCount: number;
  /**
   * PLACE_STRIDE integers a span, the entry first, no order beyond: index into `records`, then start and end (byte
   * offsets, end exclusive) of the resource message, the scope message and the span message. Empty range = absent.
   */
  readonly places: Int32Array;
  /** A cap cut spans off. */
  readonly truncated: boolean;
}

/** What is known of a span's outcome. */
export const Outcome = { unknown: 0, ok: 1, clientError: 2, error: 3 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Where a parameter's value was found; decides its profile and its group in the harmonic mean (DETECTION §3). */
export const ParameterSource = {
  path: 0,
  query: 1,
  header: 2,
  body: 3,
  rpc: 4,
  message: 5,
  statement: 6,
  /** Callee service, or address class and port, of an outgoing call; the value is the egress class (DETECTION §3.6). */
  egress: 7,
  /** Response body size in bytes, decimal text. */
  size: 8,
} as const;
export type ParameterSource = (typeof ParameterSource)[keyof typeof ParameterSource];

/** A span label: what is the same call (DETECTION §1). Strings live in the symbol table; `symbols.text(id)`. */
export interface Label {
  readonly service: number;
  /** OTLP SpanKind. */
  readonly kind: number;
  readonly operation: number;
  /** Peer system (`postgresql`, `kafka`, …) or 0. */
  readonly peer: number;
}

/** Interned strings and labels: small integers inside a process, texts and 53-bit hashes that are equal everywhere. */
export interface Symbols {
  /** Id of a text, interned when new; 0 = ''. Beyond the cap every new text gets the id of '<overflow>'. */
  intern(text: string): number;
  /** The same over UTF-8 bytes, without making a string when it is known. */
  internBytes(bytes: Uint8Array, start: number, end: number): number;
  text(id: number): string;
  /** Id of a label, interned when new. Label ids and text ids are separate spaces; labels start at 1. */
  label(service: number, kind: number, operation: number, peer: number): number;
  labelOf(id: number): Label;
  /** `checkout server POST /checkout` — for people and for baseline keys; unique. */
  labelText(id: number): string;
  /** 53-bit hash of the label's text: the same in every process. */
  labelHash(id: number): number;
  /** Id of a label known by its text (a baseline's), interned when new. */
  labelFromText(text: string): number;
  readonly size: number;
  readonly labelCount: number;
}

/**
 * Columns over the spans of one segment. Index 0 is the entry; pre-order, so `parent[i] < i`; siblings by start time, then
 * span id. Valid until the next read into the same object. Times are nanoseconds; `startNs` is relative to the entry.
 */
export interface Segment {
  readonly symbols: Symbols;
  traceId: string;
  entrySpanId: string;
  entryReason: EntryReason;
  asynchronous: boolean;
  appendMs: number;
  /** Entry's start, milliseconds since the epoch, clamped to the record's append time when out of range. */
  startMs: number;
  spanCount: number;
  truncated: boolean;
  /** Upper and lower half of the big-endian span id. */
  spanIdHigh: Uint32Array;
  spanIdLow: Uint32Array;
  /** −1 for the entry. A span in a cycle of parents hangs under the entry. */
  parent: Int32Array;
  /** 1 where the parent span is not in the segment (late or lost): the span hangs under the entry, but nobody says it called it. */
  orphan: Uint8Array;
  firstChild: Int32Array;
  nextSibling: Int32Array;
  childCount: Int32Array;
  label: Int32Array;
  service: Int32Array;
  /** service.version of each span's resource, symbol; 0 when absent. */
  version: Int32Array;
  operation: Int32Array;
  kind: Uint8Array;
  outcome: Uint8Array;
  /** HTTP response status, 0 when absent. */
  httpStatus: Uint16Array;
  startNs: Float64Array;
  /** NaN where it is unknown: no end, an end before the start, one of the two out of range. Unknown is not zero: models abstain. */
  durationNs: Float64Array;
  /** Duration minus the union of the children's intervals inside it; NaN where one of these is unknown. */
  selfNs: Float64Array;
  parameterCount: number;
  parameterSpan: Int32Array;
  parameterSource: Uint8Array;
  /** Symbol of the parameter's name: `q`, `user-agent`, `1` (path position), `db.query.text`. */
  parameterName: Int32Array;
  /** Range of the value's UTF-8 bytes in `values`. */
  parameterStart: Int32Array;
  parameterEnd: Int32Array;
  values: Uint8Array;
  /** service.version of the entry's resource, symbol; 0 when absent. */
  serviceVersion: number;
  /** Adjusted count by head sampling: 1 / sampling probability (`ot=th` in tracestate); 1 when absent. */
  sampleWeight: number;
  client: ClientRecord;
  /** `user.name` or `user.email` of the first span that has one, else the first user id; null when no span names a user. */
  account: string | null;
  /** Producer spans this segment was caused by: links of the entry and of CONSUMER spans, hex ids; empty when none. */
  producers: readonly { readonly traceId: string; readonly spanId: string }[];
}

/** End of span `i`, milliseconds since the epoch; its start where its duration is unknown. */
export function endMsOf(segment: Segment, i: number): number {
  const durationNs = segment.durationNs[i]!;
  return segment.startMs + (segment.startNs[i]! + (Number.isNaN(durationNs) ? 0 : durationNs)) / 1e6;
}

/** Hex span id of span `i`. */
export const spanIdHex = (segment: Segment, i: number): string =>
  segment.spanIdHigh[i]!.toString(16).padStart(8, '0') + segment.spanIdLow[i]!.toString(16).padStart(8, '0');
