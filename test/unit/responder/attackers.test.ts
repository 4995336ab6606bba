/** Whom an incident is held against: nobody is swallowed, nobody is blamed for what our own configuration made up. */
import { describe, expect, it } from 'vitest';
import { noticeRecord } from '../../../responder/actors/judging/words.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';
import { actorOf } from './actors.ts';
import { keeperOf } from './keeping.ts';
import { storyOf } from './staged.ts';
import { clientOf, DAY, findingOf, verdictOf } from './verdicts.ts';

const FIRST = '203.0.113.7';
const SECOND = '198.51.100.8';
const egress = findingOf({ kind: 'egress', explanationKey: 'POST /fetch · public', service: 'worker' });

describe('a second attacker in an open incident', () => {
  it('is named at once, with evidence of its own', () => {
    const { feed, alerts, only } = keeperOf();
    for (let i = 0; i < 40; i++) feed(verdictOf({ client: FIRST }));
    feed(verdictOf({ client: SECOND }));
    expect(alerts.map(({ event, incident }) => [event, incident.clients])).toEqual([
      ['opened', [FIRST]],
      ['updated', [FIRST, SECOND]],
    ]);
    expect(only().story.evidence.map(({ client }) => client)).toContain(SECOND);
    expect(only().story.timeline).toContainEqual(expect.objectContaining({ what: 'client', client: SECOND }));
  });

  it('is told apart from one who is not known, whose hit is nobody’s', () => {
    const { feed, only } = keeperOf();
    feed(verdictOf({ client: FIRST, appendMs: DAY }));
    expect(only()).toMatchObject({ lastHitMs: DAY, lastHitBy: FIRST });
    feed(verdictOf({ client: null, appendMs: DAY + 5 }));
    expect(only()).toMatchObject({ lastHitMs: DAY + 5, lastHitBy: null, clients: [FIRST] });
  });

  it('names whoever brought it back, not who was there before', () => {
    const { feed, keeper, alerts, only } = keeperOf();
    feed(verdictOf({ client: FIRST }), DAY);
    keeper.tick(DAY + 4 * 3_600_000);
    expect(only().state).toBe('closed');
    feed(verdictOf({ client: SECOND, appendMs: DAY + 5 * 3_600_000 }));
    expect(alerts.map(({ event, incident }) => [event, incident.client.address, incident.clients])).toEqual([
      ['opened', FIRST, [FIRST]],
      ['closed', FIRST, [FIRST]],
      ['opened', SECOND, [FIRST, SECOND]],
    ]);
    keeper.tick(DAY + 8 * 3_600_000);
    feed(verdictOf({ client: null, appendMs: DAY + 9 * 3_600_000 }));
    expect(only()).toMatchObject({ occurrences: 3, client: { address: null, reason: 'no-peer' } });
  });

  it('whose work is one of a batch is told of, with all who may have been it', () => {
    const { feed, alerts, only } = keeperOf();
    const batch = (addresses: readonly string[], i: number) => ({
      ...verdictOf({ client: null, findings: [egress], appendMs: DAY + i }),
      origins: addresses.map((address) => clientOf(address)),
      originState: 'known' as const,
    });
    feed(verdictOf({ client: FIRST, findings: [egress], appendMs: DAY }));
    feed(batch([FIRST, SECOND], 1)); // may well have been the first again
    feed(batch(['192.0.2.1', '192.0.2.2'], 2));
    feed(batch(['192.0.2.1', '192.0.2.3'], 3));
    feed(batch(['192.0.2.1', '192.0.2.4'], 4)); // the 3rd: told with the 4th
    expect(alerts.map(({ event, incident }) => [event, incident.client.address, incident.clients])).toEqual([
      ['opened', FIRST, [FIRST]],
      ['updated', FIRST, [FIRST, '192.0.2.1', '192.0.2.2']],
      ['updated', FIRST, [FIRST, '192.0.2.1', '192.0.2.2', '192.0.2.3']],
    ]);
    expect(only().story.timeline.map(({ text }) => text)).toContain(
      'another client, one of 192.0.2.1, 192.0.2.2: egress in worker',
    );
  });

  it('behind an address that is a guess is not swallowed: each certain novelty is told, once', () => {
    const { feed, events, keeper } = keeperOf();
    const guess = { ...clientOf('10.0.0.1'), confidence: 'low', reason: 'no-header-capture' } as const;
    const of = (finding: Finding, i: number) => ({
      ...verdictOf({ findings: [finding], appendMs: DAY + i }),
      client: guess,
    });
    const statement = findingOf();
    const other = findingOf({ explanationKey: 'POST /pay · DELETE orders', service: 'payment' });
    for (const [i, finding] of [statement, statement, other, other, statement].entries()) feed(of(finding, i));
    expect(events()).toEqual(['opened', 'updated']);
    expect(keeper.open()).toHaveLength(1);
    const sure = keeperOf();
    for (const [i, finding] of [statement, other].entries()) sure.feed({ ...of(finding, i), client: clientOf(FIRST) });
    expect(sure.events()).toEqual(['opened']);
  });

  it('who is known is named in place of a guess, which stays among the others', () => {
    const { feed, alerts } = keeperOf();
    const guess = { ...clientOf('10.0.0.1'), confidence: 'low', reason: 'malformed' } as const;
    feed({ ...verdictOf({ appendMs: DAY }), client: guess });
    feed(verdictOf({ client: SECOND, appendMs: DAY + 1 }));
    feed(verdictOf({ client: FIRST, appendMs: DAY + 2 }));
    feed({ ...verdictOf({ appendMs: DAY + 3 }), client: guess });
    expect(alerts.map(({ event, incident }) => [event, incident.client.address, incident.clients])).toEqual([
      ['opened', '10.0.0.1', ['10.0.0.1']],
      ['updated', SECOND, ['10.0.0.1', SECOND]],
    ]);
  });

  it('is an incident of its own when it deviates by another kind', () => {
    const { feed, alerts, rows } = keeperOf();
    feed(verdictOf({ client: FIRST }), DAY);
    feed(verdictOf({ client: SECOND }), DAY + 1);
    feed(verdictOf({ client: SECOND, findings: [egress] }), DAY + 2);
    expect([...rows.values()].map(({ kind, client }) => [kind, client.address])).toEqual([
      ['statement', FIRST],
      ['egress', SECOND],
    ]);
    expect(alerts.map(({ event }) => event)).toEqual(['opened', 'updated', 'opened']);
  });

  it('stays in it with what it does by the same kind, and the first with whatever it does', () => {
    const { feed, keeper } = keeperOf();
    feed(verdictOf({ client: FIRST }), DAY);
    feed(verdictOf({ client: SECOND }), DAY + 1);
    feed(verdictOf({ client: SECOND, findings: [findingOf({ explanationKey: 'another statement' })] }), DAY + 2);
    feed(verdictOf({ client: FIRST, findings: [egress] }), DAY + 3);
    expect(keeper.open()).toHaveLength(1);
  });

  it('is known after a restart as it was before', () => {
    const first = keeperOf();
    first.feed(verdictOf({ client: FIRST }), DAY);
    first.feed(verdictOf({ client: SECOND }), DAY + 1);
    const restarted = keeperOf({}, first.snapshot());
    for (const one of [first, restarted]) {
      one.feed(verdictOf({ client: SECOND, findings: [egress] }), DAY + 2);
      expect(one.keeper.open().map(({ kind }) => kind)).toEqual(['statement', 'egress']);
    }
  });

  it('becomes part of it again when both did both: one update says so', () => {
    const { feed, keeper, alerts } = keeperOf();
    feed(verdictOf({ client: FIRST }), DAY);
    feed(verdictOf({ client: SECOND, findings: [egress] }), DAY + 1);
    feed(verdictOf({ client: SECOND }), DAY + 2);
    expect(keeper.open().map(({ kind, clients }) => [kind, clients])).toEqual([['statement', [FIRST, SECOND]]]);
    expect(keeper.open()[0]!.story.timeline.map(({ what }) => what)).toContain('merged');
    expect(alerts.map(({ event }) => event)).toEqual(['opened', 'opened', 'updated']);
  });
});

