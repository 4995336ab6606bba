/** What becomes of incidents that meet a rule: made, refused by a rail, ended, undone; the same over replays. */
import { describe, expect, it } from 'vitest';
import type { DecisionSnapshot } from '../../../responder/decisions/core.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import type { Incident } from '../../../schemas/alerts/incident.ts';
import { responseSection } from '../../../schemas/config/response.ts';
import { decisionOf } from './decided.ts';
import { ATTACKER, actorOf, BAN, clientRecord, DAY, decidingOf, HOUR, incidentOf, MINUTE } from './deciding.ts';

describe('a decision', () => {
  it('is made for an incident that meets a rule, once it is known how many share the address', () => {
    const { core, rows } = decidingOf();
    core.incident(incidentOf({ risk: 71 }), DAY);
    expect(rows).toEqual([]);
    core.actor(actorOf({ risk: 71 }), DAY + 400);
    expect(rows).toMatchObject([
      {
        state: 'enforced',
        scope: 'ip',
        value: ATTACKER,
        target: 'everything',
        incidentId: 'incident-1',
        reason: 'ban: Database statement never seen before',
        scenario: 'statement',
        risk: 71,
        createdMs: DAY + 400,
        expiresMs: DAY + 400 + HOUR,
        revision: 1,
      },
    ]);
    expect(rows[0]!.number).toBeGreaterThan(0);
    expect(rows[0]!.number).toBeLessThan(2 ** 31);
  });

  it('is only simulated in mode simulate', () => {
    const { core, states } = decidingOf({ mode: 'simulate' });
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    expect(states()).toEqual(['simulated']);
  });

  it('enforced before the mode was changed to simulate is ended', () => {
    const before = decidingOf();
    before.core.actor(actorOf(), DAY);
    before.core.incident(incidentOf(), DAY);
    const { core, states, rows } = decidingOf({ mode: 'simulate' }, {}, before.snapshot());
    expect(states()).toEqual(['undone']);
    expect(rows[0]).toMatchObject({ id: before.rows[0]!.id, revision: 2, undoneBy: 'spanwarden' });
    expect(core.inForce()).toEqual([]);
    expect(decidingOf({}, {}, before.snapshot()).core.inForce()).toHaveLength(1);
  });

  it('ends by itself, and is made again only when the incident is hit again', () => {
    const { core, states, rows } = decidingOf();
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    core.advance(DAY + HOUR - 1);
    expect(states()).toEqual(['enforced']);
    core.advance(DAY + 3 * HOUR);
    expect(states()).toEqual(['enforced', 'expired']);
    expect(rows[1]).toMatchObject({ id: rows[0]!.id, revision: 2, expiresMs: DAY + HOUR });
    core.incident(incidentOf({ revision: 2, lastHitMs: DAY + MINUTE }), DAY + 3 * HOUR); // told again, not hit again
    expect(states()).toEqual(['enforced', 'expired']);
    core.incident(incidentOf({ revision: 3, lastHitMs: DAY + 3 * HOUR }), DAY + 3 * HOUR);
    expect(states()).toEqual(['enforced', 'expired', 'enforced']);
    expect(rows[2]!.id).not.toBe(rows[0]!.id);
  });

  it('is never in force longer than the configuration allows', () => {
    const { core, rows } = decidingOf({ rules: [{ ...BAN, durationMs: 20 * HOUR }], maxDurationMs: 2 * HOUR });
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    expect(rows[0]!.expiresMs).toBe(DAY + 2 * HOUR);
  });

  it('is one, however many incidents and rules say the same', () => {
    const { core, rows } = decidingOf({ rules: [BAN, { ...BAN, name: 'again', durationMs: 2 * HOUR }] });
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    core.incident(incidentOf({ id: 'incident-2' }), DAY + 1);
    core.incident(incidentOf({ revision: 2 }), DAY + 2);
    expect(rows).toHaveLength(1);
    expect(core.inForce()).toHaveLength(1);
  });

  it.each([
    ['another class', {}, { class: 'operational' }],
    ['another kind', { kinds: ['actor'] }, {}],
    ['one that is not certain', {}, { hard: false }],
    ['too little risk', { minRisk: 50 }, { risk: 49 }],
    ['an earlier stage', { minStage: 'exploitation' }, { stages: ['reconnaissance', 'probing'] }],
    ['what a release brought', { hard: false }, { kind: 'release' }],
  ] as const)('is not made for %s', (_, rule, incident) => {
    const { core, rows } = decidingOf({ rules: [{ ...BAN, ...rule }] });
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(incident as Partial<Incident>), DAY);
    core.advance(DAY + HOUR);
    expect(rows).toEqual([]);
  });

  it('counts what is known of the actor beside what the incident tells: risk and stage come when they come', () => {
    const { core, states } = decidingOf({ rules: [{ ...BAN, minStage: 'exploitation', minRisk: 60 }] });
    core.incident(incidentOf(), DAY);
    core.actor(actorOf({ risk: 30 }), DAY + 1);
    expect(states()).toEqual([]);
    core.actor(
      actorOf({
        risk: 61,
        revision: 2,
        stages: [{ stage: 'access', technique: '', by: 'x', firstMs: DAY, lastMs: DAY, count: 1 }],
      }),
      DAY + 2,
    );
    expect(states()).toEqual(['enforced']);
  });

  it('is made about another client of the incident only for what is known of that one itself', () => {
    const second = clientRecord('203.0.113.8');
    const incident = incidentOf({ risk: 95, stages: ['access'], clients: [ATTACKER, '203.0.113.8', '203.0.113.9'] });
    const { core, rows } = decidingOf({ rules: [{ ...BAN, minStage: 'exploitation', minRisk: 60 }] });
    const knownAs = (key: string, risk: number, stage?: 'probing' | 'access') =>
      actorOf({
        subject: { kind: 'client', key },
        risk,
        stages: stage ? [{ stage, technique: '', by: 'x', firstMs: DAY, lastMs: DAY, count: 1 }] : [],
      });
    core.actor(knownAs(ATTACKER, 95), DAY);
    core.actor(knownAs('203.0.113.8', 95, 'probing'), DAY);
    core.actor(knownAs('203.0.113.9', 95, 'access'), DAY);
    core.incident(incident, DAY, { client: second });
    expect(rows.map(({ value }) => value)).toEqual([ATTACKER]);
    core.incident({ ...incident, revision: 2 }, DAY + 1); // nobody’s doing
    core.incident({ ...incident, revision: 3, clients: [ATTACKER] }, DAY + 1, { client: clientRecord('203.0.113.9') });
    expect(rows).toHaveLength(1);
    core.incident({ ...incident, revision: 4 }, DAY + 2, { client: clientRecord('203.0.113.9') });
    expect(rows.map(({ value }) => value)).toEqual([ATTACKER, '203.0.113.9']);
    core.actor({ ...knownAs('203.0.113.8', 61, 'access'), revision: 2, atMs: DAY + 3 }, DAY + 3);
    expect(rows.map(({ value }) => value)).toEqual([ATTACKER, '203.0.113.9', '203.0.113.8']);
  });

  it('made again after all of it was forgotten is another one: its rows are not older than those', () => {
    const { core, rows } = decidingOf();
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    const later = DAY + 9 * 24 * HOUR;
    core.advance(later - 1);
    core.actor(actorOf({ revision: 2, atMs: later }), later);
    core.incident(incidentOf({ revision: 2, lastHitMs: later }), later, { client: clientRecord(ATTACKER) });
    expect(rows.map(({ state, revision }) => [state, revision])).toEqual([
      ['enforced', 1],
      ['expired', 2],
      ['enforced', 1],
    ]);
    expect(rows[2]!.id).not.toBe(rows[0]!.id);
  });

  it('is not made again for what another client does', () => {
    const { core, states } = decidingOf();
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    const later = DAY + 2 * HOUR;
    const incident = incidentOf({ revision: 2, lastHitMs: later, clients: [ATTACKER, '203.0.113.8'] });
    core.incident(incident, later, { client: clientRecord('203.0.113.8') });
    expect(states()).toEqual(['enforced', 'expired']);
    core.incident({ ...incident, revision: 3, lastHitMs: later + 1 }, later + 1, { client: clientRecord(ATTACKER) });
    expect(states()).toEqual(['enforced', 'expired', 'enforced']);
  });

  it('is not made again for what an unknown client did, whatever is then told of the incident', () => {
    const { core, states } = decidingOf();
    core.actor(actorOf(), DAY);
    core.incident(incidentOf({ lastHitBy: ATTACKER }), DAY, { client: clientRecord(ATTACKER) });
    const later = DAY + 2 * HOUR;
    const incident = incidentOf({ revision: 2, lastHitMs: later, lastHitBy: null });
    core.incident(incident, later, { client: clientRecord(null) });
    core.incident({ ...incident, revision: 3 }, later + 1); // acknowledged
    expect(states()).toEqual(['enforced', 'expired']);
    core.incident({ ...incident, revision: 4, lastHitMs: later + 2, lastHitBy: ATTACKER }, later + 2); // judged after a wait
    expect(states()).toEqual(['enforced', 'expired', 'enforced']);
  });

  it('is not made long after a hit that the decision of another incident covered', () => {
    for (const restarted of [false, true]) {
      const first = decidingOf();
      first.core.actor(actorOf(), DAY);
      first.core.incident(incidentOf(), DAY);
      const hitMs = DAY + HOUR / 2;
      first.core.incident(incidentOf({ id: 'incident-2', openedMs: hitMs, lastHitMs: hitMs }), hitMs);
      first.core.advance(DAY + HOUR + 1);
      const { core, rows } = restarted ? decidingOf({}, {}, first.snapshot()) : first;
      const before = rows.length;
      core.actor(actorOf({ revision: 2, atMs: hitMs + HOUR }), hitMs + HOUR); // more is known, and nobody did anything
      expect(rows).toHaveLength(before);
      core.incident(incidentOf({ id: 'incident-2', openedMs: hitMs, lastHitMs: DAY + 2 * HOUR }), DAY + 2 * HOUR);
      expect(rows.at(-1)).toMatchObject({ state: 'enforced', incidentId: 'incident-2', createdMs: DAY + 2 * HOUR });
    }
  });

  it('is not made again when another client opens the incident again', () => {
    const { core, states, rows } = decidingOf();
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    core.incident(incidentOf({ revision: 2, state: 'closed', closedMs: DAY + HOUR }), DAY + 2 * HOUR);
    const later = DAY + 3 * HOUR;
    core.actor(actorOf({ subject: { kind: 'client', key: '203.0.113.8' }, atMs: later }), later);
    const second = clientRecord('203.0.113.8');
    const incident = incidentOf({ revision: 3, lastHitMs: later, clients: [ATTACKER, '203.0.113.8'], occurrences: 2 });
    core.incident(incident, later, { client: second });
    core.incident({ ...incident, revision: 4, client: second }, later + 1, { client: second });
    expect(states()).toEqual(['enforced', 'expired', 'enforced']);
    expect(rows[2]!.value).toBe('203.0.113.8');
  });

  it('about named operations and about reduced rights names what it is about', () => {
    const { core, rows } = decidingOf({
      rules: [
        { name: 'pay', target: 'operations', operations: ['POST /checkout', '* /admin/**'] },
        { name: 'user', scope: 'user', target: 'reduced-rights' },
      ],
    });
    core.actor(actorOf(), DAY);
    core.actor(actorOf({ subject: { kind: 'user', key: 'mallory' } }), DAY);
    core.incident(incidentOf({ client: clientRecord(ATTACKER, { user: 'mallory' }) }), DAY);
    expect(rows.map(({ scope, value, target, operations }) => ({ scope, value, target, operations }))).toEqual([
      { scope: 'ip', value: ATTACKER, target: 'operations', operations: ['POST /checkout', '* /admin/**'] },
      { scope: 'user', value: 'mallory', target: 'reduced-rights', operations: [] },
    ]);
  });

  it('about a range is made only where the abuse was the range’s', () => {
    const rule = { ...BAN, scope: 'range' };
    const { core, rows, states } = decidingOf({ rules: [rule] });
    core.actor(actorOf(), DAY);
    core.incident(incidentOf(), DAY);
    expect(rows).toEqual([]);
    const network = actorOf({ subject: { kind: 'network', key: '203.0.113.0/24' }, abuse: 'credential-stuffing' });
    core.actor(network, DAY + 10);
    expect(states()).toEqual(['enforced']);
    expect(rows[0]).toMatchObject({ scope: 'range', value: '203.0.113.0/24' });
  });

  it('about a range names the network that an incident is held against, where nobody else is named', () => {
    const { core, rows, states } = decidingOf({
      rules: [
        { ...BAN, scope: 'range', minRisk: 40 },
        { ...BAN, name: 'ip' },
      ],
    });
    const subject = { kind: 'network', key: '203.0.113.0/24' } as const;
    core.actor(actorOf({ subject, abuse: 'credential-stuffing', risk: 58 }), DAY);
    core.incident(
      incidentOf({ kind: 'actor', client: clientRecord(null), entity: subject.key, clients: [ATTACKER] }),
      DAY,
    );
    expect(states()).toEqual(['enforced']);
    expect(rows[0]).toMatchObject({ scope: 'range', value: '203.0.113.0/24', risk: 58 });
  });

  it('says nothing that could break a line: titles come from telemetry', () => {
    const { core, rows } = decidingOf();
    core.actor(actorOf(), DAY);
    core.incident(incidentOf({ title: `a\r\nb\u0000\u001b[31m\u202e${'x'.repeat(5_000)}` }), DAY);
    expect(rows[0]!.reason).toMatch(/^ban: a b \[31m x+$/);
    expect(rows[0]!.reason.length).toBeLessThanOrEqual(300);
  });

  it('by default bans certain attacks that got through, and reduces the rights of what abuses', () => {
    const settings = { rules: responseSection.parse({}).rules };
    const soft = decidingOf(settings);
    soft.core.actor(actorOf({ risk: 60 }), DAY);
    soft.core.incident(incidentOf({ stages: ['exploitation'] }), DAY);
    soft.core.actor(actorOf({ risk: 90, subject: { kind: 'client', key: '203.0.113.8' } }), DAY);
    const other = { client: clientRecord('203.0.113.8') };
    soft.core.incident(incidentOf({ ...other, id: 'i1' }), DAY); // nothing got through
    soft.core.incident(incidentOf({ ...other, id: 'i2', stages: ['exploitation'], hard: false }), DAY);
    expect(soft.rows).toEqual([]);
    soft.core.incident(incidentOf({ ...other, id: 'i3', stages: ['exploitation'] }), DAY);
    soft.core.incident(incidentOf({ id: 'i4', kind: 'actor' }), DAY);
    expect(soft.rows.map(({ target }) => target)).toEqual(['everything', 'reduced-rights']);
  });
});

