/** Configuration of the Kafka cluster: how it is reached and what is asked of it. Naming a broker chooses the Kafka log. */
import { z } from 'zod';

const ms = (text: string, byDefault: number, min: number, max: number) =>
  z.number().int().min(min).max(max).default(byDefault).describe(text).meta({ unit: 'ms' });

export const kafkaSection = z
  .strictObject({
    brokers: z
      .array(z.string().min(1))
      .default([])
      .describe('Kafka brokers, host:port; none: the embedded log of this machine'),
    clientId: z.string().min(1).default('spanwarden').describe('Name under which brokers see this process'),
    topicPrefix: z
      .string()
      .regex(/^[A-Za-z0-9-]{0,100}$/, 'letters, digits and - only')
      .default('spanwarden-')
      .describe('Before the name of each topic and consumer group of ours'),
    replicationFactor: z
      .number()
      .int()
      .min(-1)
      .max(100)
      .refine((factor) => factor !== 0, 'at least 1, or -1')
      .default(-1)
      .describe("Replicas of the topics created; -1 = the cluster's default")
      .meta({ unit: 'replicas' }),
    compression: z
      .enum(['none', 'lz4', 'zstd'])
      .default('lz4')
      .describe('Compression of record batches; `zstd` is smaller and dearer'),
    maxMessageBytes: z
      .number()
      .int()
      .min(1_048_576)
      .max(1_073_741_824)
      .default(8_388_608)
      .describe('Largest record batch that topics created by us take; keep `collector.maxRecordBytes` below it')
      .meta({ unit: 'bytes' }),
    connectTimeoutMs: ms('A broker that does not accept a connection for so long is unavailable', 5_000, 100, 300_000),
    requestTimeoutMs: ms(
      'A broker that does not answer for so long is unavailable; records that could not be written for so long are refused',
      15_000,
      500,
      300_000,
    ),
    sessionTimeoutMs: ms('A consumer that is silent for so long loses its partitions', 15_000, 1_000, 1_800_000),
    tls: z
      .strictObject({
        enabled: z.boolean().default(false).describe('Talk TLS to the brokers'),
        caFile: z.string().default('').describe("PEM file with the certificate authorities; empty: Node's own"),
        certFile: z.string().default('').describe('PEM file with our certificate, where brokers ask for one'),
        keyFile: z.string().default('').describe('PEM file with its private key'),
        serverName: z.string().default('').describe('Name the certificate must carry; empty: the host connected to'),
      })
      .prefault({}),
    sasl: z
      .strictObject({
        mechanism: z
          .enum(['none', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
          .default('none')
          .describe('How to authenticate; `PLAIN` sends the password, so use it with TLS only'),
        username: z.string().default('').describe('User'),
        password: z.string().default('').describe('Password').meta({ secret: true }),
      })
      .prefault({}),
  })
  .prefault({});

export type KafkaConfig = z.infer<typeof kafkaSection>;
