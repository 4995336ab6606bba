/** What each destination is sent, against what its makers publish; hostile and huge incidents as well as ordinary ones. */
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { createAcknowledgement, createAlert } from '../../../responder/alerts/body.ts';
import { createFormat } from '../../../responder/alerts/destination.ts';
import { createDigestAlert } from '../../../responder/alerts/digest-body.ts';
import { MAX_BODY_BYTES } from '../../../responder/alerts/fit.ts';
import type { Outgoing } from '../../../responder/alerts/post.ts';
import { createTestAlerts } from '../../../responder/alerts/test-alert.ts';
import type { BudgetState } from '../../../schemas/alerts/budget.ts';
import type { DayDigest } from '../../../schemas/alerts/digest.ts';
import type { Alert } from '../../../schemas/alerts/incident.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { DAY } from '../responder/verdicts.ts';
import { alertOf, CONTEXT, HOSTILE, incidentOf, saying, traceId } from './incidents.ts';
import {
  alertmanagerAlerts,
  alertmanagerWebhook,
  PAGERDUTY_MAX_BYTES,
  pagerDutyEvent,
  slackMessage,
} from './others.ts';
import { compile, errorsOf, published } from './schema.ts';

const SECRETS = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'];
const KEY = '0123456789abcdef0123456789ABCDEF';
const NOW = DAY + 1_000;

const DESTINATIONS = {
  webhook: { url: 'https://hook.example/x', secret: SECRETS },
  alertmanager: {
    url: 'https://am.example/prefix/',
    labels: { severity: 'page' },
    headers: { authorization: 'Basic YTpi' },
  },
  'alertmanager-webhook': { url: 'https://v4.example/x' },
  pagerduty: { routingKey: KEY },
  slack: { url: 'https://hooks.slack.com/services/T0/B0/abc' },
} as const;
type Type = keyof typeof DESTINATIONS;

function told(type: Type, alert: Alert, more: object = {}): Outgoing {
  const config = alertsSection.parse({ destinations: [{ name: 'ops', type, ...DESTINATIONS[type], ...more }] });
  return createFormat(config.destinations[0]!)(alert, NOW);
}

const validators = {
  webhook: compile(published),
  alertmanager: compile(alertmanagerAlerts),
  'alertmanager-webhook': compile(alertmanagerWebhook),
  pagerduty: compile(pagerDutyEvent),
  slack: compile(slackMessage),
};

const budget = { targetPerDay: 5, expectedLastDay: 1, threshold: 1e-5, drift: 1 } as BudgetState;
const entry = (text: string): DayDigest['entries'][number] => ({
  day: '2026-01-05',
  kind: 'whole-tree',
  explanationKey: text,
  revision: 1,
  class: 'security',
  service: text,
  operation: text,
  count: 3,
  clients: Array.from({ length: 16 }, () => text),
  p: 1e-4,
  severity: 1,
  expected: text,
  seen: text,
  matchText: text,
  traceId: traceId(1),
  firstMs: DAY,
  lastMs: DAY,
});
const digestOf = (text: string, entries: number): Alert =>
  createDigestAlert(
    { day: '2026-01-05', entries: Array.from({ length: entries }, () => entry(text)), leftOut: 3 },
    budget,
    DAY,
    CONTEXT,
  );

const HUGE = '&<>"\\\u0001ß€😀`'.repeat(400);
const incidents = {
  ordinary: incidentOf(),
  bare: incidentOf({
    findings: [],
    traceIds: [],
    story: { ...incidentOf().story, stages: [], timeline: [] },
    matchText: '',
  }),
  hostile: saying(HOSTILE),
  huge: saying(HUGE, 3),
  empty: saying(''),
};
const events = ['opened', 'updated', 'closed', 'storm'] as const;

