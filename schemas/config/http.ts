/** Configuration of a role's own HTTP server: metrics, health, readiness. */
import { z } from 'zod';

export const httpSection = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('Address to listen on; nothing but loopback unless you say so, as there is no password'),
    port: z
      .number()
      .int()
      .min(0)
      .max(65_535)
      .default(9_464)
      .describe('Port of `/metrics`, `/healthz` and `/readyz`; 0 = any free one'),
  })
  .prefault({});

export type HttpConfig = z.infer<typeof httpSection>;
