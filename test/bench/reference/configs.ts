/**
 * Fair configurations of the reference Collector: acks of all replicas, nothing dropped when something is full, and, where it
 * takes OTLP, nothing acknowledged before Kafka has it, as we do.
 */

const service = (receiver: string, exporter: string): object => ({
  telemetry: { logs: { level: 'info' }, metrics: { level: 'none' } },
  pipelines: { traces: { receivers: [receiver], exporters: [exporter] } },
});

export interface OtlpToKafka {
  readonly grpcPort: number;
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly compression: 'none' | 'zstd' | 'lz4';
}

/** OTLP/gRPC → Kafka, a record a (resource, scope, trace), keyed by trace id. */
export const otlpToKafka = ({ grpcPort, brokers, topic, compression }: OtlpToKafka): object => ({
  receivers: { otlp: { protocols: { grpc: { endpoint: `127.0.0.1:${grpcPort}`, max_recv_msg_size_mib: 20 } } } },
  exporters: {
    kafka: {
      brokers,
      traces: { topic, encoding: 'otlp_proto' },
      partition_traces_by_id: true,
      timeout: '30s',
      producer: { required_acks: -1, compression, allow_auto_topic_creation: false },
      sending_queue: { enabled: false },
    },
  },
  service: service('otlp', 'kafka'),
});

export interface KafkaToClickHouse {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly group: string;
  /** Of the native protocol. */
  readonly tcpPort: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/**
 * Kafka → ClickHouse in inserts of 10,000 rows and more. It marks offsets when a batch is in its queue, before the rows are in
 * ClickHouse: what it holds when it dies is lost. With a mark after the insert it would take one record at a time.
 */
export const kafkaToClickHouse = (to: KafkaToClickHouse): object => ({
  receivers: {
    kafka: {
      brokers: to.brokers,
      group_id: to.group,
      initial_offset: 'earliest',
      max_fetch_size: 8_388_608,
      max_partition_fetch_size: 8_388_608,
      traces: { topics: [to.topic], encoding: 'otlp_proto' },
    },
  },
  exporters: {
    clickhouse: {
      endpoint: `tcp://127.0.0.1:${to.tcpPort}?dial_timeout=10s`,
      username: to.user,
      password: to.password,
      database: to.database,
      create_schema: true,
      async_insert: false,
      timeout: '60s',
      sending_queue: {
        enabled: true,
        sizer: 'items',
        queue_size: 100_000,
        num_consumers: 2,
        block_on_overflow: true,
        batch: { min_size: 10_000, max_size: 20_000, flush_timeout: '1s' },
      },
    },
  },
  service: service('kafka', 'clickhouse'),
});
