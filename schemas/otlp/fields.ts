/** Field numbers of opentelemetry-proto trace/v1, common/v1 and resource/v1 (stable since 1.0). */

export const TracesDataField = { resourceSpans: 1 } as const;
export const ResourceSpansField = { resource: 1, scopeSpans: 2, schemaUrl: 3 } as const;
export const ResourceField = { attributes: 1, droppedAttributesCount: 2 } as const;
export const ScopeSpansField = { scope: 1, spans: 2, schemaUrl: 3 } as const;
export const ScopeField = { name: 1, version: 2, attributes: 3 } as const;
export const SpanField = {
  traceId: 1,
  spanId: 2,
  traceState: 3,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTimeUnixNano: 7,
  endTimeUnixNano: 8,
  attributes: 9,
  droppedAttributesCount: 10,
  events: 11,
  droppedEventsCount: 12,
  links: 13,
  droppedLinksCount: 14,
  status: 15,
  flags: 16,
} as const;
export const EventField = { timeUnixNano: 1, name: 2, attributes: 3 } as const;
export const LinkField = { traceId: 1, spanId: 2, traceState: 3, attributes: 4, flags: 6 } as const;
export const StatusField = { message: 2, code: 3 } as const;
export const KeyValueField = { key: 1, value: 2 } as const;
export const AnyValueField = {
  string: 1,
  bool: 2,
  int: 3,
  double: 4,
  array: 5,
  kvlist: 6,
  bytes: 7,
} as const;

export const SpanKind = { unspecified: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
export const StatusCode = { unset: 0, ok: 1, error: 2 } as const;
/** Span.flags bits 8 and 9: whether the parent's remoteness is known, and whether it is remote. */
export const SpanFlags = { hasIsRemote: 0x100, isRemote: 0x200 } as const;
