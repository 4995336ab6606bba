/** Configuration of actors: what requests say about who made them, and how that is counted over many of them. */
import { z } from 'zod';

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

export const actorsSection = z
  .strictObject({
    login: loginSection,
    objects: objectsSection,
  })
  .prefault({});

export type ActorsConfig = z.infer<typeof actorsSection>;
