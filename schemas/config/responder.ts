/** Configuration of the responder: incidents (DETECTION §6) and alert destinations (CONVENTIONS "Alerts out"). */
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

const destination = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
    .describe('Name of the destination, in deliveries and metrics'),
  url: z.url({ protocol: /^https?$/ }).describe('Where alerts are posted; redirects are not followed'),
  secret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/=]{24,}$/)
    .describe('Signing secret of Standard Webhooks: whsec_ and base64')
    .meta({ secret: true }),
  classes: z
    .array(z.enum(['security', 'operational', 'telemetry', 'inventory']))
    .default(['security'])
    .describe('Incident classes sent here'),
  digest: z.boolean().default(false).describe('Whether the digest of each day is sent here too'),
});

export const alertsSection = z
  .strictObject({
    destinations: z.array(destination).default([]).describe('Signed webhooks (Standard Webhooks 1.0)'),
    timeoutMs: ms('How long one attempt may take', 15_000, 60_000),
    giveUpAfterMs: ms('After so long without success an alert becomes a dead letter', 86_400_000, 604_800_000),
    maxInFlight: z.number().int().min(1).max(100).default(4).describe('Attempts at once for one destination'),
    traceLink: z
      .string()
      .default('')
      .describe('Link to a trace in your tracing tool, with {traceId}; put into every alert'),
    digestHour: z
      .number()
      .int()
      .min(0)
      .max(23)
      .default(6)
      .describe('Hour (UTC) at which the digest of the day before is sent to destinations that want it'),
    resolve: z.boolean().default(false).describe('Also say when an incident was closed'),
  })
  .prefault({});

export type IncidentsConfig = z.infer<typeof incidentsSection>;
export type AlertsConfig = z.infer<typeof alertsSection>;
export type AlertDestination = z.infer<typeof destination>;
