/** Sends a marked alert to destinations of the configuration, once each, and tells what they answered. */
import { randomBytes } from 'node:crypto';
import { createDestinations } from '../../responder/alerts/destination.ts';
import { createTestAlerts } from '../../responder/alerts/test-alert.ts';
import type { AlertsConfig } from '../../schemas/config/alerts.ts';

export interface TestAnswer {
  readonly destination: string;
  readonly type: string;
  /** `opened`, and `closed` where ends are told: nothing stays open for a test. */
  readonly event: 'opened' | 'closed';
  readonly delivered: boolean;
  readonly httpStatus: number;
  readonly error: string;
  readonly ms: number;
}

/** All at once: one that does not answer delays no other. */
export async function sendTests(config: AlertsConfig, database: string, only?: string): Promise<TestAnswer[]> {
  const chosen = config.destinations.filter(({ name }) => only === undefined || name === only);
  const { opened, closed } = createTestAlerts(Date.now(), randomBytes(8).toString('hex'), {
    traceLink: config.traceLink,
    database,
  });
  const destinations = createDestinations({ ...config, destinations: chosen }, { now: Date.now });
  const answers = await Promise.all(
    destinations.map(async ({ name, resolve, post }, i) => {
      const told: TestAnswer[] = [];
      for (const [event, alert] of [['opened', opened] as const, ['closed', closed] as const]) {
        if (event === 'closed' && (!resolve || told[0]?.delivered !== true)) continue;
        const startMs = performance.now();
        const outcome = await post(alert, new AbortController().signal);
        told.push({
          destination: name,
          type: chosen[i]!.type,
          event,
          delivered: outcome.kind === 'delivered',
          httpStatus: outcome.httpStatus,
          error: outcome.kind === 'delivered' ? '' : outcome.error,
          ms: Math.round(performance.now() - startMs),
        });
      }
      return told;
    }),
  );
  return answers.flat();
}
