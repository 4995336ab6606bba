import { describe, expect, it } from 'vitest';
import { type ReceivedAlert, readAlert } from '../../../datasets/judge/alert.ts';
import { judge } from '../../../datasets/judge/judge.ts';
import { tableOf } from '../../../datasets/judge/table.ts';
import type { GroundTruth, TruthEvent } from '../../../datasets/scenarios/truth.ts';

const T = 1_760_000_000_000;

const attack = (name: string, startS: number, client: string, over: Partial<TruthEvent> = {}): TruthEvent => ({
  name,
  kind: 'attack',
  title: name,
  clients: [client],
  named: { by: 'client', key: client },
  companions: [],
  never: [],
  startMs: T + startS * 1000,
  endMs: T + startS * 1000 + 3_000,
  requests: 3,
  traceIds: [`${name}-1`, `${name}-2`],
  expected: { kinds: ['statement', 'attack-pattern'], services: ['catalog'] },
  ...over,
});

const alertOf = (
  startS: number,
  over: Partial<ReceivedAlert['incident']> = {},
  receivedS = startS + 2,
): ReceivedAlert => ({
  id: `alert-${startS}-${over.client}-${over.kind}`,
  receivedMs: T + receivedS * 1000,
  type: 'incident.opened',
  incident: {
    id: `of second ${startS}`,
    state: 'open',
    mergedInto: '',
    entity: '',
    class: 'security',
    kind: 'statement',
    service: 'catalog',
    title: 'a title',
    matchText: 'similarity 0.5',
    client: '81.2.69.1',
    clients: over.client === undefined ? ['81.2.69.1'] : over.client === null ? [] : [over.client],
    user: null,
    stages: [],
    risk: 0,
    startMs: T + startS * 1000,
    endMs: T + startS * 1000 + 100,
    traceIds: [],
    kinds: [over.kind ?? 'statement'],
    services: [over.service ?? 'catalog'],
    ...over,
  },
});

const truthOf = (...events: TruthEvent[]): GroundTruth => ({ seed: 1, startMs: T, endMs: T + 100_000, events });
const injection = attack('sql-injection', 10, '81.2.69.1');
const slow = attack('slow-query', 30, '81.2.69.2', {
  expected: { kinds: ['self-time', 'latency', 'collective'], services: ['reports'] },
});
const peak: TruthEvent = {
  ...attack('traffic-peak', 60, ''),
  kind: 'oddity',
  clients: [],
  traceIds: [],
  expected: { kinds: [], services: [] },
};

describe('judge', () => {
  it('passes when every attack was alerted with its client and nothing else came', () => {
    const judged = judge(truthOf(injection), [alertOf(10, { traceIds: ['sql-injection-2'] })]);
    expect(judged.passed).toBe(true);
    expect(judged.attacks[0]).toMatchObject({ detected: true, namedRight: true, secondsToAlert: 2, alerts: 1 });
    expect(judged.falseAlerts).toEqual([]);
  });

  it('takes an alert for an attack by its client when the traces are those of queued work', () => {
    const judged = judge(truthOf(injection), [alertOf(14, { traceIds: ['of the worker'], kind: 'egress' })]);
    expect(judged.attacks[0]).toMatchObject({ detected: true, namedRight: true });
  });

  it('fails a missed attack', () => {
    const judged = judge(truthOf(injection), []);
    expect(judged.attacks[0]).toMatchObject({ detected: false, namedRight: false, secondsToAlert: null });
    expect(judged.passed).toBe(false);
  });

  it('calls a detected attack wrongly attributed when the forged client is named', () => {
    const forged = alertOf(10, { client: '9.9.9.9', traceIds: ['sql-injection-1'] });
    const judged = judge(truthOf(injection), [forged]);
    expect(judged.attacks[0]).toMatchObject({ detected: true, named: '9.9.9.9', namedRight: false });
    expect(judged.falseAlerts).toEqual([]);
    expect(judged.passed).toBe(false);
  });

  it('does not take the same client at another time for the attack', () => {
    const judged = judge(truthOf(injection), [alertOf(90)]);
    expect(judged.attacks[0]!.detected).toBe(false);
    expect(judged.falseAlerts).toHaveLength(1);
  });

  it('counts an alert about somebody else beside a detected attack as false', () => {
    const right = alertOf(10, { traceIds: ['sql-injection-1'] });
    const other = alertOf(11, { client: '7.7.7.7', traceIds: ['benign'] });
    const judged = judge(truthOf(injection), [right, other]);
    expect(judged.falseAlerts).toMatchObject([{ client: '7.7.7.7', during: 'sql-injection' }]);
    expect(judged.passed).toBe(false);
  });

  it('forgives victims of the slow query, and only there', () => {
    const found = alertOf(30, { client: '81.2.69.2', kind: 'self-time', service: 'reports' });
    const victim = alertOf(31, { client: '6.6.6.6', kind: 'latency', service: 'reports' });
    expect(judge(truthOf(slow), [found, victim])).toMatchObject({ passed: true, notices: 1 });
    const later = alertOf(80, { client: '6.6.6.6', kind: 'latency', service: 'reports' });
    expect(judge(truthOf(slow), [found, victim, later]).falseAlerts).toHaveLength(1);
  });

  it('allows one operational notice for the peak, not two', () => {
    const notice = (s: number) => alertOf(s, { class: 'operational', kind: 'collective', client: null });
    expect(judge(truthOf(peak), [notice(61)]).falseAlerts).toEqual([]);
    expect(judge(truthOf(peak), [notice(61), notice(63)]).falseAlerts).toHaveLength(1);
  });

  it('ignores that an incident was closed', () => {
    const closed: ReceivedAlert = { ...alertOf(90), type: 'incident.closed' };
    expect(judge(truthOf(injection), [closed]).falseAlerts).toEqual([]);
  });

  it('takes the client of the update when the first alert could not name one', () => {
    const nameless = alertOf(10, { client: null, traceIds: ['sql-injection-1'] });
    const update = { ...alertOf(10, { traceIds: ['sql-injection-1'] }, 15), type: 'incident.updated' };
    expect(judge(truthOf(injection), [update, nameless]).attacks[0]).toMatchObject({
      namedRight: true,
      secondsToAlert: 2,
      alerts: 2,
    });
  });
});

