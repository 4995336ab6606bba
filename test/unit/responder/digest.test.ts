/** What was odd but opened no incident: counted once, ranked, bounded. */
import { describe, expect, it } from 'vitest';
import { createDigest } from '../../../responder/incidents/digest.ts';
import type { Finding, Verdict } from '../../../schemas/log/verdict.ts';
import { DAY, findingOf, verdictOf } from './verdicts.ts';

const DAY_MS = 86_400_000;
const TODAY = '2026-01-05';
const soft = (key: string, fields: Partial<Finding> = {}): Finding =>
  findingOf({ kind: 'whole-tree', hard: false, explanationKey: key, ...fields });
const odd = (key: string, p: number, fields: Partial<Verdict> = {}): Verdict => ({
  ...verdictOf({ findings: [soft(key)], p }),
  ...fields,
});

describe('digest', () => {
  it('ranks novelties by how unlikely they are, with count, clients and the trace of the strangest', () => {
    const digest = createDigest();
    const note = (verdict: Verdict) => digest.note(verdict, verdict.findings[0]!, '', DAY);
    note(odd('often', 5e-4));
    const strangest = odd('often', 2e-4, { client: { ...verdictOf({}).client, address: '198.51.100.9' } });
    note(strangest);
    note(odd('often', 9e-4));
    note(odd('stranger', 1e-5));
    const { entries } = digest.of(TODAY);
    expect(entries.map(({ explanationKey, count, p }) => [explanationKey, count, p])).toEqual([
      ['stranger', 1, 1e-5],
      ['often', 3, 2e-4],
    ]);
    expect(entries[1]).toMatchObject({ traceId: strangest.traceId, clients: ['203.0.113.7', '198.51.100.9'] });
  });

  it('counts a verdict once: amended, moved to another novelty, or gone', () => {
    const digest = createDigest();
    const verdict = odd('one', 5e-4);
    const place = digest.note(verdict, soft('one'), '', DAY);
    expect(digest.note({ ...verdict, p: 4e-4 }, soft('one'), place, DAY + 1)).toBe(place);
    expect(digest.of(TODAY).entries).toMatchObject([{ count: 1, p: 4e-4 }]);
    const moved = digest.note(verdict, soft('two'), place, DAY + 2);
    expect(digest.of(TODAY).entries).toMatchObject([{ explanationKey: 'two', count: 1 }]);
    digest.takeChanged();
    digest.leave(moved, DAY + 3);
    expect(digest.of(TODAY).entries).toEqual([]);
    expect(digest.takeChanged()).toMatchObject([{ explanationKey: 'two', count: 0, revision: DAY + 3 }]);
    digest.leave(moved, DAY + 4); // twice
    expect(digest.takeChanged()).toEqual([]);
  });

  it('of one who sends nothing but new structures keeps the strangest, and says how many it left out', () => {
    const digest = createDigest();
    for (let i = 0; i < 5_000; i++) {
      const verdict = odd(`k${i}`, i === 4_321 ? 1e-6 : 9e-4 - i * 1e-8);
      digest.note(verdict, verdict.findings[0]!, '', DAY + i);
    }
    const { entries, leftOut } = digest.of(TODAY);
    expect(entries).toHaveLength(500);
    expect(entries[0]).toMatchObject({ explanationKey: 'k4321' });
    expect(leftOut).toBe(4_500);
    expect(JSON.stringify(digest.snapshot()).length).toBeLessThan(500_000);
  });

  it('gives each day once, when it is over, and not what was before the first start', () => {
    const digest = createDigest();
    const hours = (n: number): number => Date.parse('2026-01-05T00:00:00Z') + n * 3_600_000;
    expect(digest.due(hours(12), hours(6) - hours(0))).toEqual([]);
    digest.note(odd('one', 5e-4), soft('one'), '', hours(12));
    expect(digest.due(hours(24 + 6) - 1, hours(6) - hours(0))).toEqual([]);
    expect(digest.due(hours(24 + 6), hours(6) - hours(0)).map(({ day }) => day)).toEqual([TODAY]);
    expect(digest.due(hours(24 + 7), hours(6) - hours(0))).toEqual([]);
    const again = createDigest(JSON.parse(JSON.stringify(digest.snapshot())));
    expect(again.due(hours(24 + 8), hours(6) - hours(0))).toEqual([]);
    expect(again.of(TODAY)).toEqual(digest.of(TODAY));
  });

  it('keeps two days; what comes late for an older one is not taken', () => {
    const digest = createDigest();
    for (const days of [0, 1, 2]) {
      const verdict = odd('one', 5e-4, { appendMs: DAY + days * DAY_MS });
      expect(digest.note(verdict, soft('one'), '', DAY + days * DAY_MS)).not.toBe('');
    }
    expect(digest.of(TODAY).entries).toEqual([]);
    expect(digest.note(odd('one', 5e-4), soft('one'), '', DAY + 3 * DAY_MS)).toBe('');
  });
});
