/** Undoing over the console: which record it makes, and what it refuses; the report that people read before they enforce. */
import { describe, expect, it } from 'vitest';
import { simulateReport } from '../../../cli/decisions/report.ts';
import { createDecisionDesk } from '../../../console/decisions.ts';
import type { DecisionFilter } from '../../../runtime/clickhouse/stored-decisions.ts';
import { operationPattern } from '../../../runtime/clickhouse/stored-decisions.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { decodeDecisionAction } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { decisionOf } from './decided.ts';
import { DAY } from './deciding.ts';

function deskOf(stored: readonly Decision[], redactUser = (user: string): string => user) {
  const records: { kind: number; value: Uint8Array }[] = [];
  const desk = createDecisionDesk({
    store: {
      decisions: async ({ about = '' }: DecisionFilter) =>
        stored.filter(({ id, value }) => id.startsWith(about) || value === about),
    },
    log: {
      async produce(topic, given) {
        expect(topic).toBe('findings');
        records.push(...given);
      },
    },
    now: () => DAY,
    redactUser,
  });
  return { desk, records, said: () => records.map(({ value }) => decodeDecisionAction(value)) };
}

const ONE = decisionOf({ id: 'abc1230000000000', value: '203.0.113.7' });
const TWO = decisionOf({ id: 'abc1290000000000', scope: 'user', value: 'mallory' });

describe('undoing over the console', () => {
  it.each([
    ['abc123', 'abc1230000000000'],
    ['203.0.113.7', '203.0.113.7'],
    ['mallory', 'mallory'],
    ['198.51.100.0/24', '198.51.100.0/24'],
    ['2001:db8::1', '2001:db8::1'],
  ])('of %s is a record of the findings topic', async (about, named) => {
    const { desk, records, said } = deskOf([ONE, TWO]);
    const { action } = await desk.undo(about, 'ana', 'why', false);
    expect(records.map(({ kind }) => kind)).toEqual([RecordKind.decisionAction]);
    expect(said()).toEqual([{ about: named, action: 'undo', by: 'ana', comment: 'why', atMs: DAY }]);
    expect(action.about).toBe(named);
  });

  it('of a user whose name an id begins with is about the user, with one such id and with several', async () => {
    const user = decisionOf({ id: 'ffff000000000000', scope: 'user', value: 'abc123' });
    for (const others of [[ONE], [ONE, { ...TWO, id: 'abc1230000000001' }]]) {
      const { desk, said } = deskOf([...others, user]);
      const { decisions, action } = await desk.undo('abc123', 'ana', '', false);
      expect(said()).toMatchObject([{ about: 'abc123' }]);
      expect([action.about, decisions]).toEqual(['abc123', [user]]);
    }
  });

  it('of a user who is decided about by a hash takes the name too', async () => {
    const user = decisionOf({ id: 'ffff000000000000', scope: 'user', value: 'hmac:0123456789abcdef' });
    const { desk, said } = deskOf([user, TWO], (name) => (name === 'ana' ? 'hmac:0123456789abcdef' : name));
    for (const about of ['ana', 'hmac:0123456789abcdef', 'mallory']) await desk.undo(about, 'ben', '', false);
    expect(said().map((action) => action?.about)).toEqual([user.value, user.value, 'mallory']);
  });

  it('of a user about whom nothing is decided lifts no decision whose id happens to begin so', async () => {
    const { desk, records } = deskOf([decisionOf({ id: '42aa00000000beef' })]);
    await expect(desk.undo('42', 'ana', '', false)).rejects.toThrow("nothing is decided about '42'");
    await desk.undo('42aa00', 'ana', '', false);
    expect(records).toHaveLength(1);
  });

  it('says that nothing is like that, or that several are, and does nothing', async () => {
    const { desk, records } = deskOf([ONE, TWO]);
    await expect(desk.undo('somebody', '', '', false)).rejects.toThrow("nothing is decided about 'somebody'");
    const twins = deskOf([ONE, { ...TWO, id: 'abc1230000000001' }]).desk;
    await expect(twins.undo('abc123', '', '', false)).rejects.toThrow('several');
    await desk.undo('203.0.113.7', '', '', true);
    expect(records).toEqual([]);
  });
});

describe('the report', () => {
  it('shows what would have been met, most ordinary requests first, and what rails refused', () => {
    const text = simulateReport(
      {
        made: [
          decisionOf({ value: '203.0.113.1', state: 'simulated', matched: 20, matchedOrdinary: 2 }),
          decisionOf({ value: '203.0.113.2', state: 'expired', matched: 30, matchedOrdinary: 29 }),
          decisionOf({ value: '203.0.113.3', state: 'simulated', target: 'reduced-rights', matched: 5 }),
        ],
        isCut: true,
        refused: [{ reason: 'shared: by many', count: 2_000, values: ['203.0.113.4', '203.0.113.5'] }],
      },
      'simulate',
      { sinceMs: DAY, nowMs: DAY + 1 },
    ).join('\n');
    expect(text).toContain('only the newest 3 that were made');
    expect(text).toContain('banned: 2 decisions would have met 50 requests, 31 of them ordinary');
    expect(text.indexOf('203.0.113.2')).toBeLessThan(text.indexOf('203.0.113.1'));
    expect(text).toContain('marked with a risk: 1 decisions would have met 5 requests, 0 of them ordinary');
    expect(text).toContain('refused by a rail: 2000');
    expect(text).toContain('2000 × shared: by many: 203.0.113.4, 203.0.113.5');
    const none = simulateReport({ made: [], isCut: false, refused: [] }, 'off', { sinceMs: DAY, nowMs: DAY });
    expect(none.join('\n')).toContain('none was made');
    expect(none.join('\n')).not.toContain('newest');
  });

  it.each([
    ['POST /checkout', 'POST /checkout', true],
    ['POST /checkout', 'POST /checkout/now', false],
    ['GET /orders/{id}', 'GET /orders/{orderId}', true],
    ['* /admin/**', 'DELETE /admin/users/{id}', true],
    ['* /admin/**', 'DELETE /administrator', false],
    ['GET /a.b', 'GET /axb', false],
    ['* /', 'GET /', true],
  ])('counts for %s the operation %s: %s', (operation, name, expected) => {
    const pattern = operationPattern(operation);
    expect(new RegExp(pattern.replace('(?i)', ''), 'i').test(name)).toBe(expected);
  });
});
