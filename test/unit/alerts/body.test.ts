/** The body of a webhook, against the published schema, and the rules by which it is delivered. */
import { describe, expect, it } from 'vitest';
import { createAcknowledgement, createAlert } from '../../../responder/alerts/body.ts';
import { createDigestAlert } from '../../../responder/alerts/digest-body.ts';
import { outcomeOf, parseRetryAfter, waitAfter } from '../../../responder/alerts/retry.ts';
import { createBudget } from '../../../responder/incidents/budget.ts';
import { createDigest } from '../../../responder/incidents/digest.ts';
import { createRates } from '../../../responder/incidents/rates.ts';
import { type Incident, NO_STORY } from '../../../schemas/alerts/incident.ts';
import { DAY, findingOf, JUDGED, verdictOf } from '../responder/verdicts.ts';
import { CONTEXT, HOSTILE, incidentOf, saying, traceId } from './incidents.ts';
import { closedSchema, compile, errorsOf, published } from './schema.ts';

describe('alert body', () => {
  const validate = compile(published);
  const nothingElse = compile(closedSchema);

  const bodyOf = (incident: Incident, event: 'opened' | 'closed' = 'opened') =>
    JSON.parse(createAlert(event, incident, '1', [], DAY, CONTEXT).body);

  it.each(['opened', 'updated', 'closed', 'storm'] as const)(
    'of %s fits the published schema, and sends nothing else',
    (event) => {
      const incident = incidentOf();
      const body = JSON.parse(
        createAlert(event, incident, '1', event === 'storm' ? [incident] : [], DAY, CONTEXT).body,
      );
      expect(errorsOf(validate, body)).toBe('');
      expect(errorsOf(nothingElse, body)).toBe('');
    },
  );

  it.each([
    ['with nothing known of an actor', incidentOf({ story: NO_STORY })],
    [
      'without a client',
      incidentOf({ client: { ...incidentOf().client, address: null, confidence: 'none', reason: 'no-peer' } }),
    ],
    ['taken into another', incidentOf({ state: 'merged', mergedInto: '0'.repeat(16), release: 'orders@1.4.0' })],
    ['full of hostile text', saying(HOSTILE)],
    ['with times that no calendar holds', incidentOf({ startMs: Number.NaN, endMs: 1e18 })],
  ])('fits it %s', (_, incident) => {
    expect(errorsOf(validate, bodyOf(incident))).toBe('');
    expect(errorsOf(nothingElse, bodyOf(incident))).toBe('');
  });

  it('as it was before there was a story still fits: fields are only added', () => {
    const { story: _, ...data } = bodyOf(incidentOf()).data;
    const { hard: __, ...incident } = data.incident;
    expect(errorsOf(validate, { ...bodyOf(incidentOf()), data: { ...data, incident } })).toBe('');
    expect(validate({ ...bodyOf(incidentOf()), data: { ...data, incident: { ...incident, class: 'other' } } })).toBe(
      false,
    );
  });

  it('tells the story: stages with techniques, risk with reasons, the last of the timeline, both chains, what was reached', () => {
    const { story } = bodyOf(incidentOf()).data;
    expect(story.stages.map((one: { stage: string; technique: string }) => [one.stage, one.technique])).toEqual([
      ['probing', 'T1595'],
      ['exploitation', 'T1190'],
    ]);
    expect(story).toMatchObject({
      risk: 72.4,
      reached: ['gateway', 'catalog', 'postgresql'],
      fields: ['password_hash'],
    });
    expect(story.reasons).toHaveLength(2);
    expect(story.timeline).toHaveLength(16);
    expect(story.timeline.at(-1).text).toBe('request 19');
    expect(story.timelineLeftOut).toBe(4);
    expect(story.expected[1].call).toBe('catalog client SELECT products');
    expect(story.seen[1]).toMatchObject({ call: 'catalog client SELECT users', mark: 'extra' });
    expect(story.evidence[0].link).toBe(`https://traces.example.com/${traceId(1)}?a=1&b=2`);
  });

  it('has sentences without anything that steers a terminal, a page or the direction of writing', () => {
    const { title, why, story } = bodyOf(saying(HOSTILE)).data;
    for (const text of [title, why, ...story.reasons, ...story.timeline.map((one: { text: string }) => one.text)]) {
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
    }
    expect(why).toContain('\\x1b[31m');
    expect(why).toContain('\\u{202e}');
  });

  it('that somebody looks at an incident has an id of its own, equal over replays', () => {
    const word = {
      incidentId: '5c0f0a5b9d1e7a42',
      saidOf: '5c0f0a5b9d1e7a42',
      occurrence: 1,
      action: 'acknowledge',
      by: 'ana\u202e',
      comment: 'mine\n',
      editId: '',
      atMs: DAY,
      takenMs: DAY + 5,
      result: 'taken',
    } as const;
    const alert = createAcknowledgement(word);
    expect(alert.id).toBe(createAcknowledgement({ ...word, takenMs: DAY + 90 }).id);
    expect(alert.id).not.toBe(createAcknowledgement({ ...word, atMs: DAY + 1 }).id);
    expect(JSON.parse(alert.body).data).toMatchObject({ title: 'acknowledged by ana\\u{202e}', comment: 'mine\\x0a' });
  });

  it('of a digest fits it too, and nothing that lacks its parts does', () => {
    const rates = createRates();
    rates.add({ ...JUDGED, window: 1 });
    const digest = createDigest();
    const soft = findingOf({ kind: 'whole-tree', hard: false, explanationKey: 'a → b' });
    digest.note(verdictOf({ findings: [soft], p: 5e-4 }), soft, '', DAY);
    const day = digest.of('2026-01-05');
    const context = { traceLink: 'https://t/{traceId}', database: 'spanwarden' };
    const alert = createDigestAlert(day, createBudget(5, rates).state(DAY), DAY, context);
    const body = JSON.parse(alert.body);
    expect(errorsOf(validate, body)).toBe('');
    expect(errorsOf(nothingElse, body)).toBe('');
    expect(body.data.digest.entries).toHaveLength(1);
    expect(alert.id).toBe(createDigestAlert(day, createBudget(5, rates).state(DAY + 1), DAY, context).id);
    expect(validate({ ...body, data: { ...body.data, budget: undefined } })).toBe(false);
    expect(validate({ ...body, type: 'incident.opened' })).toBe(false);
  });

  it('names client, match line, expectation, traces with links and a query', () => {
    const body = JSON.parse(
      createAlert('opened', incidentOf(), '1', [], DAY, { traceLink: 'https://t/{traceId}', database: 'db' }).body,
    );
    expect(body.data.client).toMatchObject({ address: '203.0.113.7', confidence: 'high' });
    expect(body.data.why).toContain('similarity 0.50');
    expect(body.data.findings[0]).toMatchObject({ expected: '4 statements in 2,000 calls', seen: 'another statement' });
    expect(body.data.traces[0].link).toBe(`https://t/${body.data.traces[0].id}`);
    expect(body.data.sql).toContain(`'${body.data.traces[0].id}'`);
  });

  it('tells the match in numbers by component, with the threshold of an operator beside the learned one', () => {
    const context = { traceLink: '', database: 'db' };
    const dataOf = (incident: Incident): Record<string, unknown> => {
      const body = JSON.parse(createAlert('opened', incident, '1', [], DAY, context).body);
      expect(validate(body), JSON.stringify(validate.errors)).toBe(true);
      return body.data;
    };
    const match = verdictOf({}).match!;
    const incident = incidentOf({ match });
    const { similarity, threshold, deviation, worst } = match;
    expect(dataOf(incident).match).toMatchObject({ similarity, threshold, deviation, worst });
    const set = dataOf({ ...incident, match: { ...match, learnedThreshold: { structure: 0.9 } } });
    expect(set.match).toMatchObject({ learnedThreshold: { structure: 0.9 } });
    const { match: _, ...shift } = incident;
    expect(dataOf(shift)).not.toHaveProperty('match');
  });

  it('keeps its id over replays and changes it with the event', () => {
    const [a, b, c] = (['opened', 'opened', 'updated'] as const).map(
      (e) => createAlert(e, incidentOf(), '1', [], DAY, { traceLink: '', database: 'd' }).id,
    );
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });
});

describe('delivery rules', () => {
  it.each([
    [200, 'delivered'],
    [204, 'delivered'],
    [301, 'failed'],
    [410, 'gone'],
    [429, 'failed'],
    [500, 'failed'],
  ])('%i is %s', (status, kind) => expect(outcomeOf(status, undefined, 0).kind).toBe(kind));

  it('honours Retry-After in seconds and as a date', () => {
    expect(parseRetryAfter('120', 0)).toBe(120_000);
    expect(parseRetryAfter(new Date(5_000).toUTCString(), 2_000)).toBe(3_000);
    expect(parseRetryAfter('soon', 0)).toBe(0);
  });

  it('waits longer with every attempt, and twice as long after 429', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 50].map((attempt) => waitAfter(attempt, 500, 0, 0.5));
    expect([...waits].sort((a, b) => a - b)).toEqual(waits);
    expect(waitAfter(1, 429, 0, 0.5)).toBe(2 * waitAfter(1, 500, 0, 0.5));
    expect(waitAfter(1, 503, 60_000, 0.5)).toBe(60_000);
  });
});
