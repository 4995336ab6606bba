/** An encoder of OTLP that shares nothing with ours: protobufjs over opentelemetry-proto's messages (v1.7, fields as published). */
import protobuf from 'protobufjs';

const SOURCE = `
syntax = "proto3";
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message TracesData { repeated ResourceSpans resource_spans = 1; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12;
  repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15; fixed32 flags = 16;
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
  message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; uint32 dropped_attributes_count = 5; fixed32 flags = 6; }
}
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message RpcStatus { int32 code = 1; string message = 2; }
`;

const root = protobuf.parse(SOURCE).root;

export interface ProtoAnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: number | string;
  doubleValue?: number;
  arrayValue?: { values: ProtoAnyValue[] };
  kvlistValue?: { values: ProtoKeyValue[] };
  bytesValue?: Uint8Array;
}
export interface ProtoKeyValue {
  key: string;
  value?: ProtoAnyValue;
}
export interface ProtoSpan {
  traceId?: Uint8Array;
  spanId?: Uint8Array;
  traceState?: string;
  parentSpanId?: Uint8Array;
  name?: string;
  kind?: number;
  startTimeUnixNano?: number | string;
  endTimeUnixNano?: number | string;
  attributes?: ProtoKeyValue[];
  events?: { timeUnixNano?: number | string; name?: string; attributes?: ProtoKeyValue[] }[];
  links?: {
    traceId?: Uint8Array;
    spanId?: Uint8Array;
    traceState?: string;
    attributes?: ProtoKeyValue[];
    flags?: number;
  }[];
  status?: { message?: string; code?: number };
  flags?: number;
}
export interface ProtoResourceSpans {
  resource?: { attributes?: ProtoKeyValue[] };
  scopeSpans?: {
    scope?: { name?: string; version?: string; attributes?: ProtoKeyValue[] };
    spans?: ProtoSpan[];
    schemaUrl?: string;
  }[];
  schemaUrl?: string;
}
export interface ProtoTracesData {
  resourceSpans?: ProtoResourceSpans[];
}

/** BigInt-safe 64-bit fields: decimal strings become protobufjs Longs. */
const encode = (name: string, message: object): Uint8Array => {
  const type = root.lookupType(name);
  // A copy: protobufjs hands out slices of a pooled Buffer.
  return new Uint8Array(type.encode(type.fromObject(message)).finish());
};
const decode = (name: string, bytes: Uint8Array): unknown =>
  root
    .lookupType(name)
    .toObject(root.lookupType(name).decode(bytes), { longs: String, bytes: Buffer, arrays: false, oneofs: false });

export const encodeSpan = (span: ProtoSpan): Uint8Array => encode('Span', span);
export const encodeKeyValue = (attribute: ProtoKeyValue): Uint8Array => encode('KeyValue', attribute);
export const encodeTracesData = (message: ProtoTracesData): Uint8Array => encode('TracesData', message);
export const decodeTracesData = (bytes: Uint8Array): ProtoTracesData => decode('TracesData', bytes) as ProtoTracesData;
export const decodeExportResponse = (
  bytes: Uint8Array,
): { partialSuccess?: { rejectedSpans?: string; errorMessage?: string } } =>
  decode('ExportTraceServiceResponse', bytes) as { partialSuccess?: { rejectedSpans?: string; errorMessage?: string } };
export const decodeStatus = (bytes: Uint8Array): { code?: number; message?: string } =>
  decode('RpcStatus', bytes) as { code?: number; message?: string };