describe.each(Object.keys(DESTINATIONS) as Type[])('%s', (type) => {
  it.each(Object.keys(incidents) as (keyof typeof incidents)[])(
    'takes every event of an incident that is %s',
    (name) => {
      for (const event of events) {
        const members = event === 'storm' ? Array.from({ length: 200 }, () => incidents[name]) : [];
        const alert = createAlert(event, incidents[name], '1', members, DAY, CONTEXT);
        const { body } = told(type, alert);
        expect(errorsOf(validators[type], JSON.parse(body))).toBe('');
        expect(Buffer.byteLength(alert.body)).toBeLessThanOrEqual(MAX_BODY_BYTES);
        if (type === 'pagerduty') expect(Buffer.byteLength(body)).toBeLessThanOrEqual(PAGERDUTY_MAX_BYTES);
      }
    },
  );

  it('takes a test, which says that nothing happened, and its end', () => {
    const { opened, closed } = createTestAlerts(DAY, '0123456789abcdef', CONTEXT);
    for (const alert of [opened, closed])
      expect(errorsOf(validators[type], JSON.parse(told(type, alert).body))).toBe('');
    expect(told(type, opened).body).toMatch(/TEST: .*Nothing happened/);
  });

  it('takes an alert as an earlier release kept it, without a story', () => {
    const alert = createAlert('opened', incidentOf(), '1', [], DAY, CONTEXT);
    const body = JSON.parse(alert.body);
    const { story: _, ...data } = body.data;
    const old = { ...alert, body: JSON.stringify({ ...body, data }) };
    expect(errorsOf(validators[type], JSON.parse(told(type, old).body))).toBe('');
  });

  it('has no control, direction mark or half character of what it was told, and names its secrets', () => {
    const alert = createAlert('opened', incidents.hostile, '1', [], DAY, CONTEXT);
    const outgoing = told(type, alert);
    if (type !== 'webhook') {
      // lines of our own are joined by line feeds; nothing else of the kind is left
      for (const text of walk(JSON.parse(outgoing.body))) {
        const clean = !/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(text.replaceAll('\n', ' '));
        if (!clean) expect.fail(JSON.stringify(text));
      }
    }
    const shown = JSON.stringify(outgoing.secrets);
    if (type === 'webhook') for (const secret of SECRETS) expect(shown).toContain(secret);
    if (type === 'pagerduty') expect(shown).toContain(KEY);
    if (type === 'slack') expect(shown).toContain('/services/T0/B0/abc');
  });
});

function* walk(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) yield* walk(inner);
}

describe('signed webhook', () => {
  it('while a secret is replaced is signed with both, the new one first: receivers with either accept it', () => {
    const alert = createAlert('opened', incidentOf(), '1', [], DAY, CONTEXT);
    const nowMs = Date.now(); // the library's verifier looks at the clock
    const config = alertsSection.parse({ destinations: [{ name: 'ops', ...DESTINATIONS.webhook }] });
    const { headers, body } = createFormat(config.destinations[0]!)(alert, nowMs);
    expect(headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/=]{44} v1,[A-Za-z0-9+/=]{44}$/);
    for (const secret of SECRETS)
      expect(new Webhook(secret).verify(body, { ...headers })).toMatchObject({ type: 'incident.opened' });
    const newest = new Webhook(SECRETS[0]!).sign(alert.id, new Date(nowMs), body);
    expect(headers['webhook-signature']!.split(' ')[0]).toBe(newest);
    const stranger = new Webhook('whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
    expect(() => stranger.verify(body, { ...headers })).toThrow();
    expect(() => new Webhook(SECRETS[0]!).verify(`${body} `, { ...headers })).toThrow();
  });

  it('a configuration of before, without a type and with one secret, is a signed webhook', () => {
    const config = alertsSection.parse({
      destinations: [
        { name: 'on-call', url: 'https://hook.example', secret: SECRETS[0], classes: ['security'], digest: true },
      ],
    });
    expect(config.destinations[0]).toMatchObject({ type: 'webhook', secret: SECRETS[0], digest: true, minSeverity: 0 });
  });
});

describe('alertmanager', () => {
  const sent = (event: 'opened' | 'closed', incident = incidentOf(), atMs = DAY) =>
    JSON.parse(told('alertmanager', createAlert(event, incident, '1', [], atMs, CONTEXT)).body)[0];

  it('is asked under its prefix, and once where the path is given whole', () => {
    const alert = createAlert('opened', incidentOf(), '1', [], DAY, CONTEXT);
    expect(told('alertmanager', alert).url).toBe('https://am.example/prefix/api/v2/alerts');
    const whole = { url: 'https://am.example/api/v2/alerts' };
    expect(told('alertmanager', alert, whole).url).toBe('https://am.example/api/v2/alerts');
  });

  it('knows an incident by the same labels when it ends as when it began, whatever changed in between', () => {
    const begun = sent('opened');
    const changed = incidentOf({ kind: 'egress', service: 'orders', severity: 9, state: 'closed' });
    const ended = sent('closed', changed, DAY + 60_000);
    expect(ended.labels).toEqual(begun.labels);
    expect(begun.labels).toEqual({ severity: 'page', alertname: 'SpanwardenIncident', incident: '5c0f0a5b9d1e7a42' });
    expect(Date.parse(begun.endsAt)).toBe(NOW + 86_400_000);
    expect(ended.endsAt).toBe(new Date(DAY + 60_000).toISOString());
  });

  it('never ends before it starts, where clocks differ by minutes', () => {
    for (const skew of [-600_000, 0, 600_000]) {
      const ended = sent('closed', incidentOf({ startMs: DAY + skew, state: 'closed' }));
      expect(Date.parse(ended.startsAt)).toBeLessThanOrEqual(Date.parse(ended.endsAt));
    }
  });

  it('as a webhook fires with a zero end, and is resolved with the time of the end, under one fingerprint', () => {
    const v4 = (event: 'opened' | 'closed') =>
      JSON.parse(told('alertmanager-webhook', createAlert(event, incidentOf(), '1', [], DAY, CONTEXT)).body);
    const [begun, ended] = [v4('opened'), v4('closed')];
    expect([begun.status, begun.alerts[0].status, begun.alerts[0].endsAt]).toEqual([
      'firing',
      'firing',
      '0001-01-01T00:00:00Z',
    ]);
    expect([ended.status, ended.alerts[0].endsAt]).toEqual(['resolved', new Date(DAY).toISOString()]);
    expect(ended.alerts[0].fingerprint).toBe(begun.alerts[0].fingerprint);
    expect(ended.groupKey).toBe(begun.groupKey);
    expect(begun.commonAnnotations).toMatchObject({
      stages: 'probing (T1595) → exploitation (T1190)',
      risk: '72',
      client: '203.0.113.7 (x-forwarded-for, high confidence); also 203.0.113.8',
    });
  });
});

