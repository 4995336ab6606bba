/** Configuration of the trainer: when versions are published. */
import { z } from 'zod';

export const trainerSection = z
  .strictObject({
    publishEveryMs: z
      .number()
      .int()
      .min(1_000)
      .max(86_400_000)
      .default(60_000)
      .describe('Shortest time between two versions')
      .meta({ unit: 'ms' }),
    publishAtLeastMs: z
      .number()
      .int()
      .min(60_000)
      .max(604_800_000)
      .default(3_600_000)
      .describe('Longest time between two versions while anything is learned')
      .meta({ unit: 'ms' }),
    publishGrowth: z
      .number()
      .min(0.01)
      .max(100)
      .default(0.5)
      .describe('A version is also published when the learned segments have grown by this share since the last'),
    pollMs: z
      .number()
      .int()
      .min(200)
      .max(600_000)
      .default(2_000)
      .describe("How often operators' edits and requests are looked for")
      .meta({ unit: 'ms' }),
    maxQueued: z
      .number()
      .int()
      .min(100)
      .default(50_000)
      .describe('Segments held back while a version is cut; beyond it the partition waits')
      .meta({ unit: 'segments' }),
  })
  .prefault({});

export type TrainerConfig = z.infer<typeof trainerSection>;
