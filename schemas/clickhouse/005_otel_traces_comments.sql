-- What the parts of nested columns are: their declaration has no place for it.
ALTER TABLE {database}.otel_traces
  COMMENT COLUMN `Events.Timestamp` 'When each event of the span happened',
  COMMENT COLUMN `Events.Name` 'Name of each event; exception where one was recorded',
  COMMENT COLUMN `Events.Attributes` 'Attributes of each event, after redaction',
  COMMENT COLUMN `Links.TraceId` 'Trace of each span this one is linked to: a consumer''s producers',
  COMMENT COLUMN `Links.SpanId` 'Span of each link',
  COMMENT COLUMN `Links.TraceState` 'W3C tracestate of each link',
  COMMENT COLUMN `Links.Attributes` 'Attributes of each link, after redaction'
