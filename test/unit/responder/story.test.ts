/** One story a novelty: who did it, how far they got, in the order of evidence (DETECTION §6). */
import { describe, expect, it } from 'vitest';
import { actorOf } from './actors.ts';
import { keeperOf } from './keeping.ts';
import { findingAt, playStages, STAGED, storyOf } from './staged.ts';
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

describe('the evidence of an incident', () => {
  const play = (n: number) => {
    const { feed, only } = keeperOf();
    const kinds = ['statement', 'egress', 'fan-out'] as const;
    for (let i = 0; i < n; i++) {
      // a rare one of each kind, late; the rest is all alike
      const rare = i > 400 && i % 50 === 0;
      const kind = rare ? kinds[(i / 50) % 3]! : 'statement';
      const traceId = (i * 7919 + 1).toString(16).padStart(32, '0');
      const client = rare ? `198.51.100.${(i / 50) % 4}` : '203.0.113.7';
      feed(verdictOf({ traceId, client, findings: [findingOf({ kind })], appendMs: DAY + i * 1_000 }));
    }
    return only().story.evidence;
  };

  it('is 20 requests chosen to differ, not the first 20, and the same over replays', () => {
    const evidence = play(1_000);
    expect(evidence).toHaveLength(20);
    expect(new Set(evidence.map(({ traceId }) => traceId)).size).toBe(20);
    expect(new Set(evidence.map(({ kind }) => kind))).toEqual(new Set(['statement', 'egress', 'fan-out']));
    expect(new Set(evidence.map(({ client }) => client)).size).toBeGreaterThanOrEqual(4);
    expect(evidence[0]!.traceId).toBe('1'.padStart(32, '0'));
    expect(play(1_000)).toEqual(evidence);
  });

  it('of requests that are all alike is spread over them', () => {
    const { feed, only } = keeperOf();
    for (let i = 0; i < 400; i++) feed(verdictOf({ findings: [findingOf({ startMs: DAY + i })] }));
    const times = only().story.evidence.map(({ atMs }) => atMs - DAY);
    expect(times).toHaveLength(20);
    expect(times.filter((ms) => ms >= 200).length).toBeGreaterThan(4);
  });

  it('names the client when a later origin does, and goes with what is withdrawn', () => {
    const { feed, only } = keeperOf();
    const verdict = { ...verdictOf({ client: null }), story: storyOf() };
    feed(verdict);
    feed(
      verdictOf({ client: '203.0.113.9', findings: [findingOf({ hard: false, kind: 'fan-out' }), findingOf()] }),
      DAY,
    );
    expect(only().story.expected).toEqual(verdict.story.expected);
    feed({ ...verdict, revision: verdict.revision + 1, client: clientOf('203.0.113.9'), originState: 'known' });
    expect(only().story.evidence.map(({ client }) => client)).toEqual(['203.0.113.9', '203.0.113.9']);
    expect(only().story.timeline.find(({ what }) => what === 'finding')?.client).toBe('203.0.113.9');
    expect(only().story.stages.map(({ stage, count }) => [stage, count])).toEqual([['exploitation', 2]]);
    feed({ ...verdict, stage: 3, state: 'withdrawn', findings: [], revision: verdict.revision + 6 });
    expect(only().story.evidence).toHaveLength(1);
    expect(only().story.expected).toEqual([]);
    expect(only().story.stages.map(({ stage, count }) => [stage, count])).toEqual([['exploitation', 1]]);
  });
});

