/** Builds the responder on the platform of a process. */
import { createStore } from '../runtime/clickhouse/store.ts';
import { insertActors } from '../runtime/clickhouse/stored-actors.ts';
import { countMatched, insertDecisions, readDecisions } from '../runtime/clickhouse/stored-decisions.ts';
import { insertManifest, readManifests, removeStatesBefore } from '../runtime/clickhouse/stored-manifests.ts';
import type { Platform } from '../runtime/platform.ts';
import type { Decision } from '../schemas/alerts/decision.ts';
import { unsaidForwarding } from '../schemas/config/attribution.ts';
import { createRedactor } from '../traces/redaction/redactor.ts';
import { redactVerdict } from '../traces/redaction/verdict.ts';
import { createActorsService } from './actor-events.ts';
import { actorsConfigOf } from './actors-config.ts';
import { recentDays } from './alert-desk.ts';
import { createCounting } from './decisions/counting.ts';
import { createResponse } from './decisions/response.ts';
import { createResponder, type Responder, type ResponderDeps } from './service.ts';
import { withActors } from './with-actors.ts';

const SNAPSHOT = 'responder';
const ACTORS = 'actors';
const SERVED: readonly Decision['state'][] = ['enforced', 'undone', 'expired'];
const MOST_SERVED = 100_000;
/** A count under way at a stop may end within this. */
const MAX_COUNTING_MS = 500;

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
  const child = logger.child({ role: 'responder' });
  const response = createResponse(config, {
    decisionsEndingAfter: (sinceMs) =>
      readDecisions(clickhouse, { states: SERVED, endingAfterMs: sinceMs, limit: MOST_SERVED }),
    redactUser: (user) => redactor.user(user) ?? '',
    logger: child,
    metrics,
    now: Date.now,
  });
  const counting = createCounting({
    insert: (rows) => insertDecisions(clickhouse, rows),
    count: (decision) => countMatched(clickhouse, decision, Date.now()),
    logger: child,
  });
  if (config.response.mode === 'simulate')
    for (const path of unsaidForwarding(config.attribution))
      child.warn(
        { setting: path.join('.') },
        'with auto any client keeps itself from being decided about by one more header: name the one that your proxies append to',
      );
  const actors = createActorsService(actorsConfigOf(config), {
    log,
    store: {
      insertActors: (rows) => insertActors(clickhouse, rows),
      saveManifest: (manifest) => insertManifest(clickhouse, manifest),
      loadManifests: () => readManifests(clickhouse),
      saveParts: (parts) => store.saveSnapshotParts(ACTORS, parts),
      loadParts: (names) => store.loadSnapshotParts(ACTORS, names),
      removeBefore: (generation) => removeStatesBefore(clickhouse, ACTORS, generation),
    },
    logger: logger.child({ role: 'actors' }),
    metrics,
    now: Date.now,
  });
  const responder = createResponder(
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
        insertDecisions: counting.insert,
      },
      response,
      createCollective: deps.createCollective,
      logger: child,
      metrics,
      now: Date.now,
      random: Math.random,
      look: (text) => redactor.look(text),
    },
  );
  return withActors(
    {
      ...responder,
      async stop(deadlineMs) {
        await responder.stop(deadlineMs);
        await counting.stop(MAX_COUNTING_MS);
      },
    },
    actors,
  );
}