describe('pagerduty', () => {
  const sent = (alert: Alert) => JSON.parse(told('pagerduty', alert).body);

  it('is triggered, acknowledged and resolved under one dedup key', () => {
    const word = {
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
    } as const;
    const all = [
      createAlert('opened', incidentOf(), '1', [], DAY, CONTEXT),
      createAlert('updated', incidentOf(), '1', [], DAY, CONTEXT),
      createAcknowledgement(word),
      createAlert('closed', incidentOf({ state: 'closed' }), '1', [], DAY, CONTEXT),
    ].map(sent);
    expect(all.map(({ event_action }) => event_action)).toEqual(['trigger', 'trigger', 'acknowledge', 'resolve']);
    for (const event of all) expect(errorsOf(validators.pagerduty, event)).toBe('');
    expect(new Set(all.map(({ dedup_key }) => dedup_key))).toEqual(new Set(['spanwarden-5c0f0a5b9d1e7a42']));
  });

  it.each([
    ['security', true, 'critical'],
    ['security', false, 'error'],
    ['operational', false, 'warning'],
    ['inventory', false, 'info'],
  ] as const)('is told of %s (near-certain: %s) as %s', (of, hard, severity) => {
    const alert = createAlert('opened', incidentOf({ class: of, hard }), '1', [], DAY, CONTEXT);
    expect(sent(alert).payload.severity).toBe(severity);
  });
});

describe('slack', () => {
  it.each([
    ['one entry', digestOf('a → b', 1)],
    ['many', digestOf(HUGE, 50)],
    ['none', digestOf('', 0)],
  ])('takes the digest of a day with %s', (_, digest) => {
    expect(errorsOf(validators.slack, JSON.parse(told('slack', digest).body))).toBe('');
  });

  it('can neither be made to mention anybody, nor to show a link, nor to leave a code span', () => {
    const alert = createAlert('opened', incidents.hostile, '1', [], DAY, CONTEXT);
    const { text, blocks } = JSON.parse(told('slack', alert).body);
    expect(text).toContain('&lt;!channel&gt;');
    for (const block of blocks) {
      for (const { type, text: shown, verbatim, emoji } of [
        block.text,
        ...(block.fields ?? []),
        ...(block.elements ?? []),
      ].filter(Boolean)) {
        if (type === 'plain_text') {
          expect(emoji).toBe(false);
          continue;
        }
        expect(verbatim).toBe(true);
        // what is left when our own links and escapes are taken away
        const rest = shown.replaceAll(/<https:\/\/traces\.example\.com\/[^|>]+\|[0-9a-f]{8}>/g, '');
        expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
        expect(rest.match(/`/g)?.length ?? 0).toSatisfy((n: number) => n % 2 === 0);
      }
    }
  });

  it('tells the story: who, how far, expected beside seen, what was reached, where to look', () => {
    const body = told('slack', createAlert('opened', incidentOf(), '1', [], DAY, CONTEXT)).body;
    for (const said of [
      '203.0.113.7 (x-forwarded-for, high confidence)',
      'probing (T1595) → exploitation (T1190)',
      '72 of 100',
      'Expected calls',
      'catalog client SELECT users',
      'products, users',
      'request 19',
      'SELECT Timestamp, TraceId, ServiceName',
      '|00000000>',
    ])
      expect(body).toContain(said);
  });
});

it('a body that cannot be read is refused, not thrown', async () => {
  const { createDestinations } = await import('../../../responder/alerts/destination.ts');
  const config = alertsSection.parse({ destinations: [{ name: 'ops', type: 'slack', ...DESTINATIONS.slack }] });
  const [slack] = createDestinations(config, { now: () => NOW });
  const outcome = await slack!.post(alertOf('msg_1', { body: 'not JSON' }), new AbortController().signal);
  expect(outcome).toMatchObject({ kind: 'refused', error: expect.stringContaining('cannot be told') });
});
