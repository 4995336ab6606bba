/**
 * Secrets in what is told: planted ones under each mode of redaction, and the destinations' own, in every body, row, dead letter and
 * log line. Receivers refuse, and repeat what they were sent.
 */
import { Writable } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { createResponder, type Responder } from '../../../responder/service.ts';
import { createMemoryLog } from '../../../runtime/log/memory.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import { incidentsSection } from '../../../schemas/config/responder.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { redactVerdict } from '../../../traces/redaction/verdict.ts';
import { clientOf, findingOf, verdictOf } from '../../unit/responder/verdicts.ts';
import { until } from '../roles/running.ts';
import { createMemoryStore } from './memory-store.ts';
import { startReceiver } from './receivers.ts';

const PASSWORD = 'hunter2-planted';
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXRoYXQtaXMtcGxhbnRlZA';
const CARD = '4111111111111111';
const SESSION = 'session-planted-0123456789';
const PLANTED = [PASSWORD, TOKEN, CARD, SESSION];

const OWN = {
  webhook: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  old: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
  header: 'Bearer the-token-of-the-receiver',
  key: '0123456789abcdef0123456789ABCDEF',
  path: '/services/T00/B00/slacks-own-secret',
};

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const verdict = {
  ...verdictOf({
    findings: [
      findingOf({ parameter: 'password', seen: PASSWORD, explanationKey: `GET /search · password=${PASSWORD}` }),
      findingOf({ kind: 'parameter', parameter: 'q', seen: `a value like ${TOKEN}`, expected: `card ${CARD}` }),
      findingOf({ kind: 'egress', operation: `GET /reset/${TOKEN}`, seen: `?api_key=${PASSWORD}`, parameter: '' }),
    ],
  }),
  client: { ...clientOf('203.0.113.7'), user: TOKEN, session: SESSION },
};
const withText = { ...verdict, match: { ...verdict.match!, text: `similarity 0.50, password=${PASSWORD}, ${TOKEN}` } };

test.each(['mask', 'hash', 'keep'] as const)('%s: nothing is told that should not be', async (mode) => {
  const echo = await startReceiver(({ headers, body, url }) => ({
    status: 410,
    // what it was sent, and the secrets that it shares with us
    body: `${headers.authorization ?? ''} ${url} ${headers['webhook-id'] ? OWN.webhook : ''} ${body}`,
  }));
  stops.push(() => echo.stop());
  const slackUrl = `${new URL(echo.url).origin}${OWN.path}`;
  const destinations = [
    { name: 'hook', url: echo.url, secret: [OWN.webhook, OWN.old], headers: { authorization: OWN.header } },
    { name: 'am', type: 'alertmanager', url: echo.url, headers: { authorization: OWN.header } },
    { name: 'v4', type: 'alertmanager-webhook', url: echo.url, secret: OWN.webhook },
    { name: 'pager', type: 'pagerduty', url: echo.url, routingKey: OWN.key },
    { name: 'chat', type: 'slack', url: slackUrl },
  ];
  const redactor = createRedactor(redactionSection.parse({ mode, key: 'a key of sixteen characters' }));
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const log = createMemoryLog();
  stops.push(() => log.stop(1_000));
  await log.ensureTopic('findings', { partitions: 1, retentionMs: 1e9 });
  const store = createMemoryStore();
  const responder: Responder = createResponder(
    { incidents: incidentsSection.parse({}), alerts: alertsSection.parse({ destinations }), database: 'test' },
    {
      log,
      store,
      createCollective: () => ({ add: () => {}, judge: () => [], snapshot: () => null }),
      logger: createLogger({ name: 'test', level: 'trace' }, { stream }),
      metrics: createMetrics(),
      now: Date.now,
      random: () => 0,
      look: (text) => redactor.look(text),
    },
  );
  await responder.start();
  stops.push(() => responder.stop(2_000));
  // what the detector writes is what redaction leaves
  const value = encodeJson({ verdict: redactVerdict(redactor, withText), segmentsPerDay: 100_000 });
  await log.produce('findings', [{ kind: RecordKind.verdict, key: verdict.id, value }]);
  await until('a dead letter everywhere', () => {
    const rows = [...store.deliveries.values()];
    return rows.length === destinations.length && rows.every(({ state }) => state === 'dead');
  });
  expect(echo.taken).toHaveLength(destinations.length);

  const bodies = echo.taken.map(({ body }) => body).join('\n');
  const kept = JSON.stringify([[...store.alerts.values()], [...store.deliveries.values()]]);
  const logged = lines.join('');
  expect(logged).toContain('dead letter');
  for (const planted of PLANTED) {
    if (mode === 'keep') continue; // that is what the mode says
    expect(bodies).not.toContain(planted);
    expect(kept).not.toContain(planted);
    expect(logged).not.toContain(planted);
  }
  if (mode === 'keep') expect(bodies).toContain(TOKEN);
  expect(bodies).not.toContain(SESSION); // in no alert, whatever the mode
  for (const own of Object.values(OWN)) {
    expect(kept).not.toContain(own);
    expect(logged).not.toContain(own);
  }
});
