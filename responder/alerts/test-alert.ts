/** An alert that says of itself that nothing happened: `spanwarden alerts test`. */

import type { Alert } from '../../schemas/alerts/incident.ts';
import { type Incident, NO_STORY } from '../../schemas/alerts/incident.ts';
import type { AlertBody } from './alert-body.ts';
import { type AlertContext, createAlert } from './body.ts';

const TITLE = 'TEST: Spanwarden can reach this destination. Nothing happened';

/** Its opening, and its end: what shows open incidents shall not keep it. `unique`: 16 hexadecimal characters. */
export function createTestAlerts(
  atMs: number,
  unique: string,
  context: AlertContext,
): { readonly opened: Alert; readonly closed: Alert } {
  const incident: Incident = {
    id: unique,
    revision: 1,
    state: 'open',
    mergedInto: '',
    class: 'security',
    kind: 'statement',
    explanationKey: 'a test',
    entity: 'spanwarden test',
    service: 'spanwarden',
    operation: 'alerts test',
    title: TITLE,
    matchText: 'This is what an alert looks like: a sentence that says what was expected and what was seen.',
    severity: 0,
    p: 1,
    client: {
      address: '192.0.2.1', // documentation (RFC 5737)
      source: 'peer',
      confidence: 'high',
      reason: '',
      hops: [],
      entrySpanId: '0'.repeat(16),
      entryTraceId: '0'.repeat(32),
      user: null,
      session: null,
    },
    clients: ['192.0.2.1'],
    users: [],
    services: ['spanwarden'],
    startMs: atMs,
    endMs: atMs,
    openedMs: atMs,
    closedMs: 0,
    traceCount: 0,
    traceIds: [],
    occurrences: 1,
    version: 'test',
    release: '',
    hard: false,
    findings: [
      {
        kind: 'statement',
        explanationKey: 'a test',
        group: 'parameters',
        hard: false,
        service: 'spanwarden',
        operation: 'alerts test',
        parameter: '',
        expected: 'this test',
        seen: 'this test',
        severity: 0,
        count: 1,
      },
    ],
    story: NO_STORY,
  };
  const opened = createAlert('opened', incident, 'test', [], atMs, context);
  const closed = createAlert('closed', { ...incident, state: 'closed', closedMs: atMs }, 'test', [], atMs, context);
  return { opened: marked(opened), closed: marked(closed) };
}

function marked(alert: Alert): Alert {
  const body = JSON.parse(alert.body) as AlertBody;
  return {
    ...alert,
    body: JSON.stringify({ ...body, data: { ...body.data, test: true } satisfies AlertBody['data'] }),
  };
}
