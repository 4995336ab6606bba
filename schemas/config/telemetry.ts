/** Configuration of what a role says about itself. */
import { z } from 'zod';

export const telemetrySection = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('Log lines of this level and above go to stderr'),
    stopDeadlineMs: z
      .number()
      .int()
      .min(0)
      .max(600_000)
      .default(15_000)
      .describe('Time to finish what is in flight after SIGTERM; what is left is replayed at the next start')
      .meta({ unit: 'ms' }),
  })
  .prefault({});

export type TelemetryConfig = z.infer<typeof telemetrySection>;
