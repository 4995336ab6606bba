/** Starts and ends of the spans of a TracesData body, milliseconds since the epoch. */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { ResourceSpansField, ScopeSpansField, TracesDataField } from '../../schemas/otlp/fields.ts';
import { createSpanHead, pairToMs, readSpanHead } from '../../schemas/otlp/read-span.ts';

export interface SpanTimes {
  readonly starts: number[];
  readonly ends: number[];
}

export function createTimeReader(): (value: Uint8Array) => SpanTimes {
  const outer = createCursor(new Uint8Array(0));
  const resource = createCursor(new Uint8Array(0));
  const scope = createCursor(new Uint8Array(0));
  const head = createSpanHead();
  return (value) => {
    const starts: number[] = [];
    const ends: number[] = [];
    resetCursor(outer, value, 0, value.length);
    for (let at = nextField(outer, TracesDataField.resourceSpans); at >= 0; ) {
      resetCursor(resource, value, at, outer.position);
      for (let inner = nextField(resource, ResourceSpansField.scopeSpans); inner >= 0; ) {
        resetCursor(scope, value, inner, resource.position);
        for (let span = nextField(scope, ScopeSpansField.spans); span >= 0; ) {
          if (readSpanHead(value, span, scope.position, head)) {
            starts.push(pairToMs(head.startHigh, head.startLow));
            ends.push(pairToMs(head.endHigh, head.endLow));
          }
          span = nextField(scope, ScopeSpansField.spans);
        }
        inner = nextField(resource, ResourceSpansField.scopeSpans);
      }
      at = nextField(outer, TracesDataField.resourceSpans);
    }
    return { starts, ends };
  };
}
