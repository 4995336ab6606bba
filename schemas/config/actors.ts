/** Configuration of actors: what requests say about who made them, and how that is counted over many of them. */
import { z } from 'zod';
import { isRange } from './ranges.ts';

const names = (text: string, byDefault: readonly string[]) =>
  z
    .array(z.string().min(1).max(200))
    .default([...byDefault])
    .describe(text);

/** Last segments of a path, or an RPC method; without a method POST, PUT and PATCH are meant. `-`, `_` and case do not count. */
export const LOGIN_OPERATIONS = [
  'login',
  'log-in',
  'logon',
  'signin',
  'sign-in',
  'wp-login',
  'authenticate',
  'sessions',
  'token',
  'auth/password',
] as const;

/** Names of a parameter, whole or after its last dot or bracket. */
export const ACCOUNT_PARAMETERS = [
  'username',
  'user',
  'user-name',
  'email',
  'e-mail',
  'email-address',
  'login',
  'account',
  'account-name',
  'identifier',
  'principal',
] as const;

/** Words that end the name of a parameter which names a thing: `orderId`, `order_ref`, `id`. */
export const OBJECT_PARAMETERS = ['id', 'ids', 'uuid', 'guid', 'number', 'key', 'ref', 'reference'] as const;

/** Names that end so and name no thing of the application. */
export const NO_OBJECTS = [
  'request-id',
  'trace-id',
  'span-id',
  'correlation-id',
  'transaction-id',
  'idempotency-key',
  'client-id',
  'device-id',
  'visitor-id',
  'partition-key',
  'cache-key',
  'sort-key',
  'public-key',
  'page-number',
] as const;

const loginSection = z
  .strictObject({
    operations: names(
      'Entry operations that are attempts to sign in: last path segments or an RPC method, a method before them where it matters (`GET saml/acs`)',
      LOGIN_OPERATIONS,
    ),
    accountParameters: names(
      'Query, body, header and RPC parameters that name the account; else `user.name`, `user.email`, `user.id` or `enduser.id` of any span',
      ACCOUNT_PARAMETERS,
    ),
  })
  .prefault({});

const objectsSection = z
  .strictObject({
    parameters: names(
      'Words that end the name of a query, body or RPC parameter which names a thing; parts of a path that differ always do',
      OBJECT_PARAMETERS,
    ),
    ignore: names('Names that end so and name no thing of the application', NO_OBJECTS),
  })
  .prefault({});

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ms = (text: string, min: number, max: number) =>
  z.number().int().min(min).max(max).describe(text).meta({ unit: 'ms' });
const most = (text: string, byDefault: number, min: number, max: number) =>
  z.number().int().min(min).max(max).default(byDefault).describe(text);

export const actorsSection = z
  .strictObject({
    budgetPerDay: z
      .number()
      .min(0.001)
      .max(1_000)
      .default(1)
      .describe(
        'Actors a day that chance may accuse. Apart from incidents.budgetPerDay, which is about single requests: what both allow adds up',
      ),
    learnMs: ms(
      'From the first event on nobody is accused for so long, and what somebody does is usual with them; by default a day, 90 s in learning.profile demo, nothing in profile export',
      0,
      30 * DAY_MS,
    ).optional(),
    privilegedRoutes: z
      .array(z.string().min(1).max(300))
      .max(200)
      .default([])
      .describe(
        'Operations that few may use, as `GET /admin/*` or `/admin/*` (* stands for anything): a first successful use by somebody else is told. Those that a tiny group uses are learned besides',
      ),
    clientRanges: z
      .array(z.string().refine(isRange, 'must be an address or a range like 10.0.0.0/8'))
      .max(1_000)
      .default([])
      .describe('Private ranges whose addresses are clients of their own, such as an office network'),
    quietMs: ms(
      'An alarm without new evidence for so long is over; what comes then is a new one',
      60_000,
      7 * DAY_MS,
    ).default(HOUR_MS),
    addressHalfLifeMs: ms('Risk of an address is halved in so long', 60_000, 30 * DAY_MS).default(6 * HOUR_MS),
    userHalfLifeMs: ms('Risk of a user is halved in so long', 60_000, 90 * DAY_MS).default(3 * DAY_MS),
    maxClients: most(
      'Clients known, some 90 bytes each; those unseen for longest give way',
      1_000_000,
      1_000,
      20_000_000,
    ).meta({ unit: 'clients' }),
    maxUsers: most('Users known, some 90 bytes each', 1_000_000, 1_000, 20_000_000).meta({ unit: 'users' }),
    maxFull: most(
      'Actors with signals, some 3 KB each, 4 KB with all an actor can have; the weakest give way',
      20_000,
      100,
      1_000_000,
    ).meta({
      unit: 'actors',
    }),
    maxObjects: most('Objects whose first user is remembered, 9 bytes each', 1_048_576, 1_024, 268_435_456).meta({
      unit: 'objects',
    }),
    maxRecent: most(
      'Parts of events remembered, so that each counts once however often a replay says it; 12 bytes each',
      262_144,
      1_024,
      67_108_864,
    ).meta({ unit: 'parts' }),
    login: loginSection,
    objects: objectsSection,
  })
  .prefault({});

export type ActorsConfig = z.infer<typeof actorsSection>;