describe('a rail', () => {
  const refusal = (settings: object, attribution: object, incident: Partial<Incident>, facts = true): string[] => {
    const { core, states } = decidingOf(settings, attribution);
    const client = incident.client ?? clientRecord(ATTACKER);
    if (facts && client.address !== null)
      core.actor(actorOf({ subject: { kind: 'client', key: client.address } }), DAY);
    if (facts && client.user !== null) core.actor(actorOf({ subject: { kind: 'user', key: client.user } }), DAY);
    core.incident(incidentOf(incident), DAY);
    core.advance(DAY + HOUR / 2);
    return states();
  };

  it.each([
    ['a trusted proxy', {}, { trustedProxies: ['203.0.113.0/24'] }, ATTACKER, 'proxy'],
    ['a trusted proxy of one service', {}, { services: { edge: { trustedProxies: [ATTACKER] } } }, ATTACKER, 'proxy'],
    [
      'a proxy that may set a header',
      {},
      { singleValueHeaders: [{ header: 'cf-connecting-ip', proxies: ['203.0.113.0/25'] }] },
      ATTACKER,
      'proxy',
    ],
    ['our own infrastructure', { ownInfrastructure: ['203.0.113.7'] }, {}, ATTACKER, 'infrastructure'],
    ['an allow-list', { allow: ['203.0.112.0/23'] }, {}, ATTACKER, 'allow-list'],
    ['an allow-list in IPv6', { allow: ['2001:db8::/32'] }, {}, '2001:db8:1::5', 'allow-list'],
    ['a private address', {}, {}, '10.1.2.3', 'private'],
    ['a private address in IPv6', {}, {}, 'fd00::5', 'private'],
    ['a shared address of a carrier', {}, {}, '100.64.1.1', 'private'],
    ['loopback', { allowPrivate: true }, {}, '127.0.0.1', 'special'],
    ['loopback in IPv6', { allowPrivate: true }, {}, '::1', 'special'],
    ['link-local', { allowPrivate: true }, {}, '169.254.169.254', 'special'],
    ['link-local in IPv6', { allowPrivate: true }, {}, 'fe80::1', 'special'],
    ['everybody', { allowPrivate: true }, {}, '0.0.0.0', 'special'],
    ['many at once', {}, {}, '224.0.0.1', 'special'],
    ['all', {}, {}, '255.255.255.255', 'special'],
  ])('refuses %s', (_, settings, attribution, address, rail) => {
    expect(refusal(settings, attribution, { client: clientRecord(address) })).toEqual([`refused ${rail}`]);
  });

  it('lets a private address pass where clients have such', () => {
    expect(refusal({ allowPrivate: true }, {}, { client: clientRecord('10.1.2.3') })).toEqual(['enforced']);
  });

  it.each(['low', 'none'] as const)('refuses a client of %s confidence, whatever a rule says', (confidence) => {
    const rules = [{ ...BAN, minConfidence: 'medium' }];
    expect(refusal({ rules }, {}, { client: clientRecord(ATTACKER, { confidence }) })).toEqual(['refused confidence']);
    const users = [{ ...BAN, scope: 'user', minConfidence: 'medium' }];
    const client = clientRecord(ATTACKER, { confidence, user: 'ana' });
    expect(refusal({ rules: users }, {}, { client })).toEqual(['refused confidence']);
  });

  it('refuses medium confidence unless the rule is content with it', () => {
    const client = clientRecord(ATTACKER, { confidence: 'medium' });
    expect(refusal({}, {}, { client })).toEqual(['refused confidence']);
    expect(refusal({ rules: [{ ...BAN, minConfidence: 'medium' }] }, {}, { client })).toEqual(['enforced']);
  });

  it('says which setting would make sure a client whose headers disagree', () => {
    const { core, rows } = decidingOf();
    core.actor(actorOf(), DAY);
    core.incident(
      incidentOf({ client: clientRecord(ATTACKER, { confidence: 'medium', reason: 'headers-disagree' }) }),
      DAY,
    );
    expect(rows.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^confidence: .*attribution\.forwarding$/),
    ]);
  });

  it('refuses when nobody knows how many share the address, after a while; and decides when it becomes known', () => {
    const { core, states, rows } = decidingOf({ factsWaitMs: 10_000 });
    core.incident(incidentOf(), DAY);
    core.incident(incidentOf({ revision: 2 }), DAY + 5_000); // does not begin to wait anew
    core.advance(DAY + 9_999);
    expect(states()).toEqual([]);
    core.advance(DAY + 60_000);
    expect(states()).toEqual(['refused no-facts']);
    expect(rows[0]!.createdMs).toBe(DAY + 10_000);
    core.actor(actorOf({ atMs: DAY + 61_000 }), DAY + 61_000);
    expect(states()).toEqual(['refused no-facts', 'enforced']);
    expect(rows[1]).toMatchObject({ id: rows[0]!.id, revision: 2 });
  });

  it('refuses an address that more users share than the limit', () => {
    const { core, states } = decidingOf({ maxUsersPerAddress: 3 });
    core.actor(actorOf({ shared: 3 }), DAY);
    core.incident(incidentOf(), DAY);
    core.actor(actorOf({ shared: 4, subject: { kind: 'client', key: '203.0.113.8' } }), DAY);
    core.incident(incidentOf({ id: 'nat', client: clientRecord('203.0.113.8') }), DAY);
    expect(states()).toEqual(['enforced', 'refused shared']);
  });

  it('refuses what was seen to forward for others: hops, and the socket peer of another client', () => {
    for (const client of [
      clientRecord('198.51.100.9', { hops: [ATTACKER] }),
      clientRecord('198.51.100.9', { peer: ATTACKER }),
    ]) {
      const { core, states } = decidingOf();
      core.actor(actorOf(), DAY);
      core.client(client, DAY);
      core.incident(incidentOf(), DAY);
      expect(states()).toEqual(['refused proxy']);
    }
    const { core, states } = decidingOf();
    core.actor(actorOf(), DAY);
    core.client(clientRecord(ATTACKER, { peer: ATTACKER }), DAY); // a client that connects by itself is no proxy
    core.incident(incidentOf(), DAY);
    expect(states()).toEqual(['enforced']);
  });

  it.each([
    [{ hops: [ATTACKER] }, {}],
    [{ peer: ATTACKER }, {}],
    [{ hops: ['203.0.113.9'] }, { rules: [{ ...BAN, scope: 'range' }] }],
  ])('takes nobody for a proxy for ever who was once seen as one: %j', (seen, settings) => {
    const { core, states } = decidingOf(settings);
    const entity = 'rules' in settings ? '203.0.113.0/24' : ATTACKER;
    const subject = { kind: 'rules' in settings ? 'network' : 'client', key: entity } as const;
    const at = (atMs: number, n: number): void => {
      core.actor(actorOf({ subject, abuse: 'scanning', atMs }), atMs);
      core.incident(incidentOf({ id: `i${n}`, entity, openedMs: atMs, lastHitMs: atMs }), atMs);
    };
    core.client(clientRecord('198.51.100.9', seen), DAY);
    at(DAY + 23 * HOUR, 1);
    expect(states()).toEqual(['refused proxy']);
    core.client(clientRecord('198.51.100.9', seen), DAY + 23 * HOUR); // seen again: a day from then on
    at(DAY + 46 * HOUR, 2);
    expect(states().slice(1)).toEqual(['refused proxy']);
    at(DAY + 48 * HOUR, 3);
    core.client(clientRecord('198.51.100.10'), DAY + 48 * HOUR);
    expect(core.inForce()).toHaveLength(1);
    core.client(clientRecord('198.51.100.9', seen), DAY + 48 * HOUR + 1); // a proxy after all
    expect(core.inForce()).toEqual([]);
  });

  it.each([
    [
      'the notice of actors',
      (d: ReturnType<typeof decidingOf>) => d.core.actor(actorOf({ abuse: 'attribution' }), DAY),
    ],
    [
      'what is known of it',
      (d: ReturnType<typeof decidingOf>) =>
        d.core.actor(actorOf({ facts: { users: 1, requests: 9, firstSeenMs: DAY, misattributed: true } }), DAY),
    ],
    [
      'a notice of a network',
      (d: ReturnType<typeof decidingOf>) =>
        d.core.actor(actorOf({ abuse: 'attribution', subject: { kind: 'network', key: '203.0.113.0/24' } }), DAY),
    ],
    [
      'an incident of attribution',
      (d: ReturnType<typeof decidingOf>) =>
        d.core.incident(incidentOf({ id: 'notice', kind: 'attribution', class: 'telemetry' }), DAY),
    ],
  ])('refuses what %s covers, for a day', (_, tell) => {
    const deciding = decidingOf();
    deciding.core.actor(actorOf(), DAY);
    tell(deciding);
    deciding.core.incident(incidentOf(), DAY + 1);
    expect(deciding.states()).toEqual(['refused notice']);
    deciding.core.actor(actorOf({ atMs: DAY + 25 * HOUR, revision: 2 }), DAY + 25 * HOUR);
    expect(deciding.states()).toEqual(['refused notice', 'enforced']);
  });

  it.each([
    ['wider than /24', '203.0.112.0/23', {}, {}, 'too-wide'],
    ['wider than /64', '2001:db8::/63', {}, {}, 'too-wide'],
    ['that holds an allow-listed address', '203.0.113.0/24', { allow: ['203.0.113.200'] }, {}, 'allow-list'],
    ['that holds a proxy', '203.0.113.0/24', {}, { trustedProxies: ['203.0.113.1'] }, 'proxy'],
    ['that holds our own', '203.0.113.0/24', { ownInfrastructure: ['203.0.113.64/26'] }, {}, 'infrastructure'],
  ])('refuses a range %s', (_, range, settings, attribution, rail) => {
    const { core, states } = decidingOf({ rules: [{ ...BAN, scope: 'range' }], ...settings }, attribution);
    const client = clientRecord(range.includes(':') ? '2001:db8::1' : ATTACKER);
    const subject = { kind: 'network', key: range } as const;
    core.actor(actorOf({ subject, client, abuse: 'credential-stuffing' }), DAY);
    core.incident(incidentOf({ client }), DAY);
    expect(states()).toEqual([`refused ${rail}`]);
  });

  it('refuses a range whose addresses may be made up, and one behind whose addresses too many users are', () => {
    const subject = { kind: 'network', key: '203.0.113.0/24' } as const;
    const incident = incidentOf({ kind: 'actor', client: clientRecord(null), entity: subject.key });
    const spread = actorOf({ subject, abuse: 'credential-stuffing' });
    for (const confidence of ['low', 'none', undefined] as const) {
      const { core, states } = decidingOf({ rules: [{ ...BAN, scope: 'range', minConfidence: 'medium' }] });
      const { confidence: _, ...facts } = spread.facts;
      core.actor({ ...spread, facts: { ...facts, ...(confidence && { confidence }) } }, DAY);
      core.incident(incident, DAY);
      expect(states()).toEqual(['refused confidence']);
    }
    const { core, states } = decidingOf({ rules: [{ ...BAN, scope: 'range' }], maxUsersPerAddress: 5 });
    core.actor(spread, DAY);
    core.actor(actorOf({ subject: { kind: 'client', key: '203.0.113.8' }, shared: 3 }), DAY);
    core.actor(actorOf({ subject: { kind: 'client', key: '203.0.113.9' }, shared: 2 }), DAY);
    core.incident(incident, DAY);
    expect(states()).toEqual(['enforced']);
    core.actor(actorOf({ subject: { kind: 'client', key: '203.0.113.10' }, shared: 1, atMs: DAY + 1 }), DAY + 1);
    expect(states()).toEqual(['enforced', 'undone']);
  });

  it('refuses a range that holds an address seen to forward, or one that a notice covers', () => {
    for (const first of [
      actorOf({
        subject: { kind: 'client', key: '198.51.100.1' },
        client: clientRecord('198.51.100.1', { hops: ['203.0.113.90'] }),
      }),
      actorOf({ abuse: 'attribution', subject: { kind: 'client', key: '203.0.113.90' } }),
    ]) {
      const { core, states } = decidingOf({ rules: [{ ...BAN, scope: 'range' }] });
      core.actor(first, DAY);
      const subject = { kind: 'network', key: '203.0.113.0/24' } as const;
      core.actor(actorOf({ subject, abuse: 'credential-stuffing' }), DAY);
      core.incident(incidentOf(), DAY);
      expect(states()[0]).toMatch(/^refused (proxy|notice)$/);
    }
  });

  it('refuses a user on the allow-list, and one whose name redaction hides', () => {
    const rules = [{ ...BAN, scope: 'user' }];
    const about = (user: string) => ({ client: clientRecord(ATTACKER, { user }) });
    expect(refusal({ rules, allowUsers: ['support'] }, {}, about('support'))).toEqual(['refused allow-list']);
    expect(refusal({ rules }, {}, about('[redacted]'))).toEqual(['refused no-user']);
    expect(refusal({ rules }, {}, about('mallory'))).toEqual(['enforced']);
  });

  it('refuses more decisions than so many an hour of the log', () => {
    const { core, states } = decidingOf({ maxDecisionsPerHour: 3 });
    const attack = (i: number, atMs: number): void => {
      core.actor(actorOf({ subject: { kind: 'client', key: `198.51.100.${i}` }, atMs }), atMs);
      core.incident(
        incidentOf({ id: `i${i}`, client: clientRecord(`198.51.100.${i}`), openedMs: atMs, lastHitMs: atMs }),
        atMs,
      );
    };
    for (let i = 1; i <= 5; i++) attack(i, DAY + i * MINUTE);
    expect(states()).toEqual(['enforced', 'enforced', 'enforced', 'refused cap', 'refused cap']);
    attack(6, DAY + 61.5 * MINUTE);
    expect(states().slice(5)).toEqual(['expired', 'enforced']);
  });

  it('lifts what is in force when it turns out to be shared, a proxy or covered by a notice', () => {
    const turns: ((core: ReturnType<typeof decidingOf>['core']) => void)[] = [
      (core) => core.actor(actorOf({ shared: 200, revision: 2, atMs: DAY + 5 }), DAY + 5),
      (core) => core.client(clientRecord('198.51.100.9', { hops: [ATTACKER] }), DAY + 5),
      (core) => core.incident(incidentOf({ id: 'n', kind: 'attribution', class: 'telemetry' }), DAY + 5),
    ];
    for (const turn of turns) {
      const { core, states, rows } = decidingOf();
      core.actor(actorOf(), DAY);
      core.incident(incidentOf(), DAY);
      turn(core);
      expect(states()).toEqual(['enforced', 'undone']);
      expect(rows[1]).toMatchObject({ undoneBy: 'spanwarden', undoneMs: DAY + 5, revision: 2 });
      expect(rows[1]!.reason).toContain('lifted: ');
      expect(core.inForce()).toEqual([]);
    }
  });
});

