/**
 * Configuration of response: which incidents become decisions, what may never be decided, and who may ask for decisions.
 * Off until switched on; simulate first (docs/response.md).
 */
import { z } from 'zod';
import { DECISION_SCOPES, DECISION_TARGETS } from '../alerts/decision.ts';
import { STAGES } from '../log/kill-chain.ts';
import { FINDING_KINDS } from '../log/verdict.ts';
import { isRange } from './ranges.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const cidrs = (text: string) =>
  z
    .array(z.string().max(64).refine(isRange, 'must be an address or a range like 198.51.100.0/24'))
    .default([])
    .describe(text);

/** `POST /checkout`, `* /admin/**`: what requests are matched with, not what spans are called. */
const operation = z
  .string()
  .max(512)
  .regex(
    /^(?:[A-Z]{1,32}|\*) \/[^\s?#]*$/,
    'must be a method (or *) and a path: POST /checkout, GET /orders/{id}, * /admin/**',
  );

const rule = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
      .describe('Name of the rule; a decision’s reason names it'),
    classes: z
      .array(z.enum(['security', 'operational', 'telemetry', 'inventory']))
      .default(['security'])
      .describe('Classes of incidents it is for'),
    kinds: z.array(z.enum(FINDING_KINDS)).default([]).describe('Kinds of incidents it is for; empty = any'),
    hard: z
      .boolean()
      .default(true)
      .describe('Only incidents that are near-certain by their kind, or abuse over many requests'),
    minStage: z
      .enum(['', ...STAGES])
      .default('')
      .describe('Stage of the kill chain that was reached at least; empty = any'),
    minRisk: z.number().min(0).max(100).default(0).describe('Risk of the actor, at least'),
    minConfidence: z
      .enum(['medium', 'high'])
      .default('high')
      .describe('How sure the client’s address has to be; low and none are never decided about'),
    scope: z
      .enum(DECISION_SCOPES)
      .default('ip')
      .describe('What is decided about: the address, the network an attack was spread over, the user'),
    target: z
      .enum(DECISION_TARGETS)
      .default('reduced-rights')
      .describe('everything: banned; operations: only those named; reduced-rights: requests go on, marked with a risk'),
    operations: z
      .array(operation)
      .max(256)
      .default([])
      .describe('For target `operations`: `POST /checkout`, `GET /orders/{id}`, `* /admin/**`'),
    type: z.enum(['ban', 'captcha']).default('ban').describe('What CrowdSec bouncers are told to do'),
    durationMs: z
      .number()
      .int()
      .min(MINUTE_MS)
      .max(30 * DAY_MS)
      .default(HOUR_MS)
      .describe('How long it is in force, at most `response.maxDurationMs`')
      .meta({ unit: 'ms' }),
  })
  .refine(({ target, operations }) => (target === 'operations') === operations.length > 0, {
    path: ['operations'],
    message: 'are named exactly where the target is `operations`',
  });

/** Certain attacks that got through are banned for some hours; abuse over many requests goes on with reduced rights. */
export const DEFAULT_RULES: readonly z.input<typeof rule>[] = [
  {
    name: 'exploited',
    minStage: 'exploitation',
    minRisk: 70,
    scope: 'ip',
    target: 'everything',
    durationMs: 4 * HOUR_MS,
  },
  { name: 'abused', kinds: ['actor'], minRisk: 40, scope: 'ip', target: 'reduced-rights', durationMs: HOUR_MS },
  {
    name: 'abused-by-user',
    kinds: ['actor'],
    minRisk: 40,
    scope: 'user',
    target: 'reduced-rights',
    durationMs: HOUR_MS,
  },
];

const key = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
    .describe('Who has it, in metrics'),
  key: z
    .string()
    .regex(/^[A-Za-z0-9._~+/-]{16,512}$/, 'has at least 16 characters, and none but letters, digits and ._~+/-')
    .describe('The key, sent as X-Api-Key')
    .meta({ secret: true }),
  uses: z
    .array(z.enum(['bouncer', 'check', 'feed']))
    .default(['bouncer', 'check', 'feed'])
    .describe('What it is good for'),
});

export const responseSection = z
  .strictObject({
    mode: z
      .enum(['off', 'simulate', 'enforce'])
      .default('off')
      .describe(
        'simulate: decisions are made, counted and shown, and enforce nothing; enforce: they are handed out too',
      ),
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('Address at which bouncers, gateways and firewalls ask; beyond loopback put TLS in front'),
    port: z.number().int().min(0).max(65_535).default(9_466).describe('Its port; 0 = any free one'),
    keys: z.array(key).max(256).default([]).describe('Who may ask: without a key nothing is answered'),
    rules: z
      .array(rule)
      .max(256)
      .default(() => DEFAULT_RULES.map((one) => rule.parse(one)))
      .describe('Which incidents become which decisions; of several about the same the first counts'),
    allow: cidrs('Addresses and ranges that are never decided about'),
    allowUsers: z
      .array(z.string().min(1).max(256))
      .max(10_000)
      .default([])
      .describe('Users that are never decided about'),
    ownInfrastructure: cidrs(
      'Addresses and ranges of your own: gateways, NAT, monitoring, offices. Trusted proxies, loopback, link-local and private ones need not be named',
    ),
    allowPrivate: z
      .boolean()
      .default(false)
      .describe('Whether a private address may be decided about, where clients of yours have such'),
    maxUsersPerAddress: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(5)
      .describe('An address or range shared by more users than this is never decided about'),
    unnamedUsers: z
      .enum(['auto', 'unknown', 'single'])
      .default('auto')
      .describe(
        'How many people share an address behind which no user was named. auto: few where the service it asks names its users in spans, else not known; unknown: not known; single: one. Not known is not decided about',
      ),
    maxDecisionsPerHour: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(20)
      .describe('More decisions than this in an hour of the log are refused'),
    maxDurationMs: z
      .number()
      .int()
      .min(MINUTE_MS)
      .max(30 * DAY_MS)
      .default(DAY_MS)
      .describe('No decision is in force longer')
      .meta({ unit: 'ms' }),
    factsWaitMs: z
      .number()
      .int()
      .min(0)
      .max(600_000)
      .default(10_000)
      .describe('How long a decision waits until it is known how many users share the address; then it is refused')
      .meta({ unit: 'ms' }),
    userHeader: z
      .string()
      .regex(/^[a-z0-9!#$%&'*+.^_`|~-]{0,128}$/, 'is a header’s name in lower case')
      .default('')
      .describe(
        'Header in which the gateway tells who the user is, for checks; empty = none. The gateway must overwrite what clients send',
      ),
    pollMs: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(3_000)
      .describe('How often a process that does not own the findings reads the decisions of the one that does')
      .meta({ unit: 'ms' }),
  })
  .prefault({});

export type ResponseConfig = z.infer<typeof responseSection>;
export type ResponseRule = z.infer<typeof rule>;
export type ResponseKey = z.infer<typeof key>;
