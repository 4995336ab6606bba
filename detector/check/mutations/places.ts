/** Where the spans of a TracesData message lie, in the form that assembly gives them (`SegmentSpans.places`). */
import { createCursor, nextField } from '../../../schemas/otlp/cursor.ts';
import { ResourceSpansField, ScopeSpansField, TracesDataField } from '../../../schemas/otlp/fields.ts';

/** PLACE_STRIDE integers a span: `record`, then the ranges of its resource, scope and span message. Malformed bytes end it. */
export function placesOf(bytes: Uint8Array, record: number): number[] {
  const places: number[] = [];
  const resources = createCursor(bytes);
  for (let at = nextField(resources, TracesDataField.resourceSpans); at >= 0; ) {
    const end = resources.position;
    const [resourceStart, resourceEnd] = first(bytes, at, end, ResourceSpansField.resource);
    const scopes = createCursor(bytes, at, end);
    for (let scopeAt = nextField(scopes, ResourceSpansField.scopeSpans); scopeAt >= 0; ) {
      const scopeSpansEnd = scopes.position;
      const [scopeStart, scopeEnd] = first(bytes, scopeAt, scopeSpansEnd, ScopeSpansField.scope);
      const spans = createCursor(bytes, scopeAt, scopeSpansEnd);
      for (let spanAt = nextField(spans, ScopeSpansField.spans); spanAt >= 0; ) {
        places.push(record, resourceStart, resourceEnd, scopeStart, scopeEnd, spanAt, spans.position);
        spanAt = nextField(spans, ScopeSpansField.spans);
      }
      scopeAt = nextField(scopes, ResourceSpansField.scopeSpans);
    }
    at = nextField(resources, TracesDataField.resourceSpans);
  }
  return places;
}

/** Range of the first field with this number; empty when there is none. */
function first(bytes: Uint8Array, start: number, end: number, field: number): readonly [number, number] {
  const cursor = createCursor(bytes, start, end);
  const at = nextField(cursor, field);
  return at < 0 ? [start, start] : [at, cursor.position];
}