describe('an undone decision', () => {
  const undo = (about: string, atMs = DAY + MINUTE) =>
    ({ about, action: 'undo', by: 'ana', comment: 'my mother', atMs }) as const;

  it('is lifted by its id, its address, or an address in its range, and not made again for that incident', () => {
    for (const about of ['id', ATTACKER, `::ffff:${ATTACKER}`]) {
      const { core, states, rows } = decidingOf();
      core.actor(actorOf(), DAY);
      core.incident(incidentOf(), DAY);
      expect(core.action(undo(about === 'id' ? rows[0]!.id : about), DAY + MINUTE)).toBe(1);
      expect(rows[1]).toMatchObject({ state: 'undone', undoneBy: 'ana', undoneMs: DAY + MINUTE });
      expect(rows[1]!.reason).toContain('my mother');
      core.incident(incidentOf({ lastHitMs: DAY + HOUR, revision: 3 }), DAY + HOUR);
      core.incident(incidentOf({ id: 'another that was open then' }), DAY + HOUR);
      expect(states()).toEqual(['enforced', 'undone']);
      core.incident(incidentOf({ id: 'a new one', openedMs: DAY + 2 * HOUR }), DAY + 2 * HOUR);
      expect(states()).toEqual(['enforced', 'undone', 'enforced']);
    }
    for (const about of [ATTACKER, '203.0.0.0/16']) {
      const { core, states } = decidingOf({ rules: [BAN, { ...BAN, scope: 'range' }] });
      core.actor(actorOf(), DAY);
      core.actor(actorOf({ subject: { kind: 'network', key: '203.0.113.0/24' }, abuse: 'scanning' }), DAY);
      core.incident(incidentOf(), DAY);
      expect(states()).toEqual(['enforced', 'enforced']);
      expect(core.action(undo(about), DAY + MINUTE)).toBe(2);
      expect(core.inForce()).toEqual([]);
    }
  });

  it('of a user, and of nothing that is there', () => {
    const { core } = decidingOf({ rules: [{ ...BAN, scope: 'user' }] });
    core.actor(actorOf({ subject: { kind: 'user', key: 'ana' } }), DAY);
    core.incident(incidentOf({ client: clientRecord(ATTACKER, { user: 'ana' }) }), DAY);
    expect(core.action(undo('somebody'), DAY)).toBe(0);
    expect(core.action(undo('ana'), DAY)).toBe(1);
  });

  it('also where it was still to be made', () => {
    const { core, states } = decidingOf();
    core.incident(incidentOf(), DAY);
    expect(core.action(undo(ATTACKER, DAY + 1), DAY + 1)).toBe(0);
    core.actor(actorOf(), DAY + 2);
    core.advance(DAY + HOUR);
    expect(states()).toEqual([]);
  });

  it('is also what becomes of it when the incident was expected, or nothing of it is left; not when it is quiet', () => {
    const ends: readonly (readonly [Partial<Incident>, boolean, string[]])[] = [
      [{ state: 'expected' }, false, ['enforced', 'undone']],
      [{ state: 'closed' }, true, ['enforced', 'undone']],
      [{ state: 'closed' }, false, ['enforced']],
      [{ state: 'merged', mergedInto: 'x' }, false, ['enforced']],
    ];
    for (const [fields, withdrawn, expected] of ends) {
      const { core, states } = decidingOf();
      core.actor(actorOf(), DAY);
      core.incident(incidentOf(), DAY);
      core.incident(incidentOf({ ...fields, revision: 2 }), DAY + 1, { withdrawn });
      expect(states()).toEqual(expected);
    }
  });
});

