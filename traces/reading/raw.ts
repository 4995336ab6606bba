/** Spans of one segment as decoded, in the order they lie in the records, before the tree is known. Reused, grown, never shrunk. */
import type { Segment } from '../segment.ts';
import { reserveValues } from './columns.ts';

export interface RawSpans {
  count: number;
  idHigh: Uint32Array;
  idLow: Uint32Array;
  parentHigh: Uint32Array;
  parentLow: Uint32Array;
  /** Nanoseconds after the entry's start. */
  startNs: Float64Array;
  durationNs: Float64Array;
  kind: Uint8Array;
  outcome: Uint8Array;
  httpStatus: Uint16Array;
  service: Int32Array;
  version: Int32Array;
  operation: Int32Array;
  label: Int32Array;
  parameterFrom: Int32Array;
  parameterTo: Int32Array;
  /** Range in the segment's values of the address class of an outgoing call; empty when it says none. */
  egressStart: Int32Array;
  egressEnd: Int32Array;
}

export const createRawSpans = (): RawSpans => ({ count: 0, ...columns(64) });

const columns = (size: number) => ({
  idHigh: new Uint32Array(size),
  idLow: new Uint32Array(size),
  parentHigh: new Uint32Array(size),
  parentLow: new Uint32Array(size),
  startNs: new Float64Array(size),
  durationNs: new Float64Array(size),
  kind: new Uint8Array(size),
  outcome: new Uint8Array(size),
  httpStatus: new Uint16Array(size),
  service: new Int32Array(size),
  version: new Int32Array(size),
  operation: new Int32Array(size),
  label: new Int32Array(size),
  parameterFrom: new Int32Array(size),
  parameterTo: new Int32Array(size),
  egressStart: new Int32Array(size),
  egressEnd: new Int32Array(size),
});

/** Room for `count` spans; what the columns held is lost. */
export function reserveRawSpans(raw: RawSpans, count: number): void {
  let size = raw.kind.length;
  if (size >= count) return;
  while (size < count) size *= 2;
  Object.assign(raw, columns(size));
}

/** Parameters in order of decoding; values go straight into the segment's `values`. */
export interface RawParameters {
  count: number;
  valueEnd: number;
  source: Uint8Array;
  name: Int32Array;
  start: Int32Array;
  end: Int32Array;
}

export const createRawParameters = (): RawParameters => ({
  count: 0,
  valueEnd: 0,
  source: new Uint8Array(256),
  name: new Int32Array(256),
  start: new Int32Array(256),
  end: new Int32Array(256),
});

export function addRawParameter(raw: RawParameters, source: number, name: number, start: number, end: number): void {
  if (raw.count === raw.source.length) {
    const size = raw.count * 2;
    const source2 = new Uint8Array(size);
    source2.set(raw.source);
    raw.source = source2;
    raw.name = grown(raw.name, size);
    raw.start = grown(raw.start, size);
    raw.end = grown(raw.end, size);
  }
  const at = raw.count++;
  raw.source[at] = source;
  raw.name[at] = name;
  raw.start[at] = start;
  raw.end[at] = end;
}

function grown(from: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(size);
  to.set(from);
  return to;
}

/** Copies bytes into the segment's values; where they begin there. They end at the new `valueEnd`. */
export function copyValue(segment: Segment, raw: RawParameters, bytes: Uint8Array, start: number, end: number): number {
  const at = raw.valueEnd;
  const length = end - start;
  if (at + length > segment.values.length) reserveValues(segment, at + length);
  const to = segment.values;
  // A short copy by hand is cheaper than a view and a call.
  if (length < 96) for (let i = 0; i < length; i++) to[at + i] = bytes[start + i]!;
  else to.set(bytes.subarray(start, end), at);
  raw.valueEnd = at + length;
  return at;
}
