/** One story a novelty: who did it, how far they got, in the order of evidence (DETECTION §6). */
import { describe, expect, it } from 'vitest';
import { actorOf } from './actors.ts';
import { keeperOf } from './keeping.ts';
import { findingAt, playStages, STAGED } from './staged.ts';
import { clientOf, DAY, findingOf, verdictOf } from './verdicts.ts';

const MINUTE = 60_000;
const ATTACKER = STAGED.client;

describe('a staged attack', () => {
  const exfiltration = STAGED.findings.at(-1)!;
  const play = () => playStages(keeperOf());

  it('is one incident with its stages in order, also what came before it was opened', () => {
    const { rows, alerts, only } = play();
    expect(rows.size).toBe(1);
    expect(only().story.stages.map(({ stage }) => stage)).toEqual(STAGED.stages);
    expect(only().client.address).toBe(ATTACKER);
    expect(only().services).toEqual(['gateway', 'catalog', 'worker', 'reports']);
    expect(alerts.filter(({ event }) => event === 'opened')).toHaveLength(1);
  });

  it('tells people each time it gets further, and not of more of the same', () => {
    const { feed, alerts } = play();
    expect(alerts.map(({ event, incident }) => [event, incident.story.stages.at(-1)?.stage])).toEqual([
      ['opened', 'probing'],
      ['updated', 'exploitation'],
      ['updated', 'lateral-movement'],
      ['updated', 'exfiltration'],
    ]);
    for (let i = 0; i < 50; i++)
      feed(verdictOf({ client: ATTACKER, findings: [exfiltration], appendMs: exfiltration.endMs + 1_000 + i }));
    expect(alerts).toHaveLength(4);
  });

  it('has a timeline in the order of evidence, whatever came late', () => {
    const { feed, only } = play();
    feed(
      verdictOf({ client: ATTACKER, findings: [findingAt(1, { kind: 'parameter', explanationKey: 'early' })] }),
      DAY + 9e5,
    );
    const { timeline } = only().story;
    expect(timeline.map(({ atMs }) => atMs)).toEqual(timeline.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
    expect(timeline.filter(({ what }) => what === 'finding').map(({ text }) => text.split(' ', 1)[0])).toEqual([
      'unseen-operation',
      'parameter',
      'attack-pattern',
      'statement',
      'egress',
      'egress',
    ]);
    expect(timeline.every(({ what, client }) => what === 'opened' || client === ATTACKER)).toBe(true);
  });

  it('takes what is known of its actor: stages no verdict showed, risk and reasons', () => {
    const { keeper, alerts, only } = play();
    const marks = [
      { stage: 'reconnaissance', technique: 'T1595.003', by: 'scanning', firstMs: DAY - 9e5, lastMs: DAY, count: 40 },
      {
        stage: 'access',
        technique: 'T1213',
        by: 'object-enumeration',
        firstMs: DAY + 4 * MINUTE,
        lastMs: DAY,
        count: 9,
      },
    ] as const;
    const record = actorOf({ abuse: '', client: clientOf(ATTACKER), stages: marks, risk: 88, reasons: ['a', 'b'] });
    keeper.actor(record, DAY + 9 * MINUTE);
    keeper.actor({ ...record, risk: 1 }, DAY + 9 * MINUTE); // again
    const { story } = only();
    expect(story.stages.map(({ stage, count }) => [stage, count])).toEqual([
      ['reconnaissance', 40],
      ['probing', 1],
      ['exploitation', 1],
      ['access', 9],
      ['lateral-movement', 1],
      ['exfiltration', 1],
    ]);
    expect([story.risk, story.reasons]).toEqual([88, ['a', 'b']]);
    expect(alerts).toHaveLength(4);
  });

  it('knows of its actor also what was said before any incident was open', () => {
    const { keeper, feed, only, alerts } = keeperOf();
    const stages = [
      { stage: 'reconnaissance', technique: '', by: 'scanning', firstMs: DAY - 9e5, lastMs: DAY, count: 40 },
    ] as const;
    keeper.actor(actorOf({ abuse: '', stages, risk: 30 }), DAY);
    expect(alerts).toEqual([]);
    feed(verdictOf({}), DAY + MINUTE);
    expect(only().story.stages.map(({ stage }) => stage)).toEqual(['reconnaissance', 'exploitation']);
    expect(alerts[0]!.incident.story.risk).toBe(30);
  });
});

describe('abuse over many requests', () => {
  it('is an incident held against its subject, with the requests that show it', () => {
    const { keeper, alerts, only } = keeperOf();
    keeper.actor(actorOf({ traceIds: ['1'.repeat(32), '2'.repeat(32)] }), DAY);
    keeper.actor(actorOf({ revision: 2, risk: 70 }), DAY + 1);
    expect(alerts.map(({ event }) => event)).toEqual(['opened']);
    expect(only()).toMatchObject({
      class: 'security',
      kind: 'actor',
      explanationKey: 'object-enumeration',
      entity: '203.0.113.7',
      hard: true,
      client: { address: '203.0.113.7' },
      story: { risk: 70, stages: [{ stage: 'access', technique: 'T1213' }] },
    });
    expect(only().traceIds.slice(0, 2)).toEqual(['1'.repeat(32), '2'.repeat(32)]);
  });

  it('joins what is open about the same client; another client is another story', () => {
    const { keeper, feed, rows } = keeperOf();
    feed(verdictOf({}));
    keeper.actor(actorOf(), DAY + 1);
    keeper.actor(actorOf({ id: 'a2', client: clientOf('198.51.100.1'), traceIds: [] }), DAY + 2);
    expect([...rows.values()].map(({ kind, entity }) => [kind, entity])).toEqual([
      ['statement', 'catalog GET /search'],
      ['actor', '198.51.100.1'],
    ]);
    expect([...rows.values()][0]!.story.timeline.map(({ what }) => what)).toContain('actor');
  });

  it('of a user finds what this user does from another address', () => {
    const { keeper, feed, rows } = keeperOf();
    const client = { ...clientOf('203.0.113.7'), user: 'mallory' };
    keeper.actor(actorOf({ subject: { kind: 'user', key: 'mallory' }, client, users: ['mallory'] }), DAY);
    feed(
      { ...verdictOf({ client: '198.51.100.9' }), client: { ...clientOf('198.51.100.9'), user: 'mallory' } },
      DAY + 1,
    );
    expect([...rows.values()].map(({ entity, users, clients }) => [entity, users, clients])).toEqual([
      ['user mallory', ['mallory'], ['203.0.113.7', '198.51.100.9']],
    ]);
  });

  it('spread over a network is one story with all that took part', () => {
    const { keeper, feed, keeper: k } = keeperOf();
    feed(verdictOf({ client: '203.0.113.9', findings: [findingOf({ explanationKey: 'another' })] }), DAY);
    keeper.actor(
      actorOf({
        subject: { kind: 'network', key: '203.0.113.0/24' },
        abuse: 'credential-stuffing',
        clients: ['203.0.113.7', '203.0.113.8', '203.0.113.9'],
      }),
      DAY + 1,
    );
    expect(k.open()).toHaveLength(1);
    expect(k.open()[0]!.clients).toEqual(['203.0.113.9', '203.0.113.7', '203.0.113.8']);
  });

  it('goes on in the same incident over midnight, and opens it again when it goes on after it closed', () => {
    const { keeper, events, only, rows } = keeperOf();
    const midnight = DAY + 12 * 3_600_000;
    keeper.actor(actorOf({ atMs: midnight - 1_000, endMs: midnight - 1_000 }), midnight - 1_000);
    keeper.tick(midnight + 2 * 3_600_000);
    expect(only().state).toBe('closed');
    keeper.actor(actorOf({ revision: 2, endMs: midnight - 500, atMs: midnight }), midnight + 2.5 * 3_600_000);
    expect(only().state).toBe('closed'); // nothing new
    const later = midnight + 3 * 3_600_000;
    keeper.actor(actorOf({ revision: 3, endMs: later, atMs: later }), later);
    expect(rows.size).toBe(1);
    expect([only().state, only().occurrences, events()]).toEqual(['open', 2, ['opened', 'closed', 'opened']]);
  });
});
