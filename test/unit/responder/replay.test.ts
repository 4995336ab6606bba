/** Whatever is said, and wherever the process is cut off: the same rows, alerts, digest and budget come of it. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { INCIDENT_ACTIONS, type IncidentActionKind } from '../../../schemas/log/incident-action.ts';
import { STAGES } from '../../../schemas/log/kill-chain.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';
import { actorOf } from './actors.ts';
import { keeperOf } from './keeping.ts';
import { clientOf, DAY, findingOf, JUDGED, verdictOf } from './verdicts.ts';

interface Step {
  readonly what: 'verdict' | 'actor' | 'amend' | 'withdraw' | 'word' | 'judged';
  readonly kind: Finding['kind'];
  readonly key: number;
  readonly client: number;
  readonly hard: boolean;
  readonly small: boolean;
  readonly released: boolean;
  readonly word: IncidentActionKind;
  readonly afterMs: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom('verdict', 'verdict', 'verdict', 'actor', 'amend', 'withdraw', 'word', 'judged'),
  kind: fc.constantFrom(
    'statement',
    'whole-tree',
    'status',
    'attack-pattern',
    'missing-telemetry',
    'egress',
    'self-time',
  ),
  key: fc.nat(2),
  client: fc.nat(3),
  hard: fc.boolean(),
  small: fc.boolean(),
  released: fc.boolean(),
  word: fc.constantFrom(...INCIDENT_ACTIONS),
  afterMs: fc.constantFrom(0, 50, 5_000, 70_000, 3_700_000),
});

type Running = ReturnType<typeof keeperOf>;

/** What the log would hold: one thing a step, each at its time. */
function records(steps: readonly Step[]): ((running: Running) => void)[] {
  let nowMs = DAY;
  const known: ReturnType<typeof verdictOf>[] = [];
  return steps.map((one, i) => {
    nowMs += one.afterMs;
    const atMs = nowMs;
    const earlier = known.at(one.key);
    const traceId = (i + 1).toString(16).padStart(32, '0');
    const client = one.client === 0 ? null : `203.0.113.${one.client}`;
    const release = one.released ? { release: 'orders@2' } : {};
    const lost = one.kind === 'egress' && !one.hard ? ({ candidate: true, evidence: 'absence' } as const) : {};
    const slow = one.kind === 'self-time' && !one.hard ? { candidate: true } : {};
    const finding = findingOf({
      kind: one.kind,
      hard: one.hard,
      explanationKey: `k${one.key}`,
      ...release,
      ...lost,
      ...slow,
    });
    const verdict = verdictOf({ traceId, client, appendMs: atMs, p: one.small ? 1e-6 : 8e-4, findings: [finding] });
    if (one.what === 'verdict') known.push(verdict);
    const named = clientOf(client);
    const actor = actorOf({
      id: `${one.key} ${one.client} ${one.small}`,
      revision: i,
      abuse: one.hard ? 'object-enumeration' : one.released ? 'attribution' : '',
      subject: one.small ? { kind: 'client', key: client ?? 'x' } : { kind: 'user', key: 'mallory' },
      client: { ...named, user: one.small ? null : 'mallory' },
      clients: client === null ? [] : [client],
      facts: { users: one.hard ? 50 : one.key, requests: 100, firstSeenMs: DAY },
      risk: one.key * 30,
      stages: [{ stage: STAGES[one.key]!, technique: '', by: 'scanning', firstMs: atMs - 500, lastMs: atMs, count: 2 }],
      traceIds: [traceId],
      startMs: atMs - 1_000,
      endMs: atMs,
      atMs,
    });
    return ({ keeper, rows, feed }) => {
      keeper.tick(atMs);
      if (one.what === 'judged') keeper.judged({ ...JUDGED, window: Math.floor(atMs / JUDGED.windowMs) });
      else if (one.what === 'actor') keeper.actor(actor, atMs);
      else if (one.what === 'word') {
        const [id = 'unknown'] = [...rows.keys()].slice(one.client);
        keeper.action({ incidentId: id, action: one.word, by: 'ana', comment: '', atMs: i, editId: '' }, atMs);
      } else if (one.what === 'verdict') feed(verdict, atMs);
      else if (earlier !== undefined) {
        const withdrawn = { stage: 3, state: 'withdrawn', findings: [], revision: earlier.revision + 6 } as const;
        feed({ ...earlier, revision: earlier.revision + 1, ...(one.what === 'withdraw' ? withdrawn : {}) }, atMs);
      }
    };
  });
}

const said = ({ alerts }: Running) =>
  alerts.map(({ event, id, sequence, atMs }) => `${event} ${id} ${sequence} ${atMs}`);

it('a snapshot anywhere, and what is read again after it', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.nat(40), fc.nat(5), (steps, at, again) => {
      const story = records(steps);
      const cut = Math.min(at, story.length);
      const whole = keeperOf();
      for (const record of story.slice(0, cut)) record(whole);
      const { incidents } = whole.keeper.snapshot();
      const asItWas = JSON.stringify(incidents);
      for (const record of story.slice(cut)) record(whole);
      expect(JSON.stringify(incidents)).toBe(asItWas); // text of it may be made later
      const before = keeperOf();
      for (const record of story.slice(0, cut)) record(before);
      const after = keeperOf({}, before.snapshot());
      for (const [id, row] of before.rows) after.rows.set(id, row);
      // what a detector says again under the same ids changes nothing
      for (const [i, one] of steps.slice(0, cut).entries())
        if (i >= cut - again && one.what !== 'word' && one.what !== 'judged') story[i]!(after);
      const replayed = said(after);
      for (const record of story.slice(cut)) record(after);
      expect(replayed).toEqual([]);
      expect([...said(before), ...said(after)]).toEqual(said(whole));
      expect(Object.fromEntries(after.rows)).toEqual(Object.fromEntries(whole.rows));
      expect(after.snapshot()).toEqual(whole.snapshot());
    }),
    { seed: 7, numRuns: 300 },
  );
});
