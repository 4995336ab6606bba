/** What is made of the keeper's words and operators': alerts, once each, to those who can show them. */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AlertDesk, createAlertDesk, recentDays } from '../../../responder/alert-desk.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { Alert, Delivery, IncidentWord } from '../../../schemas/alerts/incident.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { DAY } from '../responder/verdicts.ts';
import { alertOf, incidentOf } from './incidents.ts';

let alerts: Alert[];
let deliveries: Delivery[];
let desk: AlertDesk;

/** Nothing is posted: what is queued is what counts here. */
function open(settings: object = {}, recent: Parameters<AlertDesk['open']>[0] = []): void {
  alerts = [];
  deliveries = [];
  desk = createAlertDesk(
    {
      ...alertsSection.parse({
        destinations: [
          { name: 'hook', url: 'http://127.0.0.1:9/', secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
          {
            name: 'pager',
            type: 'pagerduty',
            routingKey: '0123456789abcdef0123456789abcdef',
            url: 'http://127.0.0.1:9/',
          },
        ],
        ...settings,
      }),
      database: 'test',
    },
    {
      rows: { alert: (row) => void alerts.push(row), delivery: (row) => void deliveries.push(row) },
      logger: pino({ level: 'silent' }),
      metrics: createMetrics(),
      now: () => DAY,
      random: () => 0,
    },
  );
  desk.open(recent);
}

beforeEach(() => open());
afterEach(() => desk.close(0));

const queued = (): string[] => {
  const types = new Map(alerts.map(({ id, type }) => [id, type]));
  return deliveries.map(({ alertId, destination }) => `${destination} ${types.get(alertId)}`).sort();
};
const word = (fields: Partial<IncidentWord> = {}): IncidentWord => ({
  incidentId: '5c0f0a5b9d1e7a42',
  saidOf: '5c0f0a5b9d1e7a42',
  occurrence: 1,
  action: 'acknowledge',
  by: 'ana',
  comment: '',
  editId: '',
  atMs: DAY,
  takenMs: DAY,
  result: 'taken',
  ...fields,
});

test('an incident is told to all, its end where state is kept; somebody looking at it where that can be shown', () => {
  desk.tell('opened', incidentOf(), '1', DAY, []);
  desk.word(word());
  desk.word(word({ action: 'bad' }));
  desk.word(word({ result: 'unknown', incidentId: 'other' }));
  desk.tell('closed', incidentOf({ state: 'closed' }), '1', DAY + 5, []);
  expect(queued()).toEqual([
    'hook incident.opened',
    'pager incident.acknowledged',
    'pager incident.closed',
    'pager incident.opened',
  ]);
});

test('one that became part of another ends where it is held open, once, however often its row changes', () => {
  desk.tell('opened', incidentOf(), '1', DAY, []);
  const merged = incidentOf({ state: 'merged', mergedInto: '0'.repeat(16), closedMs: DAY + 5 });
  desk.changed(merged);
  desk.changed({ ...merged, revision: 9, traceCount: 40 });
  expect(queued()).toEqual(['hook incident.opened', 'pager incident.closed', 'pager incident.opened']);
  const ends = alerts.filter(({ type }) => type === 'incident.closed');
  expect(ends).toHaveLength(1);
  expect(JSON.parse(ends[0]!.body).data.incident).toMatchObject({ state: 'merged', mergedInto: '0'.repeat(16) });
});

test('who wants to hear of an incident only now hears of it when it has grown so far, once; of a member of a storm nobody does', () => {
  const destinations = [
    { name: 'risky', type: 'slack', url: 'http://127.0.0.1:9/', minRisk: 50 },
    { name: 'all', type: 'slack', url: 'http://127.0.0.1:9/' },
  ];
  open({ destinations });
  const risk = (value: number, fields: object = {}) =>
    incidentOf({ ...fields, story: { ...incidentOf().story, risk: value } });
  desk.tell('opened', risk(0), '1', DAY, []);
  expect(queued()).toEqual(['all incident.opened']);
  for (const value of [10, 49, 50, 90]) desk.changed(risk(value));
  expect(queued()).toEqual(['all incident.opened', 'risky incident.updated']);
  expect(JSON.parse(alerts.at(-1)!.body).data.story.risk).toBe(50);
  desk.changed(risk(90, { id: 'a'.repeat(16) }));
  desk.changed(risk(90, { state: 'closed' }));
  expect(deliveries).toHaveLength(2);
});

test('of what nobody was told no end is made, nor kept', () => {
  desk.tell('closed', incidentOf({ state: 'closed' }), '1', DAY, []);
  desk.changed(incidentOf({ id: 'f'.repeat(16), state: 'merged', closedMs: DAY }));
  desk.word(word());
  expect(alerts).toEqual([]);
  expect(deliveries).toEqual([]);
});

test('after a restart neither what was delivered nor what waits is made anew, and a replay of a dead letter is', () => {
  desk.tell('opened', incidentOf(), '1', DAY, []);
  const [alert] = alerts;
  const row = (destination: string, state: Delivery['state']) => ({
    alert: alert!,
    delivery: { ...deliveries[0]!, destination, state, revision: 3, attempt: 2, nextAttemptMs: DAY + 1e6 },
  });
  open({}, [row('hook', 'dead'), row('pager', 'failed')]);
  desk.tell('opened', incidentOf(), '1', DAY, []);
  expect(deliveries).toEqual([]);
  expect(desk.pending()).toBe(1);
  desk.replay({ alert: alert!, destination: 'hook', revision: 3, attempt: 2, by: 'ana', atMs: DAY });
  desk.replay({ alert: alert!, destination: 'hook', revision: 3, attempt: 2, by: 'ana', atMs: DAY });
  desk.replay({ alert: alertOf('msg_x'), destination: 'gone', revision: 3, attempt: 2, by: 'ana', atMs: DAY });
  expect(deliveries.map(({ destination, state, revision }) => [destination, state, revision])).toEqual([
    ['hook', 'pending', 4],
  ]);
});

test('deliveries are read back for as long as they may still be tried', () => {
  expect(recentDays({ giveUpAfterMs: 86_400_000 })).toBe(3);
  expect(recentDays({ giveUpAfterMs: 604_800_000 })).toBe(9);
});
