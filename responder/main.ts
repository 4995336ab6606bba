/** Builds the responder on the platform of a process. */
import { createStore } from '../runtime/clickhouse/store.ts';
import type { Platform } from '../runtime/platform.ts';
import { createRedactor } from '../traces/redaction/redactor.ts';
import { redactVerdict } from '../traces/redaction/verdict.ts';
import { recentDays } from './alert-desk.ts';
import { createResponder, type Responder, type ResponderDeps } from './service.ts';

const SNAPSHOT = 'responder';

export function createResponderRole(
  { config, log, clickhouse, logger, metrics }: Platform,
  deps: Pick<ResponderDeps, 'createCollective'>,
): Responder {
  const redactor = createRedactor(config.redaction);
  const store = createStore(clickhouse, {
    redactor,
    redactVerdict: (verdict) => redactVerdict(redactor, verdict),
    now: Date.now,
  });
  return createResponder(
    {
      incidents: config.incidents,
      sensitiveTables: config.learning.sensitiveTables,
      alerts: config.alerts,
      database: clickhouse.database,
    },
    {
      log,
      store: {
        ...store,
        recentDeliveries: () => store.recentDeliveries(recentDays(config.alerts)),
        saveSnapshot: (nextOffset, state) => store.saveSnapshot(SNAPSHOT, { nextOffset, state }),
        loadSnapshot: () => store.loadSnapshot(SNAPSHOT),
      },
      createCollective: deps.createCollective,
      logger: logger.child({ role: 'responder' }),
      metrics,
      now: Date.now,
      random: Math.random,
    },
  );
}