describe('who shares an address', () => {
  const decided = (unnamedUsers: string, facts: Partial<ReturnType<typeof actorOf>['facts']>): string[] => {
    const { core, states } = decidingOf({ unnamedUsers, factsWaitMs: 0 });
    core.actor(actorOf({ facts: { users: 0, requests: 100, firstSeenMs: DAY, ...facts } }), DAY);
    core.incident(incidentOf(), DAY + 1);
    return states();
  };

  it.each([
    ['auto', { usersNamed: true }, 'enforced'],
    ['auto', {}, 'refused no-facts'],
    ['auto', { users: 1 }, 'refused no-facts'],
    ['auto', { users: 6 }, 'refused shared'],
    ['auto', { requests: 12 }, 'enforced'],
    ['unknown', { usersNamed: true }, 'refused no-facts'],
    ['unknown', { users: 1 }, 'enforced'],
    ['single', {}, 'enforced'],
    ['single', { users: 6 }, 'refused shared'],
  ] as const)('with unnamedUsers %s and %j: %s', (unnamedUsers, facts, expected) => {
    expect(decided(unnamedUsers, facts)).toEqual([expected]);
  });
});

describe('whose risk counts', () => {
  const rules = [
    { name: 'address', target: 'reduced-rights', minRisk: 40 },
    { name: 'user', scope: 'user', target: 'reduced-rights', minRisk: 40 },
    { name: 'range', scope: 'range', target: 'reduced-rights', minRisk: 40 },
  ];
  const NETWORK = '203.0.113.0/24';

  it('a neighbour is decided about for his own, not for his network’s', () => {
    const { core, rows } = decidingOf({ rules });
    core.actor(actorOf({ subject: { kind: 'network', key: NETWORK }, abuse: 'credential-stuffing', risk: 90 }), DAY);
    core.actor(actorOf({ risk: 3 }), DAY);
    const incident = incidentOf({
      kind: 'actor',
      entity: NETWORK,
      client: clientRecord(null),
      clients: ['203.0.113.9', ATTACKER],
      risk: 90,
    });
    core.incident(incident, DAY + 1, { client: clientRecord(ATTACKER) });
    expect(rows.filter(({ scope }) => scope === 'ip')).toEqual([]);
    expect(rows).toMatchObject([{ scope: 'range', value: NETWORK, risk: 90 }]);
  });

  it('of a user only what is known of him: not that his account was what an address was after', () => {
    const { core, rows } = decidingOf({ rules });
    core.actor(actorOf({ risk: 80 }), DAY);
    core.incident(incidentOf({ kind: 'actor', client: clientRecord(ATTACKER, { user: 'victim' }), risk: 80 }), DAY + 1);
    expect(rows).toMatchObject([{ scope: 'ip', value: ATTACKER, risk: 80 }]);
    core.actor(actorOf({ subject: { kind: 'user', key: 'victim' }, risk: 12 }), DAY + 2);
    expect(rows).toHaveLength(1);
    core.actor(actorOf({ subject: { kind: 'user', key: 'victim' }, risk: 55, revision: 2 }), DAY + 3);
    expect(rows.slice(1)).toMatchObject([{ scope: 'user', value: 'victim', risk: 55 }]);
  });
});