describe('behind one address that many share', () => {
  const NAT = '192.0.2.9';
  const nat = (user: string | null) => ({ ...clientOf(NAT), user });
  const facts = { users: 200, requests: 90_000, firstSeenMs: DAY - 1 };
  const by = (user: string, fields: Parameters<typeof actorOf>[0] = {}) =>
    actorOf({ id: user, subject: { kind: 'user', key: user }, client: nat(user), users: [user], facts, ...fields });
  const requestOf = (user: string | null, explanationKey: string, kind: Finding['kind'] = 'statement') => ({
    ...verdictOf({ findings: [findingOf({ kind, explanationKey })] }),
    client: nat(user),
  });
  const told = ({ alerts }: ReturnType<typeof keeperOf>) =>
    alerts.map(({ event, incident: { entity } }) => `${event} ${entity}`);

  it('abuse of two users is two stories, of one another kind of abuse is his own', () => {
    const running = keeperOf();
    running.keeper.actor(by('ann'), DAY);
    running.keeper.actor(by('bob', { traceIds: [] }), DAY + 1);
    running.keeper.actor(by('cyd', { abuse: 'scraping', traceIds: [] }), DAY + 2);
    running.keeper.actor(by('ann', { id: 'ann 2', abuse: 'scraping', traceIds: [] }), DAY + 3);
    expect(told(running)).toEqual(['opened user ann', 'opened user bob', 'opened user cyd']);
  });

  it('what nobody named does there is not hers; of a user whatever she does is, also after a restart', () => {
    const first = keeperOf();
    first.keeper.actor(by('ann'), DAY);
    const { feed, keeper } = keeperOf({}, first.snapshot());
    feed(requestOf(null, 'q', 'attack-pattern'), DAY + 1);
    feed(requestOf('ann', 'hers'), DAY + 2);
    feed(requestOf(null, 'nobody’s'), DAY + 3);
    keeper.actor(actorOf({ id: 'scan', abuse: 'scanning', client: nat(null), facts, traceIds: [] }), DAY + 4);
    expect(keeper.open().map(({ entity, findings }) => [entity, findings.map(({ kind }) => kind)])).toEqual([
      ['user ann', ['actor', 'statement']],
      [NAT, ['attack-pattern', 'statement', 'actor']],
    ]);
  });

  it('requests that name two users are two stories; those that name nobody a third, until somebody is named', () => {
    const { keeper, feed } = keeperOf();
    keeper.actor(actorOf({ abuse: '', client: nat(null), facts }), DAY);
    feed(requestOf('ann', 'one'), DAY + 1);
    feed(requestOf('bob', 'two'), DAY + 2);
    feed(requestOf(null, 'three'), DAY + 3);
    expect(keeper.open().map(({ users }) => users)).toEqual([['ann'], ['bob'], []]);
    feed(requestOf('cyd', 'four'), DAY + 4);
    expect(keeper.open().map(({ users }) => users)).toEqual([['ann'], ['bob'], ['cyd']]);
  });

  it('and behind one that a household shares they are one story, with an update of each', () => {
    const running = keeperOf();
    const few = { ...facts, users: 3 };
    running.keeper.actor(by('ann', { facts: few }), DAY);
    running.keeper.actor(by('bob', { facts: few, traceIds: [] }), DAY + 1);
    running.keeper.actor(by('bob', { facts: few, traceIds: [], revision: 2 }), DAY + 2);
    running.keeper.actor(by('bob', { id: 'b2', facts: few, abuse: 'scraping', traceIds: [] }), DAY + 3);
    running.keeper.actor(by('cyd', { facts: few, traceIds: [] }), DAY + 4);
    expect(told(running)).toEqual(['opened user ann', 'updated user ann', 'updated user ann']);
  });

  it('another user in an incident of requests is told of, in powers of two', () => {
    const { feed, alerts, only } = keeperOf();
    for (const user of ['u1', 'u2', 'u2', 'u3', 'u4', 'u5']) feed(requestOf(user, 'one'), DAY + 1);
    expect(alerts.map(({ event, incident: { users } }) => [event, users.length])).toEqual([
      ['opened', 1],
      ['updated', 2],
      ['updated', 4],
    ]);
    expect(only().story.timeline.map(({ text }) => text)).toContain('another user: statement in catalog');
  });
});

