/** Configuration of reading spans: the caps that keep hostile or careless telemetry from growing our tables. */
import { z } from 'zod';

const count = (text: string, byDefault: number, max: number, unit: string) =>
  z.number().int().min(1).max(max).default(byDefault).describe(text).meta({ unit });

export const readingSection = z
  .strictObject({
    maxValueBytes: count('A longer parameter value is cut for scoring', 4_096, 1_048_576, 'bytes'),
    maxParametersPerSpan: count('Parameters read of one span; further ones are counted', 64, 4_096, 'parameters'),
    maxParameterNames: count('Distinct parameter names; later ones share <overflow>', 20_000, 1_000_000, 'names'),
    maxOperationsPerService: count(
      'Distinct operations of a service; later ones share <overflow>',
      2_000,
      100_000,
      'operations',
    ),
    maxTexts: count('Distinct service, operation and parameter names held', 500_000, 10_000_000, 'texts'),
    maxLabels: count('Distinct calls (service, kind, operation, peer system) held', 200_000, 10_000_000, 'labels'),
  })
  .prefault({});

export type ReadingConfig = z.infer<typeof readingSection>;
