/** Configuration of the log (ARCHITECTURE decision 3): which log, where, how much it keeps. */
import { z } from 'zod';

const ms = (text: string, byDefault: number, min: number, max: number) =>
  z.number().int().min(min).max(max).default(byDefault).describe(text).meta({ unit: 'ms' });

const bytes = (text: string, byDefault: number, min: number) =>
  z.number().int().min(min).default(byDefault).describe(text).meta({ unit: 'bytes' });

const DAY_MS = 86_400_000;

export const logSection = z
  .strictObject({
    kind: z
      .enum(['embedded', 'memory'])
      .default('embedded')
      .describe(
        'Without `kafka.brokers`: `embedded` = files on this machine, shared by its processes; `memory` = one process, nothing survives it',
      ),
    directory: z.string().min(1).default('spanwarden-data/log').describe('Directory of the embedded log'),
    spansPartitions: z
      .number()
      .int()
      .min(1)
      .max(1_024)
      .default(4)
      .describe('Partitions of the `spans` topic; fixed when the topic is created')
      .meta({ unit: 'partitions' }),
    spansRetentionMs: ms('Spans are kept at least so long', DAY_MS, 60_000, 365 * DAY_MS),
    spansRetentionBytes: bytes('Beyond this size the oldest spans go, however young; 0 = no bound', 21_474_836_480, 0),
    retentionMs: ms('Records of the other topics are kept at least so long', 7 * DAY_MS, 60_000, 3_650 * DAY_MS),
    queueBytes: bytes(
      'Records waiting to become durable; beyond it senders are told to come back',
      67_108_864,
      1_048_576,
    ),
    leaseMs: ms('A consumer that stops without saying so is replaced after this', 5_000, 200, 300_000),
    pollMs: ms('Longest wait before looking for new records written by another process', 50, 10, 1_000),
  })
  .prefault({});

export type LogConfig = z.infer<typeof logSection>;
