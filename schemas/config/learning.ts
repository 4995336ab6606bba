/** Configuration of learning and of what a version claims (DETECTION §5–§7). */
import { z } from 'zod';

export const LEARNING_PROFILES = ['production', 'demo', 'export'] as const;

const optionalCount = (text: string) => z.number().int().min(1).optional().describe(text);

/** `SERVICE /path/{id}`: the level whose segments are meant. */
const levels = (text: string) =>
  z
    .array(z.string().regex(/^\S.* \/(?:[^/\s]+\/)*\{id\}$/, "must be as 'catalog /items/{id}'"))
    .default([])
    .describe(text);

export const learningSection = z
  .strictObject({
    profile: z
      .enum(LEARNING_PROFILES)
      .default('production')
      .describe('Numbers of learning: production, demo (a small system, minutes) or export (a file)'),
    alpha: z
      .number()
      .gt(0)
      .max(0.1)
      .default(1e-3)
      .describe('A trace is anomalous at p ≤ alpha; also the rate at which match thresholds are learned'),
    spanMs: z
      .number()
      .int()
      .min(10_000)
      .max(90 * 86_400_000)
      .optional()
      .describe('Expected learning span before the first alerts; a time bucket is a hundredth of it, 5 s to 1 h')
      .meta({ unit: 'ms' }),
    windowMs: z
      .number()
      .int()
      .min(60_000)
      .default(14 * 86_400_000)
      .describe('Learned blocks older than this leave the next version; profile export keeps all')
      .meta({ unit: 'ms' }),
    minSegments: optionalCount('Segments learned before alerting can start').meta({ unit: 'segments' }),
    minBuckets: optionalCount('Time buckets with traffic before alerting can start').meta({ unit: 'buckets' }),
    minClients: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe('Distinct known clients before alerting can start')
      .meta({ unit: 'clients' }),
    maxObserved: z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe('Largest share of traffic still in state observe when alerting starts'),
    calibrationSegments: z
      .number()
      .int()
      .min(100)
      .max(1_000_000)
      .default(30_000)
      .describe('Segments kept, over all blocks, to calibrate a version')
      .meta({ unit: 'segments' }),
    calibrationBytes: z
      .number()
      .int()
      .min(1_048_576)
      .default(402_653_184)
      .describe('Memory for the segments kept to calibrate a version')
      .meta({ unit: 'bytes' }),
    folds: z
      .number()
      .int()
      .min(2)
      .max(32)
      .default(16)
      .describe(
        'Runs of blocks left out in turn when a version is calibrated: more come closer to the version, and take longer',
      ),
    sensitiveTables: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Table names (a * stands for anything) whose new statements no learning admits after the first version',
      ),
    pathTemplates: z
      .strictObject({
        pin: levels('Levels of paths that are identifiers, however few were seen, as `catalog /items/{id}`'),
        split: levels('Levels of paths that are names of operations, however many; one collapsed already stays so'),
      })
      .prefault({}),
    seed: z.number().int().min(0).default(1).describe('Seed of the choice of calibration segments'),
  })
  .prefault({});

export type LearningConfig = z.infer<typeof learningSection>;
