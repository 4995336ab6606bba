/** How Collectors are set up to write traces to Kafka: exporter and processors, by the name of the recording. */
import type { ReferenceOptions } from '../reference-collector.ts';

type Shape = Omit<ReferenceOptions, 'brokers'>;

const producer = { required_acks: -1, allow_auto_topic_creation: false };
const exporter = (encoding: string, more: object = {}): object => ({ producer, traces: { encoding }, ...more });
const murmur2 = { record_partitioner: { sticky_key: { hasher: 'murmur2' } } };
const byTraceId = { partition_traces_by_id: true };
const oneTrace = { groupbytrace: { wait_duration: '1s' } };
const oneSpan = { batch: { send_batch_size: 1, send_batch_max_size: 1, timeout: '0s' } };

/** A record a request (the exporter's default), a (resource, scope, trace), a trace, a span; keyed or not. */
export const OTLP_SHAPES: Readonly<Record<string, Shape>> = {
  'request-proto': { exporter: exporter('otlp_proto') },
  'request-json': { exporter: exporter('otlp_json') },
  'resource-trace-proto-fnv': { exporter: exporter('otlp_proto', byTraceId) },
  'resource-trace-json-murmur2': { exporter: exporter('otlp_json', { ...byTraceId, ...murmur2 }) },
  'trace-proto': { exporter: exporter('otlp_proto'), processors: oneTrace },
  'trace-json': { exporter: exporter('otlp_json'), processors: oneTrace },
  'span-proto': { exporter: exporter('otlp_proto'), processors: oneSpan },
  'span-json-murmur2': { exporter: exporter('otlp_json', { ...byTraceId, ...murmur2 }), processors: oneSpan },
};

/** Encodings that are not OTLP. */
export const OTHER_SHAPES: Readonly<Record<string, Shape>> = {
  'zipkin-json': { exporter: exporter('zipkin_json') },
  'zipkin-proto': { exporter: exporter('zipkin_proto') },
  'jaeger-json': { exporter: exporter('jaeger_json') },
  'jaeger-proto': { exporter: exporter('jaeger_proto') },
};

export const RECORDINGS: Readonly<Record<string, Shape>> = { ...OTLP_SHAPES, ...OTHER_SHAPES };