describe('never blamed', () => {
  const notice = actorOf({
    id: 'n1',
    abuse: 'attribution',
    subject: { kind: 'network', key: '10.0.0.0/24' },
    client: { ...clientOf('10.0.0.5'), source: 'peer' },
    seen: '10.0.0.5 carries 94 % of all requests',
  });

  it('our own configuration makes one notice, of telemetry, whatever it says more', () => {
    const { keeper, alerts, only } = keeperOf();
    keeper.actor(notice, DAY);
    keeper.actor({ ...notice, revision: 2 }, DAY + 1);
    keeper.actor({ ...notice, id: 'n2', subject: { kind: 'client', key: '172.16.0.9' } }, DAY + 2);
    expect(alerts.map(({ event, incident }) => [event, incident.class, incident.kind])).toEqual([
      ['opened', 'telemetry', 'attribution'],
    ]);
    expect(only()).toMatchObject({ clients: [], client: { address: null } });
    expect(only().findings.map(({ explanationKey }) => explanationKey)).toEqual(['10.0.0.0/24', '172.16.0.9']);
  });

  it('a client that a notice covers is shown with that reason; nothing is merged by it', () => {
    const { keeper, feed, rows } = keeperOf();
    feed(verdictOf({ client: '10.0.0.5' }), DAY);
    expect([...rows.values()][0]!.client.confidence).toBe('high');
    keeper.actor(notice, DAY + 1);
    feed(verdictOf({ client: '10.0.0.5', findings: [egress] }), DAY + 2);
    feed(verdictOf({ client: '10.0.0.77', findings: [findingOf({ explanationKey: 'x' })] }), DAY + 3);
    const security = [...rows.values()].filter((one) => one.class === 'security');
    expect(security).toHaveLength(3);
    for (const { client } of security) expect(client).toMatchObject({ confidence: 'low', reason: 'misconfigured' });
  });

  it('nor one of which an actor’s facts say so, not even after a restart', () => {
    const first = keeperOf();
    const facts = { users: 40, requests: 9_000, firstSeenMs: DAY, misattributed: true };
    first.keeper.actor(actorOf({ abuse: '', client: clientOf('192.0.2.1'), facts }), DAY);
    const second = keeperOf({}, first.snapshot());
    second.feed(verdictOf({ client: '192.0.2.1' }), DAY + 1);
    expect(second.only().client).toMatchObject({ address: '192.0.2.1', confidence: 'low', reason: 'misconfigured' });
    expect(second.only().story.risk).toBe(0);
  });

  const said = (kind: 'one-client' | 'ranges' | 'no-client', key: string) =>
    noticeRecord({ kind, key, requests: 9_400, share: 0.94, users: 40, atMs: DAY });
  const pattern = findingOf({ kind: 'attack-pattern', service: 'gateway', operation: 'GET /search' });
  const patternOf = (client: string, explanationKey = 'x') =>
    verdictOf({ client, findings: [{ ...pattern, explanationKey }] });

  it.each([
    ['one-client', '203.0.113.5', '203.0.113.5', '203.0.113.6'],
    ['ranges', 'private', '10.9.8.7', '203.0.113.6'],
    ['ranges', 'private', '100.64.0.9', '104.16.3.4'],
    ['ranges', 'CDN', '104.16.3.4', '10.9.8.7'],
  ] as const)('a notice of %s %s covers %s, and not %s', (kind, key, covered, other) => {
    const { keeper, feed, rows } = keeperOf();
    feed(patternOf(covered, 'before'), DAY);
    keeper.actor(said(kind, key), DAY + 1);
    feed(patternOf(covered), DAY + 2);
    feed(verdictOf({ client: covered }), DAY + 600_000); // nothing is merged by it
    feed(patternOf(other, 'own'), DAY + 600_001);
    feed(verdictOf({ client: other, findings: [egress] }), DAY + 600_002);
    const told = [...rows.values()].map(({ entity, client: { address, reason } }) => [entity, address, reason]);
    expect(told).toEqual([
      ['gateway GET /search', covered, 'misconfigured'],
      [key === 'private' || key === 'CDN' ? `${key} addresses` : key, null, 'many-requests'],
      ['gateway GET /search', covered, 'misconfigured'],
      ['catalog GET /search', covered, 'misconfigured'],
      [other, other, ''],
    ]);
  });

  it('where most requests have no client, a client that is known is blamed as before', () => {
    const { keeper, feed, rows } = keeperOf();
    keeper.actor(said('no-client', ''), DAY);
    feed(patternOf(FIRST), DAY + 1);
    expect([...rows.values()].map(({ title, entity }) => [title, entity])).toEqual([
      ['Clients cannot be told apart: requests without a client', 'requests without a client'],
      ['Attack pattern in a parameter: x', FIRST],
    ]);
  });

  it('a notice that is read again is not older for it', () => {
    const { keeper, snapshot } = keeperOf();
    keeper.actor(said('one-client', '203.0.113.5'), DAY);
    keeper.actor({ ...said('one-client', '203.0.113.6'), id: 'later', atMs: DAY + 5 }, DAY + 5);
    const before = snapshot().notices;
    keeper.actor(said('one-client', '203.0.113.5'), DAY + 6);
    keeper.actor({ ...said('one-client', '203.0.113.6'), atMs: DAY + 1 }, DAY + 6);
    expect(snapshot().notices).toEqual(before);
  });

  it('a pattern through a covered address is held against the operation, not the address', () => {
    const { keeper, feed, rows } = keeperOf();
    keeper.actor(notice, DAY);
    feed(verdictOf({ client: '10.0.0.5', findings: [pattern] }), DAY + 1);
    expect([...rows.values()].at(-1)!.entity).toBe('gateway GET /search');
  });
});

