/** The spans of one record, one after the other: the head of each, and where it lies. */
import { createCursor, readLength, readVarint, resetCursor, skipField } from '../../schemas/otlp/cursor.ts';
import { ResourceSpansField, ScopeSpansField, TracesDataField } from '../../schemas/otlp/fields.ts';
import { createSpanHead, readSpanHead, type SpanHead } from '../../schemas/otlp/read-span.ts';

const RESOURCE_SPANS = (TracesDataField.resourceSpans << 3) | 2;
const RESOURCE = (ResourceSpansField.resource << 3) | 2;
const SCOPE_SPANS = (ResourceSpansField.scopeSpans << 3) | 2;
const SCOPE = (ScopeSpansField.scope << 3) | 2;
const SPAN = (ScopeSpansField.spans << 3) | 2;

/** The span being read; ranges as in `SegmentSpans.places`. */
export interface SpanAt {
  bytes: Uint8Array;
  resourceStart: number;
  resourceEnd: number;
  scopeStart: number;
  scopeEnd: number;
  readonly head: SpanHead;
}

export const createSpanAt = (): SpanAt => ({
  bytes: new Uint8Array(0),
  resourceStart: 0,
  resourceEnd: 0,
  scopeStart: 0,
  scopeEnd: 0,
  head: createSpanHead(),
});

/** Reads the record in `at.bytes`; each of its spans stands in `at` while `take` is called. False when it is no TracesData. */
export function createRecordWalk(at: SpanAt, take: () => void, invalid: () => void): () => boolean {
  const outer = createCursor(at.bytes);
  const middle = createCursor(at.bytes);
  const inner = createCursor(at.bytes);
  const { head } = at;

  function readScopeSpans(start: number, end: number): boolean {
    const { bytes } = at;
    at.scopeStart = at.scopeEnd = start;
    resetCursor(inner, bytes, start, end);
    while (inner.position < end) {
      const tag = readVarint(inner);
      if (tag === SPAN) {
        const length = readLength(inner);
        if (inner.failed) return false;
        if (readSpanHead(bytes, inner.position, inner.position + length, head)) take();
        else invalid();
        inner.position += length;
      } else if (tag === SCOPE) {
        const length = readLength(inner);
        at.scopeStart = inner.position;
        at.scopeEnd = inner.position + length;
        inner.position += length;
      } else if (tag < 8) return false;
      else skipField(inner, tag & 7);
      if (inner.failed) return false;
    }
    return true;
  }

  function readResourceSpans(start: number, end: number): boolean {
    const { bytes } = at;
    at.resourceStart = at.resourceEnd = start;
    resetCursor(middle, bytes, start, end);
    // The resource may come after the spans: the specification does not order fields.
    while (middle.position < end) {
      const tag = readVarint(middle);
      if (tag === RESOURCE) {
        const length = readLength(middle);
        at.resourceStart = middle.position;
        at.resourceEnd = middle.position + length;
        break;
      }
      skipField(middle, tag & 7);
      if (middle.failed) return false;
    }
    resetCursor(middle, bytes, start, end);
    while (middle.position < end) {
      const tag = readVarint(middle);
      if (tag === SCOPE_SPANS) {
        const length = readLength(middle);
        if (middle.failed || !readScopeSpans(middle.position, middle.position + length)) return false;
        middle.position += length;
      } else if (tag < 8) return false;
      else skipField(middle, tag & 7);
      if (middle.failed) return false;
    }
    return true;
  }

  return () => {
    const { length: end } = at.bytes;
    resetCursor(outer, at.bytes, 0, end);
    while (outer.position < end) {
      const tag = readVarint(outer);
      if (tag === RESOURCE_SPANS) {
        const length = readLength(outer);
        if (outer.failed || !readResourceSpans(outer.position, outer.position + length)) return false;
        outer.position += length;
      } else if (tag < 8) return false;
      else skipField(outer, tag & 7);
      if (outer.failed) return false;
    }
    return true;
  };
}
