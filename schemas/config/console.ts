/** Configuration of the console: the HTTP API of analysts and operators. */
import { z } from 'zod';

export const consoleSection = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('Address of the console’s API; beyond loopback `console.token` must be set, and TLS be in front'),
    port: z.number().int().min(0).max(65_535).default(9_465).describe('Port of the API; 0 = any free one'),
    token: z
      .string()
      .regex(
        /^(?:[A-Za-z0-9._~+/=-]{16,512})?$/,
        'has at least 16 characters, and none but letters, digits and ._~+/=-',
      )
      .default('')
      .describe('Bearer token that every request must carry; empty = a random one for each start, kept in a file')
      .meta({ secret: true }),
    hosts: z
      .array(z.string().min(1))
      .default([])
      .describe('Further names under which browsers and clients reach it, with port where it is not the usual one'),
    directory: z
      .string()
      .min(1)
      .default('spanwarden-data/console')
      .describe('Where address and token are kept for the commands of the same user, readable by nobody else'),
    previewRequests: z
      .number()
      .int()
      .min(0)
      .max(200_000)
      .default(5_000)
      .describe('Requests of the last day that are judged again to show what an edit would have changed; 0 = none'),
  })
  .prefault({});

export type ConsoleConfig = z.infer<typeof consoleSection>;