describe('what was stored, and no snapshot knows', () => {
  const made = (settings: object = {}) => {
    const first = decidingOf(settings);
    first.core.actor(actorOf(), DAY);
    first.core.incident(incidentOf(), DAY);
    return first;
  };
  const again = (settings: object, stored: readonly Decision[], snapshot?: DecisionSnapshot) => {
    const second = decidingOf(settings, {}, snapshot, stored);
    second.core.advance(DAY + 1);
    return second;
  };

  it('is taken over: it is undone by a word, and ends by the clock', () => {
    const { rows } = made();
    const undone = again({}, rows);
    expect(undone.core.inForce()).toEqual(rows);
    expect(
      undone.core.action({ about: ATTACKER, action: 'undo', by: 'ana', comment: '', atMs: DAY + 2 }, DAY + 2),
    ).toBe(1);
    expect(undone.rows).toMatchObject([{ id: rows[0]!.id, state: 'undone', revision: 2, undoneBy: 'ana' }]);
    const expired = again({}, rows);
    expired.core.advance(DAY + HOUR);
    expect(expired.rows).toMatchObject([{ id: rows[0]!.id, state: 'expired', revision: 2 }]);
  });

  it('is not made again by its incident, and one that was undone stays so', () => {
    const { core, rows } = made();
    for (const stored of [[rows[0]!], []]) {
      if (stored.length === 0) {
        core.action({ about: ATTACKER, action: 'undo', by: 'ana', comment: '', atMs: DAY + 1 }, DAY + 1);
        stored.push(rows.at(-1)!);
      }
      const second = again({}, stored);
      second.core.actor(actorOf(), DAY + 2);
      second.core.incident(incidentOf({ revision: 2, lastHitMs: DAY + 2 }), DAY + 2);
      expect(second.rows).toEqual([]);
    }
  });

  it('changes nothing that a replay makes itself, nor what a snapshot knows better', () => {
    const { core, rows, snapshot } = made();
    core.action({ about: ATTACKER, action: 'undo', by: 'ana', comment: '', atMs: DAY + 1 }, DAY + 1);
    const replayed = decidingOf({}, {}, undefined, [rows.at(-1)!]);
    replayed.core.actor(actorOf(), DAY);
    replayed.core.incident(incidentOf(), DAY);
    replayed.core.action({ about: ATTACKER, action: 'undo', by: 'ana', comment: '', atMs: DAY + 1 }, DAY + 1);
    expect(replayed.rows).toEqual(rows);
    const second = again({}, [rows[0]!], snapshot());
    expect(second.core.inForce()).toEqual([]);
    expect(second.rows).toEqual([]);
  });

  it('is lifted where response does not enforce any more; what was simulated only where it is off', () => {
    for (const [mode, before, after] of [
      ['simulate', 'enforce', ['undone']],
      ['off', 'enforce', ['undone']],
      ['simulate', 'simulate', []],
      ['off', 'simulate', ['undone']],
    ] as const) {
      const { rows, snapshot } = made({ mode: before });
      expect(again({ mode }, rows).states()).toEqual(after);
      expect(again({ mode }, rows, snapshot()).states()).toEqual(after);
    }
  });

  it('nothing is decided while it is off', () => {
    expect(made({ mode: 'off' }).rows).toEqual([]);
  });

  it('of two about the same one stands', () => {
    const [one, other] = [made().rows[0]!, decisionOf({ incidentId: 'incident-9', createdMs: DAY - 1 })];
    const { core, rows } = again({}, [other, one]);
    expect(core.inForce()).toEqual([other]);
    expect(rows).toMatchObject([{ id: one.id, state: 'undone' }]);
  });
});

