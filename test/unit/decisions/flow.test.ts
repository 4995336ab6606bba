/** From records of `findings` through incidents to decisions, as the owner of the findings takes them; the same over any crash. */
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../../runtime/log/port.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { clientOf, findingOf, type verdictOf } from '../responder/verdicts.ts';
import { type actorOf, BAN, DAY, MINUTE } from './deciding.ts';
import { ownerOf, recordFor, recordOf, told } from './owning.ts';

const verdict = (atMs: number, client: string, fields: Parameters<typeof verdictOf>[0] = {}) =>
  recordFor.verdict(client, atMs, fields);
const actor = (atMs: number, fields: Parameters<typeof actorOf>[0]) => recordFor.known(atMs, fields);
const exploited = (atMs: number, key: string, risk: number) =>
  actor(atMs, {
    subject: { kind: 'client', key },
    client: clientOf(key),
    risk,
    revision: atMs,
    stages: [{ stage: 'exploitation', technique: 'T1190', by: 'statement', firstMs: atMs, lastMs: atMs, count: 1 }],
  });

describe('with the default rules', () => {
  const settings = {};

  it('an attack that got through bans its client, once its risk is known; another client of it for its own', () => {
    const { findings, rows } = ownerOf(settings);
    findings.take(verdict(DAY, '203.0.113.7'));
    findings.take(exploited(DAY + 400, '203.0.113.7', 41));
    expect(rows).toEqual([]); // one statement is not enough
    findings.take(exploited(DAY + 800, '203.0.113.7', 72));
    expect(told(rows)).toEqual(['enforced ip 203.0.113.7 everything']);
    findings.take(verdict(DAY + MINUTE, '198.51.100.20')); // the same, by another
    findings.take(exploited(DAY + MINUTE + 400, '198.51.100.20', 41));
    expect(rows).toHaveLength(1);
    findings.take(exploited(DAY + MINUTE + 800, '198.51.100.20', 75));
    expect(told(rows).slice(1)).toEqual(['enforced ip 198.51.100.20 everything']);
  });

  it('abuse over many requests reduces the rights of who did it, and of the user', () => {
    const { findings, rows } = ownerOf(settings);
    const abuse = { abuse: 'object-enumeration', evidence: 9, bound: 6, risk: 58 } as const;
    const client = { ...clientOf('203.0.113.7'), user: 'mallory' };
    findings.take(actor(DAY, { ...abuse, subject: { kind: 'client', key: '203.0.113.7' }, client }));
    expect(told(rows)).toEqual(['enforced ip 203.0.113.7 reduced-rights']);
    findings.take(actor(DAY + 1, { ...abuse, subject: { kind: 'user', key: 'mallory' }, client }));
    expect(told(rows).slice(1)).toEqual(['enforced user mallory reduced-rights']);
  });

  it('a notice that clients cannot be told apart blocks nobody whom it names', () => {
    const { findings, rows } = ownerOf(settings);
    findings.take(
      actor(DAY, {
        abuse: 'attribution',
        subject: { kind: 'everyone', key: 'one-client' },
        client: clientOf(null),
        clients: ['203.0.113.7'],
      }),
    );
    findings.take(verdict(DAY + 1, '203.0.113.7'));
    findings.take(exploited(DAY + 2, '203.0.113.7', 90));
    expect(told(rows)).toEqual(['refused ip 203.0.113.7 notice']);
  });
});

it('abuse spread over a network is decided about as that network', () => {
  const { findings, rows } = ownerOf({
    rules: [{ name: 'stuffing', kinds: ['actor'], scope: 'range', target: 'everything' }],
  });
  const many = Array.from({ length: 20 }, (_, i) => `203.0.113.${i + 1}`);
  findings.take(
    actor(DAY, {
      subject: { kind: 'network', key: '203.0.113.0/24' },
      abuse: 'credential-stuffing',
      evidence: 12,
      bound: 7,
      risk: 58,
      client: clientOf(null),
      clients: many,
      clientCount: many.length,
    }),
  );
  expect(told(rows)).toEqual(['enforced range 203.0.113.0/24 everything']);
});

it('a verdict that is withdrawn takes its decision with it', () => {
  const { findings, rows } = ownerOf({ rules: [BAN] });
  const traceId = 'e'.repeat(32);
  findings.take(exploited(DAY, '203.0.113.7', 50));
  findings.take(verdict(DAY + 1, '203.0.113.7', { traceId }));
  findings.take(verdict(DAY + 1, '203.0.113.7', { traceId, stage: 3, spanCount: 6, findings: [] }));
  expect(rows.map(({ state }) => state)).toEqual(['enforced', 'undone']);
});

describe('a crash anywhere', () => {
  const records: LogRecord[] = [];
  for (let i = 0; i < 240; i++) {
    const atMs = DAY + i * 47_000;
    const address = `198.51.100.${1 + ((i * 7) % 13)}`;
    const kind = i % 9;
    if (kind === 0)
      records.push(
        actor(atMs, {
          subject: { kind: 'client', key: address },
          client: clientOf(address),
          shared: i % 4 === 0 ? 9 : 1,
          revision: i,
        }),
      );
    else if (kind === 1)
      records.push(
        verdict(atMs, address, {
          findings: [
            findingOf({
              kind: 'self-time',
              candidate: true,
              hard: false,
              explanationKey: `slow ${i % 5}`,
              startMs: atMs,
              endMs: atMs + 900,
            }),
          ],
        }),
      );
    else if (kind === 2 && i % 4 === 0)
      records.push(
        recordOf(
          RecordKind.decisionAction,
          { about: i % 8 === 0 ? '198.51.100.0/28' : address, action: 'undo', by: 'ana', comment: '', atMs },
          atMs,
        ),
      );
    else if (kind === 3)
      records.push(verdict(atMs, '198.51.100.99', { findings: [findingOf({ explanationKey: `through ${i}` })] }));
    else records.push(verdict(atMs, address, { findings: [findingOf({ explanationKey: `statement ${i % 11}` })] }));
  }
  const settings = { rules: [{ ...BAN, durationMs: 20 * MINUTE }], maxDecisionsPerHour: 6, factsWaitMs: 60_000 };
  const whole = ownerOf(settings);
  for (const record of records) whole.findings.take(record);

  it('decides at all', () => {
    expect(new Set(whole.rows.map(({ state }) => state))).toEqual(
      new Set(['enforced', 'expired', 'undone', 'refused']),
    );
    expect(whole.rows.length).toBeGreaterThan(30);
  });

  it.each([1, 37, 90, 151, 222])(
    'after %d records: the same decisions, however often time passes in between',
    (cut) => {
      const first = ownerOf(settings);
      for (const record of records.slice(0, cut)) first.findings.take(record);
      const second = ownerOf(settings, [...first.findings.stateParts()].join(''));
      let nowMs = records[cut - 1]!.appendMs;
      for (const record of records.slice(cut)) {
        for (; nowMs + 250 < record.appendMs - 300; nowMs += 2_500) second.findings.advance(nowMs);
        nowMs = record.appendMs;
        second.findings.take(record);
      }
      expect([...first.rows, ...second.rows]).toEqual(whole.rows);
    },
  );
});
