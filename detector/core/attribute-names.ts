/** Names of the attributes of a segment's spans that redaction calls sensitive; of those that are parameters, without their prefix. */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { SpanField } from '../../schemas/otlp/fields.ts';
import { createKeyValueView, readKeyValue } from '../../schemas/otlp/read-attributes.ts';
import { createSpanHead, readSpanHead } from '../../schemas/otlp/read-span.ts';
import { textOf } from '../../schemas/otlp/text.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../traces/segment.ts';

/** Attributes looked at: those of some hundred spans. */
const MAX_ATTRIBUTES = 4_096;
const MAX_KEY_BYTES = 200;
const FAMILY =
  /^(?:http\.(?:request|response)\.(?:header|body)|rpc(?:\.grpc)?\.request(?:\.metadata)?|messaging(?:\.message)?\.header|graphql\.variables?)\./;

/** In order of their names: spans come in any order. */
export function sensitiveAttributes(spans: SegmentSpans, isSensitive: (name: string) => boolean): string[] {
  const found = new Set<string>();
  const head = createSpanHead();
  const view = createKeyValueView();
  const cursor = createCursor(new Uint8Array(0));
  let left = MAX_ATTRIBUTES;
  for (let at = 0; at < spans.spanCount * PLACE_STRIDE && left > 0; at += PLACE_STRIDE) {
    const bytes = spans.records[spans.places[at]!]!;
    if (!readSpanHead(bytes, spans.places[at + 5]!, spans.places[at + 6]!, head) || head.attributeCount === 0) continue;
    resetCursor(cursor, bytes, head.firstAttribute, head.end);
    for (let n = head.attributeCount; n > 0 && left > 0; n--, left--) {
      const start = nextField(cursor, SpanField.attributes);
      if (start < 0) break;
      if (!readKeyValue(bytes, start, cursor.position, view) || view.keyEnd - view.keyStart > MAX_KEY_BYTES) continue;
      const key = textOf(bytes, view.keyStart, view.keyEnd);
      if (isSensitive(key)) found.add(key.replace(FAMILY, ''));
    }
  }
  return [...found].sort();
}
