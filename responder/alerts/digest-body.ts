/** The digest of a day as it is sent: what was odd but opened no incident, and the budget it stayed under. */
import { createHash } from 'node:crypto';
import type { BudgetState } from '../../schemas/alerts/budget.ts';
import type { DayDigest } from '../../schemas/alerts/digest.ts';
import type { Alert } from '../../schemas/alerts/incident.ts';
import type { AlertContext } from './body.ts';
import { createWords, iso } from './words.ts';

/** Novelties listed; the others are in ClickHouse. */
const MAX_LISTED = 50;

/** One a day: the id is the day's. `atMs`: when it was due. */
export function createDigestAlert(digest: DayDigest, budget: BudgetState, atMs: number, context: AlertContext): Alert {
  const { day, entries, leftOut } = digest;
  const { name, value, sentence } = createWords(context.look);
  const requests = entries.reduce((sum, { count }) => sum + count, 0);
  const body = {
    type: 'digest',
    timestamp: iso(atMs),
    data: {
      title: `${entries.length} novelties of ${day} stayed under the threshold (${requests} requests)`,
      digest: {
        day,
        leftOut: leftOut + Math.max(0, entries.length - MAX_LISTED),
        entries: entries.slice(0, MAX_LISTED).map((entry) => ({
          kind: entry.kind,
          class: entry.class,
          explanation: value(entry.explanationKey),
          service: name(entry.service),
          operation: name(entry.operation),
          count: entry.count,
          clients: entry.clients,
          p: entry.p,
          severity: entry.severity,
          expected: value(entry.expected),
          seen: value(entry.seen),
          why: sentence(entry.matchText),
          trace: { id: entry.traceId, link: context.traceLink.replaceAll('{traceId}', entry.traceId) },
          start: iso(entry.firstMs),
          end: iso(entry.lastMs),
        })),
      },
      budget: {
        targetPerDay: budget.targetPerDay,
        expectedPerDay: budget.expectedLastDay,
        threshold: budget.threshold,
        calibration: budget.drift,
      },
      sql: `SELECT * FROM ${context.database}.digest_latest WHERE day = '${day}' ORDER BY rank`,
    },
  };
  return {
    id: `msg_${createHash('sha256').update(`digest\u0000${day}`).digest('hex').slice(0, 32)}`,
    type: 'digest',
    incidentId: '',
    createdMs: atMs,
    body: JSON.stringify(body),
  };
}
