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
    id: '0123456789abcdef',
    class: 'security',
    kind: 'statement',
    service: 'catalog',
    title: 'a title',
    matchText: 'similarity 0.5',
    client: '81.2.69.1',
    clients: over.client === undefined ? ['81.2.69.1'] : over.client === null ? [] : [over.client],
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
    expect(judged.attacks[0]).toMatchObject({ detected: true, clientRight: true, secondsToAlert: 2, alerts: 1 });
    expect(judged.falseAlerts).toEqual([]);
  });

  it('takes an alert for an attack by its client when the traces are those of queued work', () => {
    const judged = judge(truthOf(injection), [alertOf(14, { traceIds: ['of the worker'], kind: 'egress' })]);
    expect(judged.attacks[0]).toMatchObject({ detected: true, clientRight: true });
  });

  it('fails a missed attack', () => {
    const judged = judge(truthOf(injection), []);
    expect(judged.attacks[0]).toMatchObject({ detected: false, clientRight: false, secondsToAlert: null });
    expect(judged.passed).toBe(false);
  });

  it('calls a detected attack wrongly attributed when the forged client is named', () => {
    const forged = alertOf(10, { client: '9.9.9.9', traceIds: ['sql-injection-1'] });
    const judged = judge(truthOf(injection), [forged]);
    expect(judged.attacks[0]).toMatchObject({ detected: true, client: '9.9.9.9', clientRight: false });
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
      clientRight: true,
      secondsToAlert: 2,
      alerts: 2,
    });
  });
});

describe('table', () => {
  it('names the missed, the wrong and the false', () => {
    const judged = judge(truthOf(injection, slow), [
      alertOf(10, { client: '9.9.9.9', traceIds: ['sql-injection-1'] }),
      alertOf(90, { title: 'nothing happened here' }),
    ]);
    const text = tableOf(judged, 80);
    expect(text).toContain('WRONG, was 81.2.69.1');
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
      client: { address: '81.2.69.1', others: ['81.2.69.2'] },
      findings: [{ kind: 'attack-pattern', service: 'gateway' }],
      traces: [{ id: 'ab', link: '' }],
    },
  };

  it('reads a body of the published form', () => {
    expect(readAlert('a', 5, JSON.stringify(body))?.incident).toMatchObject({
      clients: ['81.2.69.1', '81.2.69.2'],
      kinds: ['statement', 'attack-pattern'],
      services: ['catalog', 'gateway'],
      startMs: Date.parse('2026-01-01T00:00:00Z'),
      traceIds: ['ab'],
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