describe('where nobody knows the client', () => {
  const calls = storyOf({
    seen: [
      { depth: 0, call: 'gateway server POST /orders', count: 1, mark: '' },
      { depth: 1, call: 'orders server POST /orders', count: 1, mark: '' },
      { depth: 2, call: 'payments%20eu server POST /charge', count: 1, mark: 'extra' },
    ],
  });
  const at = (service: string, seconds: number, fields: Partial<Finding> = {}): Finding =>
    findingOf({
      service,
      explanationKey: service,
      startMs: DAY + seconds * 1_000,
      endMs: DAY + seconds * 1_000,
      ...fields,
    });
  const unknown = (finding: Finding) => ({ ...verdictOf({ client: null, findings: [finding] }), story: calls });
  const play = (...findings: Finding[]) => {
    const running = keeperOf();
    for (const [i, finding] of findings.entries()) running.feed(unknown(finding), DAY + i);
    return running;
  };

  it('neighbouring services are one story when their evidence is half a minute apart; each novelty is told', () => {
    const { keeper, alerts } = play(at('orders', 0), at('payments eu', 25, { kind: 'egress' }));
    expect(keeper.open().map(({ services }) => services)).toEqual([['orders', 'payments eu']]);
    expect(alerts.map(({ event }) => event)).toEqual(['opened', 'updated']);
  });

  it('not when it is further apart, of services that do not call each other, or of another class', () => {
    expect(play(at('orders', 0), at('payments eu', 31)).keeper.open()).toHaveLength(2);
    expect(play(at('gateway', 0), at('payments eu', 1)).keeper.open()).toHaveLength(2);
    expect(play(at('orders', 0), at('gateway', 1, { kind: 'status' })).keeper.open()).toHaveLength(2);
  });

  it('and never with what somebody known did', () => {
    const { keeper, feed } = keeperOf();
    feed({ ...verdictOf({ client: FIRST, findings: [at('orders', 0)] }), story: calls }, DAY);
    feed(unknown(at('payments eu', 1)), DAY + 1);
    expect(keeper.open()).toHaveLength(2);
  });
});
