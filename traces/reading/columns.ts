/** A Segment's columns: made once, grown when a larger segment comes, never shrunk. */
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import type { Segment, Symbols } from '../segment.ts';

export const NO_CLIENT: ClientRecord = Object.freeze({
  address: null,
  source: 'none',
  confidence: 'none',
  reason: 'no-peer',
  hops: Object.freeze([]) as readonly string[],
  entrySpanId: '',
  entryTraceId: '',
  user: null,
  session: null,
});

const NO_PRODUCERS: Segment['producers'] = Object.freeze([]);

/** An empty segment over `symbols`; `read` fills it again and again. */
export function createSegment(symbols: Symbols): Segment {
  const spans = 32;
  const parameters = 64;
  return {
    symbols,
    traceId: '',
    entrySpanId: '',
    entryReason: 'root',
    asynchronous: false,
    appendMs: 0,
    startMs: 0,
    spanCount: 0,
    truncated: false,
    spanIdHigh: new Uint32Array(spans),
    spanIdLow: new Uint32Array(spans),
    parent: new Int32Array(spans),
    orphan: new Uint8Array(spans),
    firstChild: new Int32Array(spans),
    nextSibling: new Int32Array(spans),
    childCount: new Int32Array(spans),
    label: new Int32Array(spans),
    service: new Int32Array(spans),
    version: new Int32Array(spans),
    operation: new Int32Array(spans),
    kind: new Uint8Array(spans),
    outcome: new Uint8Array(spans),
    httpStatus: new Uint16Array(spans),
    startNs: new Float64Array(spans),
    durationNs: new Float64Array(spans),
    selfNs: new Float64Array(spans),
    parameterCount: 0,
    parameterSpan: new Int32Array(parameters),
    parameterSource: new Uint8Array(parameters),
    parameterName: new Int32Array(parameters),
    parameterStart: new Int32Array(parameters),
    parameterEnd: new Int32Array(parameters),
    values: new Uint8Array(4096),
    serviceVersion: 0,
    sampleWeight: 1,
    client: NO_CLIENT,
    account: null,
    producers: NO_PRODUCERS,
  };
}

const sizeFor = (current: number, wanted: number): number => {
  let size = current;
  while (size < wanted) size *= 2;
  return size;
};

/** Room for `count` spans; what the columns held is lost. */
export function reserveSpans(segment: Segment, count: number): void {
  if (segment.parent.length >= count) return;
  const size = sizeFor(segment.parent.length, count);
  segment.spanIdHigh = new Uint32Array(size);
  segment.spanIdLow = new Uint32Array(size);
  segment.parent = new Int32Array(size);
  segment.orphan = new Uint8Array(size);
  segment.firstChild = new Int32Array(size);
  segment.nextSibling = new Int32Array(size);
  segment.childCount = new Int32Array(size);
  segment.label = new Int32Array(size);
  segment.service = new Int32Array(size);
  segment.version = new Int32Array(size);
  segment.operation = new Int32Array(size);
  segment.kind = new Uint8Array(size);
  segment.outcome = new Uint8Array(size);
  segment.httpStatus = new Uint16Array(size);
  segment.startNs = new Float64Array(size);
  segment.durationNs = new Float64Array(size);
  segment.selfNs = new Float64Array(size);
}

/** Room for `count` parameters; what the columns held is lost. */
export function reserveParameters(segment: Segment, count: number): void {
  if (segment.parameterSpan.length >= count) return;
  const size = sizeFor(segment.parameterSpan.length, count);
  segment.parameterSpan = new Int32Array(size);
  segment.parameterSource = new Uint8Array(size);
  segment.parameterName = new Int32Array(size);
  segment.parameterStart = new Int32Array(size);
  segment.parameterEnd = new Int32Array(size);
}

/** Room for `count` bytes of values; what was there stays. */
export function reserveValues(segment: Segment, count: number): void {
  if (segment.values.length >= count) return;
  const larger = new Uint8Array(sizeFor(segment.values.length, count));
  larger.set(segment.values);
  segment.values = larger;
}
