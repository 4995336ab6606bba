/** From a copied trace back to bytes: one TracesData record, or a segment as assembly would close it. */
import { objectToTracesData } from '../../../schemas/otlp/json.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../../traces/segment.ts';
import { placesOf } from './places.ts';
import type { CopiedResource, CopiedSpan, TraceCopy } from './trace-copy.ts';

/** About how many bytes a span takes: only the writer's first buffer. */
const SPAN_BYTES = 400;

/** OTLP/JSON of the trace: an object that `JSON.stringify` makes a line of an input of `score`. The entry's process first. */
export function tracesJsonOf(trace: TraceCopy): { readonly resourceSpans: readonly unknown[] } {
  const byResource = new Map<CopiedResource, unknown[]>();
  for (const span of trace.spans) {
    let spans = byResource.get(span.resource);
    if (spans === undefined) {
      spans = [];
      byResource.set(span.resource, spans);
    }
    spans.push(jsonOf(trace, span));
  }
  return {
    resourceSpans: [...byResource].map(([resource, spans]) => ({
      resource: { attributes: resource.attributes },
      scopeSpans: [{ spans }],
    })),
  };
}

function jsonOf({ traceId, baseNs }: TraceCopy, span: CopiedSpan): unknown {
  const time = (ns: number): string => String(baseNs + BigInt(Math.round(ns)));
  return {
    traceId,
    spanId: span.spanId,
    ...(span.parentId !== '' && { parentSpanId: span.parentId }),
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: time(span.startNs),
    endTimeUnixNano: time(span.endNs),
    attributes: span.attributes,
    events: span.events,
    links: span.links,
    ...(span.statusCode > 0 && { status: { code: span.statusCode, message: span.statusMessage } }),
    ...(span.traceState !== '' && { traceState: span.traceState }),
    ...(span.flags !== undefined && { flags: span.flags }),
  };
}

/** TracesData bytes, as the spans topic holds them. */
export function recordOf(trace: TraceCopy): Uint8Array {
  const { bytes, rejected, problem } = objectToTracesData(tracesJsonOf(trace), trace.spans.length * SPAN_BYTES);
  if (problem !== undefined || rejected > 0)
    throw new Error(`a copied trace cannot be written: ${problem ?? rejected}`);
  return bytes;
}

/** The trace as a segment with the identity of `like`, in a record of its own. */
export function segmentOfCopy(trace: TraceCopy, like: SegmentSpans): SegmentSpans {
  const bytes = recordOf(trace);
  const places = Int32Array.from(placesOf(bytes, 0));
  return {
    ...like,
    traceId: trace.traceId,
    entrySpanId: trace.spans[0]!.spanId,
    records: [bytes],
    spanCount: places.length / PLACE_STRIDE,
    places,
  };
}