describe('the timeline', () => {
  it('keeps the first and the last of more than 64, and what there are few of before what there are many of', () => {
    const { feed, only, say } = keeperOf();
    feed(verdictOf({}), DAY);
    say(only().id, 'acknowledge', DAY + 10);
    for (let i = 0; i < 60; i++) {
      const client = `203.0.113.${i + 10}`;
      feed(verdictOf({ client, findings: [findingOf({ startMs: DAY + 1_000 * i })] }), DAY + 1_000 * i);
    }
    for (let i = 0; i < 60; i++) {
      const finding = findingOf({ explanationKey: `k${i}`, startMs: DAY + 100_000 + i });
      feed(verdictOf({ findings: [finding] }), DAY + 100_000 + i);
    }
    const { timeline } = only().story;
    expect(timeline).toHaveLength(64);
    expect(timeline.slice(0, 3).map(({ what }) => what)).toEqual(['opened', 'finding', 'stage']);
    expect(timeline.find(({ what }) => what === 'word')?.text).toBe('acknowledge by ana: seen');
    expect(timeline.at(-1)?.text).toContain('k59');
  });

  it('tells of words of operators with who and when, of ends and of what came after them', () => {
    const { keeper, feed, only, say, events } = keeperOf();
    feed(verdictOf({}), DAY);
    say(only().id, 'resolve', DAY + 10);
    say(only().id, 'reopen', DAY + 20);
    say(only().id, 'bad', DAY + 30);
    say(only().id, 'expect-once', DAY + 40);
    keeper.tick(DAY + 4_000_000);
    feed(verdictOf({}), DAY + 5_000_000);
    const told = only().story.timeline.map(({ what, text }) => [what, text.replace(/^expect-once/, '!')]);
    expect(told.map(([what]) => what).sort()).toEqual(
      ['opened', 'finding', 'stage', 'closed', 'word', 'word', 'word', 'word', 'closed', 'reopened'].sort(),
    );
    expect(told).toContainEqual(['word', '! by ana: seen (refused)']);
    expect(events()).toEqual(['opened', 'closed', 'updated', 'closed', 'opened']);
  });

  it('of merged incidents is one', () => {
    const { feed, rows } = keeperOf();
    const [one, two] = ['one', 'two'].map((explanationKey) => findingOf({ explanationKey }));
    feed(verdictOf({ client: '203.0.113.1', findings: [one!] }), DAY);
    feed(verdictOf({ client: '203.0.113.2', findings: [two!] }), DAY + 1);
    feed(verdictOf({ client: '203.0.113.2', findings: [one!] }), DAY + 2);
    const { timeline, evidence } = [...rows.values()][0]!.story;
    const texts = timeline.map(({ text }) => text).join(' | ');
    for (const part of ['statement in catalog: one', 'statement in catalog: two', 'became part of it'])
      expect(texts).toContain(part);
    expect(evidence).toHaveLength(3);
  });
});

it('the chains are those of the worst verdict', () => {
  const { feed, only } = keeperOf();
  const told = (score: number, call: string) => ({
    ...verdictOf({}),
    score,
    story: storyOf({ seen: [{ depth: 0, call, count: 1, mark: '' }], tables: [call] }),
  });
  for (const [score, call] of [
    [4, 'first'],
    [9, 'worst'],
    [6, 'later'],
  ] as const)
    feed(told(score, call));
  expect(only().story.seen.map(({ call }) => call)).toEqual(['worst']);
  expect(only().story.tables).toEqual(['first', 'worst', 'later']);
});

describe('similar incidents', () => {
  const day = 86_400_000;
  it('are past ones of the same novelty, client or network, and with the same stages, the likest first', () => {
    const { keeper, feed, rows } = keeperOf();
    const pasts = [
      ['203.0.113.99', 'one'],
      ['203.0.113.7', 'two'],
      ['198.51.100.1', 'three'],
      ['192.0.2.1', 'unlike'],
    ].map(([client, explanationKey], i) => {
      const appendMs = DAY + i * 10;
      feed(verdictOf({ client: client!, findings: [findingOf({ explanationKey: explanationKey! })], appendMs }));
      return [...rows.keys()].at(-1)!;
    });
    keeper.tick(DAY + 4_000_000);
    // the same novelty as the third, a day later; the client of the second; the network of the first
    const appendMs = DAY + day;
    feed(verdictOf({ client: '203.0.113.7', findings: [findingOf({ explanationKey: 'three' })], appendMs }));
    const [, , , , now] = rows.values();
    expect(now!.story.similar).toEqual([
      { id: pasts[2], why: 'the same novelty, the same stages' },
      { id: pasts[1], why: 'the same client, the same stages' },
      { id: pasts[0], why: 'the same network, the same stages' },
    ]);
  });
});

it('a snapshot of an earlier release, without stories, is read', () => {
  const first = keeperOf();
  first.feed(verdictOf({}));
  const snapshot = first.snapshot();
  for (const state of snapshot.incidents)
    for (const added of ['story', 'principals', 'toldStage']) Reflect.deleteProperty(state, added);
  for (const added of ['prelude', 'notices', 'actorDays']) Reflect.deleteProperty(snapshot, added);
  const second = keeperOf({}, snapshot);
  second.feed(verdictOf({ findings: [findingOf({ kind: 'egress', explanationKey: 'GET /x · public' })] }), DAY + 1);
  expect(second.keeper.open()).toHaveLength(1);
  expect(second.only().story.stages.map(({ stage }) => stage)).toEqual(['exfiltration']);
});

it('while more than a thousand are open their stories are short: a snapshot is bounded whatever is sent', () => {
  const { keeper, feed } = keeperOf({ maxOpen: 10_000 });
  for (let i = 0; i <= 1_000; i++)
    feed(verdictOf({ client: `10.0.${i >> 8}.${i & 255}`, findings: [findingOf({ explanationKey: `k${i}` })] }));
  for (let i = 0; i < 40; i++)
    feed(verdictOf({ client: '203.0.113.7', findings: [findingOf({ explanationKey: `own ${i}` })] }));
  const { story } = keeper.open().at(-1)!;
  expect([story.timeline.length, story.evidence.length]).toEqual([12, 4]);
});