describe('who is named', () => {
  const forged = attack('forged-headers', 10, '81.2.69.1', { never: ['7.7.7.7'] });

  it('is never an address that was only claimed, not even as a further client', () => {
    const [result] = judge(truthOf(forged), [alertOf(10, { clients: ['81.2.69.1', '7.7.7.7'] })]).attacks;
    expect(result).toMatchObject({ namedRight: false, namedWrongly: '7.7.7.7 only claimed' });
  });

  it('is nobody who had no part in it', () => {
    const [result] = judge(truthOf(forged), [alertOf(10, { clients: ['81.2.69.1', '6.6.6.6'] })]).attacks;
    expect(result).toMatchObject({ namedRight: false, namedWrongly: '6.6.6.6 had no part in it' });
  });

  it('may beside the client be who had to wait for something slow', () => {
    const waited = alertOf(30, { client: '81.2.69.2', kind: 'self-time', clients: ['81.2.69.2', '6.6.6.6'] });
    expect(judge(truthOf(slow), [waited]).passed).toBe(true);
  });

  it('is a user who changes addresses, by name', () => {
    const clients = ['81.2.69.1', '81.2.70.1', '81.2.71.1'];
    const truth = truthOf(attack('object-enumeration', 10, '', { clients, named: { by: 'user', key: '404' } }));
    const about = (over: Partial<ReceivedAlert['incident']>) =>
      judge(truth, [alertOf(10, { client: clients[2]!, ...over })]).attacks[0];
    expect(about({ user: '404' })).toMatchObject({ named: '404', namedRight: true });
    expect(about({ entity: 'user 404', client: null })).toMatchObject({ named: '404', namedRight: true });
    expect(about({})).toMatchObject({ named: clients[2], namedRight: false });
    expect(about({ user: '404', clients: [...clients, '6.6.6.6'] })).toMatchObject({ namedRight: false });
  });

  it('is a network out of which many tried', () => {
    const clients = ['81.2.69.1', '81.2.69.2'];
    const named = { by: 'network', key: '81.2.69.0/24' } as const;
    const truth = truthOf(attack('credential-stuffing', 10, '', { clients, named }));
    expect(judge(truth, [alertOf(10, { client: null, entity: '81.2.69.0/24' })]).passed).toBe(true);
    expect(judge(truth, [alertOf(10)]).attacks[0]).toMatchObject({ named: '81.2.69.1', namedRight: false });
  });

  it('is of a batch the set that holds the attacker, then the attacker, and nobody from outside', () => {
    const named = { by: 'batch', key: '81.2.69.1' } as const;
    const truth = truthOf(attack('batched-ssrf', 10, '81.2.69.1', { named, companions: ['5.5.5.5', '5.5.5.6'] }));
    const of = (client: string | null, ...clients: string[]) => alertOf(10, { client, clients });
    const rightly = (...alerts: ReceivedAlert[]) => judge(truth, alerts).attacks[0]?.namedRight;
    expect(rightly(of(null, '5.5.5.5', '81.2.69.1'))).toBe(true);
    expect(rightly(of(null, '5.5.5.5', '81.2.69.1'), of('81.2.69.1', '81.2.69.1'))).toBe(true);
    expect(rightly(of(null, '5.5.5.5', '81.2.69.1'), of('5.5.5.5', '5.5.5.5'))).toBe(false);
    expect(rightly(of(null, '5.5.5.5', '81.2.69.1', '6.6.6.6'))).toBe(false);
  });
});

