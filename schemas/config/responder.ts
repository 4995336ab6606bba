/** Configuration of incidents (DETECTION §6). */
import { z } from 'zod';

const ms = (text: string, byDefault: number, max = 86_400_000) =>
  z.number().int().min(0).max(max).default(byDefault).describe(text).meta({ unit: 'ms' });

export const incidentsSection = z
  .strictObject({
    budgetPerDay: z
      .number()
      .min(0)
      .max(10_000)
      .default(5)
      .describe(
        'False alerts a day that chance may cause; sets how small p must be for a soft finding to open an incident. Calibration drift and operators (`incidents expect`, `bad`) move that by at most half a decade a day',
      ),
    softIncidents: z.boolean().default(true).describe('Whether a verdict without a hard finding can open an incident'),
    quietSecurityMs: ms(
      'An incident without a new hit for so long is closed: security, inventory, telemetry (a release: a day)',
      3_600_000,
    ),
    quietOperationalMs: ms('An operational incident without a new hit for so long is closed', 60_000),
    candidateWaitMs: ms(
      'How long a slow node waits for the counts of its seconds, and a call that one lost span would explain for what others lack, before they are judged',
      2_500,
      60_000,
    ),
    stormPerMinute: z
      .number()
      .int()
      .min(2)
      .max(10_000)
      .default(30)
      .describe('More incidents of a class opened in a minute than this become one storm alert that lists them'),
    maxOpen: z
      .number()
      .int()
      .min(100)
      .max(1_000_000)
      .default(10_000)
      .describe('Open incidents kept; beyond it the quietest is closed'),
  })
  .prefault({});

export type IncidentsConfig = z.infer<typeof incidentsSection>;
