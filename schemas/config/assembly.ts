/** Configuration of segment assembly (ARCHITECTURE decision 5). */
import { z } from 'zod';

const ms = (text: string, byDefault: number, max = 3_600_000) =>
  z.number().int().min(0).max(max).default(byDefault).describe(text).meta({ unit: 'ms' });

export const assemblySection = z
  .strictObject({
    graceMs: ms('Wait after the end of the entry span before its segment is closed', 2_000),
    absenceGraceMs: ms('Wait before a missing span counts as evidence; above the SDK export delay', 12_000),
    idleMs: ms('Close a segment that got no span for so long', 10_000),
    maxAgeMs: ms('Close a segment this old whatever comes', 60_000),
    lateMs: ms('Keep a closed segment for late spans this long', 60_000),
    maxSpansPerSegment: z
      .number()
      .int()
      .min(10)
      .max(1_000_000)
      .default(5_000)
      .describe('Spans kept of one segment; further ones are judged one by one')
      .meta({ unit: 'spans' }),
    maxSegmentsPerTrace: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(500)
      .describe('Segments of one trace id; more is a finding: trace id reused')
      .meta({ unit: 'segments' }),
    maxOpenBytes: z
      .number()
      .int()
      .min(1_048_576)
      .default(1_073_741_824)
      .describe('Memory for open and recently closed segments; beyond it the oldest are closed early')
      .meta({ unit: 'bytes' }),
  })
  .prefault({});

export type AssemblyConfig = z.infer<typeof assemblySection>;