describe('one story', () => {
  const staged = attack('staged-attack', 10, '81.2.69.1', {
    expected: { kinds: ['statement'], services: ['catalog'], stages: ['probing', 'exploitation', 'exfiltration'] },
  });

  it('has its stages in order, others between them', () => {
    const judged = (...stages: ReceivedAlert['incident']['stages']) =>
      judge(truthOf(staged), [alertOf(10), alertOf(12, { id: 'of second 10', stages, risk: 80 })]).attacks[0];
    expect(judged('reconnaissance', 'probing', 'exploitation', 'access', 'exfiltration')).toMatchObject({
      stagesRight: true,
      risk: 80,
    });
    expect(judged('exploitation', 'probing', 'exfiltration')?.stagesRight).toBe(false);
    expect(judged('probing', 'exploitation')?.stagesRight).toBe(false);
  });

  it('is one incident, after merging', () => {
    const second = alertOf(12);
    expect(judge(truthOf(injection), [alertOf(10), second])).toMatchObject({ passed: false, incidents: 2 });
    const merged: ReceivedAlert = {
      ...second,
      type: 'incident.closed',
      incident: { ...second.incident, state: 'merged', mergedInto: 'of second 10' },
    };
    expect(judge(truthOf(injection), [alertOf(10), second, merged])).toMatchObject({ passed: true, incidents: 1 });
  });
});

describe('table', () => {
  it('names the missed, the wrong and the false', () => {
    const judged = judge(truthOf(injection, slow), [
      alertOf(10, { client: '9.9.9.9', traceIds: ['sql-injection-1'] }),
      alertOf(90, { title: 'nothing happened here' }),
    ]);
    const text = tableOf(judged, 80);
    expect(text).toContain('WRONG: 9.9.9.9 had no part in it');
    expect(text).toContain('MISSED');
    expect(text).toContain('nothing happened here');
    expect(text).toContain('1 FALSE alert:');
    expect(text.endsWith('FAILED')).toBe(true);
  });
});

describe('readAlert', () => {
  const body = {
    type: 'incident.opened',
    timestamp: '2026-01-01T00:00:02.000Z',
    data: {
      incident: {
        id: '0123456789abcdef',
        class: 'security',
        kind: 'statement',
        service: 'catalog',
        start: '2026-01-01T00:00:00.000Z',
        end: '2026-01-01T00:00:01.000Z',
      },
      title: 'SQL injection',
      why: 'similarity 0.5',
      client: { address: '81.2.69.1', user: '17', others: ['81.2.69.2'] },
      findings: [{ kind: 'attack-pattern', service: 'gateway' }],
      traces: [{ id: 'ab', link: '' }],
    },
  };

  it('reads a body of the published form', () => {
    expect(readAlert('a', 5, JSON.stringify(body))?.incident).toMatchObject({
      clients: ['81.2.69.1', '81.2.69.2'],
      kinds: ['statement', 'attack-pattern'],
      services: ['catalog', 'gateway'],
      user: '17',
      stages: [],
      startMs: Date.parse('2026-01-01T00:00:00Z'),
      traceIds: ['ab'],
    });
  });

  it('reads how far it got, against whom it is held and what became of it; what an actor did where nothing was matched', () => {
    const told = structuredClone(body) as typeof body & { data: { story?: object } };
    told.data.why = '';
    Object.assign(told.data.incident, { state: 'merged', mergedInto: 'fedcba9876543210', entity: 'user 17' });
    Object.assign(told.data.findings[0]!, { seen: '7 of 7 requests named an object of somebody else' });
    told.data.story = { stages: [{ stage: 'probing' }, { stage: 'access' }], risk: 61, reasons: [] };
    expect(readAlert('a', 5, JSON.stringify(told))?.incident).toMatchObject({
      matchText: '7 of 7 requests named an object of somebody else',
      entity: 'user 17',
      state: 'merged',
      mergedInto: 'fedcba9876543210',
      stages: ['probing', 'access'],
      risk: 61,
    });
  });

  it('refuses what is no alert', () => {
    expect(readAlert('a', 5, 'no JSON')).toBeNull();
    expect(readAlert('a', 5, '{"type":"ping","data":{}}')).toBeNull();
    const noTime = structuredClone(body);
    noTime.data.incident.start = 'yesterday';
    expect(readAlert('a', 5, JSON.stringify(noTime))).toBeNull();
  });
});
