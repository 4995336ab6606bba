import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { createAlert } from '../../../responder/alerts/body.ts';
import { createDigestAlert } from '../../../responder/alerts/digest-body.ts';
import { outcomeOf, parseRetryAfter, waitAfter } from '../../../responder/alerts/retry.ts';
import { forbidden } from '../../../responder/alerts/target-guard.ts';
import { createBudget } from '../../../responder/incidents/budget.ts';
import { createDigest } from '../../../responder/incidents/digest.ts';
import { createIncidentKeeper } from '../../../responder/incidents/keeper.ts';
import { createRates } from '../../../responder/incidents/rates.ts';
import type { Incident } from '../../../schemas/alerts/incident.ts';
import { DAY, findingOf, JUDGED, verdictOf } from './verdicts.ts';

const schema = JSON.parse(readFileSync(new URL('../../../schemas/alerts/alert.schema.json', import.meta.url), 'utf8'));

function incidentOf(): Incident {
  let last: Incident | undefined;
  const keeper = createIncidentKeeper(
    {
      budgetPerDay: 5,
      softIncidents: true,
      quietSecurityMs: 1,
      quietOperationalMs: 1,
      candidateWaitMs: 0,
      stormPerMinute: 9,
      maxOpen: 9,
    },
    {
      incident: (incident) => {
        last = incident;
      },
      alert: () => {},
    },
  );
  keeper.verdict({ verdict: verdictOf({}), segmentsPerDay: 1 }, DAY);
  return last!;
}

describe('alert body', () => {
  const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);

  it.each(['opened', 'updated', 'closed', 'storm'] as const)('of %s fits the published schema', (event) => {
    const incident = incidentOf();
    const alert = createAlert(event, incident, '1', event === 'storm' ? [incident] : [], DAY, {
      traceLink: 'https://t/{traceId}',
      database: 'spanwarden',
    });
    expect(validate(JSON.parse(alert.body)), JSON.stringify(validate.errors)).toBe(true);
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
    expect(validate(body), JSON.stringify(validate.errors)).toBe(true);
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
    const incident = incidentOf();
    const match = verdictOf({}).match!;
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

describe('target guard', () => {
  it.each([
    '169.254.169.254',
    '::ffff:169.254.169.254',
    'fe80::1',
    'fd00:ec2::254',
    '0.0.0.0',
    '::',
    '224.0.0.1',
    'nonsense',
  ])('forbids %s', (address) => expect(forbidden(address)).not.toBeNull());
  it.each(['127.0.0.1', '10.1.2.3', '192.0.2.1', '2001:db8::1'])('allows %s', (address) =>
    expect(forbidden(address)).toBeNull(),
  );
});
