/** Configuration of alerts: where they are told, of what, and how (CONVENTIONS "Alerts out"). */
import { z } from 'zod';
import { STAGES } from '../log/kill-chain.ts';
import { FINDING_KINDS } from '../log/verdict.ts';

const ms = (text: string, byDefault: number, max = 86_400_000) =>
  z.number().int().min(0).max(max).default(byDefault).describe(text).meta({ unit: 'ms' });

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
  .describe('Name of the destination, in deliveries and metrics');

const url = z.url({ protocol: /^https?$/ });

/** Standard Webhooks: the key is at least 24 bytes, which are 32 characters of base64; shorter ones of before still work. */
const oneSecret = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/=]{24,}$/)
  .meta({ secret: true });
const secrets = z
  .union([oneSecret, z.array(oneSecret).min(1).max(4)])
  .describe('Signing secret of Standard Webhooks: whsec_ and base64; while one is replaced a list, the new one first')
  .meta({ secret: true });

/** Headers that are ours or the connection's. */
const OUR_HEADER = /^(content-(type|length)|host|connection|transfer-encoding|expect|upgrade|webhook-.*)$/i;

const headers = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/)
      .refine((header) => !OUR_HEADER.test(header), 'this header is set by Spanwarden'),
    z
      .string()
      .max(8_192)
      .regex(/^[\t\x20-\x7e\x80-\xff]*$/)
      .meta({ secret: true }),
  )
  .default({})
  .describe('Further request headers, such as authorization; never logged')
  .meta({ secret: true });

const labels = z
  .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/), z.string().min(1).max(1_024))
  .default({})
  .describe('Further labels of every alert, for routing');

/** What a destination is told of: all of these must hold. */
const wants = {
  classes: z
    .array(z.enum(['security', 'operational', 'telemetry', 'inventory']))
    .default(['security'])
    .describe('Incident classes sent here'),
  kinds: z
    .array(z.enum([...FINDING_KINDS, 'release']))
    .default([])
    .describe('Incident kinds sent here; empty: all'),
  services: z
    .array(z.string().min(1).max(256))
    .default([])
    .describe('Services of which one must have to do with it; `pay*` begins so; empty: all'),
  minSeverity: z.number().min(0).default(0).describe('Only incidents at least so severe'),
  minStage: z.enum(STAGES).optional().describe('Only incidents that got so far in the kill chain; without it, all'),
  minRisk: z.number().min(0).max(100).default(0).describe('Only incidents whose actor has at least this risk'),
};

const resolve = (byDefault: string) =>
  z.boolean().optional().describe(`Also say when an incident was closed (default: ${byDefault})`);
const digest = z.boolean().default(false).describe('Whether the digest of each day is sent here too');

const webhook = z.strictObject({
  type: z.literal('webhook').default('webhook').describe('Signed webhook (Standard Webhooks 1.0)'),
  name,
  url: url.describe('Where alerts are posted; redirects are not followed'),
  secret: secrets,
  headers,
  ...wants,
  resolve: resolve('alerts.resolve'),
  digest,
});

const alertmanager = z.strictObject({
  type: z.literal('alertmanager').describe('Prometheus Alertmanager, API v2'),
  name,
  url: url.describe('Its address; /api/v2/alerts is added'),
  headers,
  labels,
  holdMs: z
    .number()
    .int()
    .min(60_000)
    .max(2_592_000_000)
    .default(86_400_000)
    .describe('It takes an open incident for resolved after so long without news of it')
    .meta({ unit: 'ms' }),
  ...wants,
  resolve: resolve('true'),
});

const alertmanagerWebhook = z.strictObject({
  type: z.literal('alertmanager-webhook').describe("What Alertmanager's own webhook receivers are sent (version 4)"),
  name,
  url: url.describe('Where it is posted; redirects are not followed'),
  secret: secrets.optional(),
  headers,
  labels,
  ...wants,
  resolve: resolve('true'),
});

const pagerduty = z.strictObject({
  type: z.literal('pagerduty').describe('PagerDuty Events API v2'),
  name,
  url: url
    .default('https://events.pagerduty.com/v2/enqueue')
    .describe('Of the EU region https://events.eu.pagerduty.com/v2/enqueue'),
  routingKey: z
    .string()
    .regex(/^[A-Za-z0-9]{32}$/)
    .describe('Integration key of the service')
    .meta({ secret: true }),
  ...wants,
  resolve: resolve('true'),
});

const slack = z.strictObject({
  type: z.literal('slack').describe('Slack incoming webhook'),
  name,
  url: url.describe('The webhook, whole; whoever has it can post').meta({ secret: true }),
  ...wants,
  resolve: resolve('alerts.resolve'),
  digest,
});

const destination = z.discriminatedUnion('type', [webhook, alertmanager, alertmanagerWebhook, pagerduty, slack]);

export const alertsSection = z
  .strictObject({
    destinations: z
      .array(destination)
      .default([])
      .refine(
        (all) => new Set(all.map((one) => one.name)).size === all.length,
        'two destinations have the same name: deliveries are kept by it',
      )
      .describe('Where alerts are told: signed webhooks, Alertmanager, PagerDuty, Slack (docs/alerts.md)'),
    timeoutMs: ms('How long one attempt may take', 15_000, 60_000),
    giveUpAfterMs: ms('After so long without success an alert becomes a dead letter', 86_400_000, 604_800_000),
    maxInFlight: z.number().int().min(1).max(100).default(4).describe('Attempts at once for one destination'),
    privateTargets: z
      .boolean()
      .default(true)
      .describe(
        'Whether destinations may be private or loopback addresses; link-local and metadata addresses never may',
      ),
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

export type AlertsConfig = z.infer<typeof alertsSection>;
export type AlertDestination = z.infer<typeof destination>;
export type DestinationOf<T extends AlertDestination['type']> = Extract<AlertDestination, { readonly type: T }>;
