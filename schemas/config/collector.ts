/** Configuration of the collector: where it listens and what it takes (CONVENTIONS, OTLP). */
import { z } from 'zod';

const port = (text: string, byDefault: number) =>
  z.number().int().min(0).max(65_535).default(byDefault).describe(`${text}; 0 = any free one`);

const bytes = (text: string, byDefault: number, min: number, max: number) =>
  z.number().int().min(min).max(max).default(byDefault).describe(text).meta({ unit: 'bytes' });

const ms = (text: string, byDefault: number, min: number, max = 3_600_000) =>
  z.number().int().min(min).max(max).default(byDefault).describe(text).meta({ unit: 'ms' });

const MiB = 1_048_576;

export const collectorSection = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('Address to listen on; nothing but loopback unless you say so, as senders need no password'),
    grpcPort: port('Port of OTLP/gRPC', 4_317),
    httpPort: port('Port of OTLP/HTTP, `POST /v1/traces`', 4_318),
    maxRequestBytes: bytes('Largest request, after decompression', 20 * MiB, 1_024, 256 * MiB),
    maxCutBytes: bytes(
      'Largest request once cut by trace, with its resources repeated for each trace',
      80 * MiB,
      1_024,
      1_024 * MiB,
    ),
    maxRecordBytes: bytes(
      "Largest record in the log; a larger trace gets several. Must be under the Kafka broker's `message.max.bytes`",
      1_000_000,
      1_024,
      64 * MiB,
    ),
    maxInFlightBytes: bytes(
      'Requests being received or waiting for the log; beyond it senders are told to come back',
      256 * MiB,
      MiB,
      64 * 1_024 * MiB,
    ),
    maxConnections: z
      .number()
      .int()
      .min(1)
      .max(1_000_000)
      .default(1_000)
      .describe('Open connections of each of the two ports; further ones are closed at once')
      .meta({ unit: 'connections' }),
    maxStreams: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(100)
      .describe('Concurrent requests on one gRPC connection')
      .meta({ unit: 'requests' }),
    receiveTimeoutMs: ms('A request must have arrived whole after this', 30_000, 10),
    idleTimeoutMs: ms('A connection without traffic is closed after this', 300_000, 10, 86_400_000),
    logTimeoutMs: ms(
      'Longest wait for the log before the sender is told to come back; below the SDKs’ export timeout of 10 s',
      8_000,
      10,
    ),
    retryAfterMs: ms('When senders that were told to come back shall do so', 1_000, 1),
    kafka: z
      .strictObject({
        topics: z
          .array(z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, 'not a name of a Kafka topic'))
          .default([])
          .describe(
            "Topics that OpenTelemetry Collectors' Kafka exporters write, such as `otlp_spans`, on the brokers of `kafka.brokers`: read, and re-keyed by trace id",
          ),
        group: z
          .string()
          .max(249)
          .default('')
          .describe('Consumer group that reads them; empty: `collector` after `kafka.topicPrefix`'),
        encoding: z
          .enum(['auto', 'otlp_proto', 'otlp_json'])
          .default('auto')
          .describe('Encoding of their records; `auto` looks at each'),
        from: z
          .enum(['earliest', 'latest'])
          .default('earliest')
          .describe('Where a group begins that has read nothing yet'),
      })
      .prefault({}),
  })
  .prefault({});

export type CollectorConfig = z.infer<typeof collectorSection>;
