/** Segments as assembly would close them, from OTLP/JSON: real bytes, real places. */

import { type Verdict, verdictId, verdictRevision } from '../../../schemas/log/verdict.ts';
import { createCursor, nextField, resetCursor } from '../../../schemas/otlp/cursor.ts';
import { ResourceSpansField, ScopeSpansField, TracesDataField } from '../../../schemas/otlp/fields.ts';
import { jsonToTracesData } from '../../../schemas/otlp/json.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../../traces/segment.ts';

export interface PlainSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly [field: string]: unknown;
}

/** Places of all spans of TracesData bytes. */
export function placesOf(record: Uint8Array): Int32Array {
  const places: number[] = [];
  const [outer, scopes, spans, part] = [0, 1, 2, 3].map(() => createCursor(record)) as [never, never, never, never];
  const ranges = (
    cursor: ReturnType<typeof createCursor>,
    from: number,
    to: number,
    field: number,
  ): [number, number][] => {
    const found: [number, number][] = [];
    resetCursor(cursor, record, from, to);
    for (let at = nextField(cursor, field); at >= 0; at = nextField(cursor, field)) found.push([at, cursor.position]);
    return found;
  };
  for (const resourceSpans of ranges(outer, 0, record.length, TracesDataField.resourceSpans)) {
    const [resource = [0, 0]] = ranges(part, ...resourceSpans, ResourceSpansField.resource);
    for (const scopeSpans of ranges(scopes, ...resourceSpans, ResourceSpansField.scopeSpans)) {
      const [scope = [0, 0]] = ranges(part, ...scopeSpans, ScopeSpansField.scope);
      for (const span of ranges(spans, ...scopeSpans, ScopeSpansField.spans))
        places.push(0, ...resource, ...scope, ...span);
    }
  }
  return Int32Array.from(places);
}

/** One segment of all spans given, the first span being the entry. */
export function segmentOf(
  resource: Readonly<Record<string, unknown>>,
  spans: readonly PlainSpan[],
  facts: Partial<SegmentSpans> = {},
): SegmentSpans {
  const attributes = Object.entries(resource).map(([key, value]) => ({ key, value: { stringValue: String(value) } }));
  const result = jsonToTracesData(
    JSON.stringify({
      resourceSpans: [
        { resource: { attributes }, scopeSpans: [{ scope: { name: '@otel/http', version: '1.2.3' }, spans }] },
      ],
    }),
  );
  const record = (result as { bytes?: Uint8Array }).bytes!;
  const places = placesOf(record);
  return {
    traceId: spans[0]!.traceId,
    entrySpanId: spans[0]!.spanId,
    entryReason: 'root',
    asynchronous: false,
    partition: 0,
    firstOffset: 0,
    appendMs: Date.now(),
    records: [record],
    spanCount: places.length / PLACE_STRIDE,
    places,
    truncated: false,
    ...facts,
  };
}

export const verdictOf = (segment: SegmentSpans, facts: Partial<Verdict> = {}): Verdict => ({
  id: verdictId(segment.appendMs, segment.traceId, segment.entrySpanId),
  traceId: segment.traceId,
  entrySpanId: segment.entrySpanId,
  partition: segment.partition,
  firstOffset: segment.firstOffset,
  appendMs: segment.appendMs,
  revision: verdictRevision(segment.spanCount, 1, false),
  stage: 1,
  state: 'scored',
  version: 'v1',
  asynchronous: false,
  service: 'checkout',
  operation: 'POST /checkout',
  startMs: segment.appendMs - 100,
  endMs: segment.appendMs,
  spanCount: segment.spanCount,
  truncated: false,
  score: 0.3,
  p: 0.5,
  anomalous: false,
  groups: { structure: 1, timing: 0.5, parameters: 1, status: 1 },
  match: null,
  client: {
    address: '203.0.113.9',
    source: 'x-forwarded-for',
    confidence: 'high',
    reason: '',
    hops: ['10.0.0.1'],
    entrySpanId: segment.entrySpanId,
    entryTraceId: segment.traceId,
    user: null,
    session: null,
  },
  origins: [],
  originState: 'none',
  findings: [],
  ...facts,
});

let next = 0;
/** Fresh ids, the same length as real ones. */
export const traceIdOf = (n: number = ++next): string => n.toString(16).padStart(32, 'a');
export const spanIdOf = (n: number = ++next): string => n.toString(16).padStart(16, 'b');
export const nanos = (ms: number): string => `${BigInt(Math.floor(ms)) * 1_000_000n}`;