describe('a replay', () => {
  type Step = (d: ReturnType<typeof decidingOf>) => void;
  const steps: Step[] = Array.from({ length: 200 }, (_, i): Step => {
    const atMs = DAY + i * 7 * MINUTE;
    const address = `198.51.100.${1 + ((i * 7) % 11)}`;
    const subject = { kind: 'client', key: address } as const;
    return ({ core }) => {
      core.advance(atMs);
      if (i % 5 === 0) core.actor(actorOf({ subject, atMs, shared: i % 3 === 0 ? 9 : 1, revision: i }), atMs);
      else if (i % 31 === 7)
        core.action({ about: core.inForce()[0]?.value ?? address, action: 'undo', by: 'ana', comment: '', atMs }, atMs);
      else if (i % 29 === 3) core.client(clientRecord('198.51.100.77', { hops: [address] }), atMs);
      else
        core.incident(
          incidentOf({ id: `i${i % 41}`, client: clientRecord(address), openedMs: atMs, lastHitMs: atMs, revision: i }),
          atMs,
        );
    };
  });
  const SETTINGS = { maxDecisionsPerHour: 4, factsWaitMs: 10 * MINUTE };

  it('decides the same under the same ids, also from a snapshot, and however often the clock is looked at', () => {
    const whole = decidingOf(SETTINGS);
    for (const step of steps) step(whole);
    expect(new Set(whole.rows.map(({ state }) => state))).toEqual(
      new Set(['enforced', 'expired', 'refused', 'undone']),
    );
    for (const cut of [1, 50, 99, 150]) {
      const first = decidingOf(SETTINGS);
      for (const step of steps.slice(0, cut)) step(first);
      const second = decidingOf(SETTINGS, {}, first.snapshot());
      for (const [i, step] of steps.slice(cut).entries()) {
        const atMs = DAY + (cut + i) * 7 * MINUTE;
        for (let tick = atMs - 6 * MINUTE; tick < atMs; tick += MINUTE) second.core.advance(tick);
        step(second);
      }
      expect([...first.rows, ...second.rows]).toEqual(whole.rows);
    }
  });

  it('holds no more than its bounds, whatever comes', () => {
    const { core, snapshot } = decidingOf({ maxDecisionsPerHour: 50 });
    for (let i = 0; i < 4_000; i++) {
      const address = `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
      core.incident(
        incidentOf({ id: `i${i}`, client: clientRecord(address), openedMs: DAY + i, lastHitMs: DAY + i }),
        DAY + i,
      );
      if (i % 2 === 0) core.actor(actorOf({ subject: { kind: 'client', key: address }, atMs: DAY + i }), DAY + i);
      core.client(clientRecord('203.0.113.99', { hops: [`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`] }), DAY + i);
    }
    const held = snapshot();
    expect(held.cases.length).toBeLessThanOrEqual(2_000);
    expect(held.known.proxies.length).toBeLessThanOrEqual(2_000);
    expect(core.inForce().length).toBeLessThanOrEqual(50);
    expect(held.waiting.length).toBeLessThanOrEqual(4_000);
    expect(JSON.stringify(held).length).toBeLessThan(8_000_000);
  });
});
