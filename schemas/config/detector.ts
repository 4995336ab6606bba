/** Configuration of the detector: origins across links, and how long rows wait. */
import { z } from 'zod';

const ms = (text: string, byDefault: number, max = 3_600_000) =>
  z.number().int().min(0).max(max).default(byDefault).describe(text).meta({ unit: 'ms' });

export const detectorSection = z
  .strictObject({
    originWaitMs: ms(
      'How long an asynchronous segment waits to learn which client caused it; above the SDK export delay',
      8_000,
    ),
    maxRemembered: z
      .number()
      .int()
      .min(1_000)
      .max(10_000_000)
      .default(100_000)
      .describe('Closed segments with producer spans remembered to answer who caused asynchronous work')
      .meta({ unit: 'segments' }),
    flushMs: ms('Longest wait of a row before it is inserted into ClickHouse', 1_000, 60_000),
    flushSpans: z
      .number()
      .int()
      .min(100)
      .max(100_000)
      .default(20_000)
      .describe('Spans that start an insert before the wait is over')
      .meta({ unit: 'spans' }),
    maxUnstoredBytes: z
      .number()
      .int()
      .min(1_048_576)
      .default(268_435_456)
      .describe(
        'Bytes held while ClickHouse is away; beyond it traces are scored and alerted, not stored, until it is back',
      )
      .meta({ unit: 'bytes' }),
    handOverMs: ms(
      'Rows that a former owner of the partition may still be writing are looked up and stored after this',
      5_000,
      60_000,
    ),
    replayMargin: z
      .number()
      .int()
      .min(0)
      .default(500_000)
      .describe(
        'Records after the last one known as stored whose spans are looked up before they are inserted, after a hand-over',
      )
      .meta({ unit: 'records' }),
  })
  .prefault({});

export type DetectorConfig = z.infer<typeof detectorSection>;
