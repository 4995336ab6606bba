/** Edits as they are typed: every form that docs/operators.md shows, and what is said of a wrong one. */
import { describe, expect, it } from 'vitest';
import { type ClauseValues, editOf, expiryOf } from '../../../cli/edits/build.ts';
import { editLine, editStory } from '../../../cli/edits/words.ts';
import { type EditState, editBody } from '../../../schemas/baselines/edit.ts';
import { edit } from './judged.ts';

const NOW = Date.UTC(2026, 7, 1);
const body = (values: ClauseValues, state: EditState = 'pinned') => editBody.parse(editOf(state, values, NOW));
const ITEMS = { service: 'catalog', operation: 'GET /items' };

describe('clauses', () => {
  it.each<[string, ClauseValues, object]>([
    [
      'require',
      { require: ['orders POST /orders -> fraud Check'] },
      {
        required: [
          { parent: { service: 'orders', operation: 'POST /orders' }, child: { service: 'fraud', operation: 'Check' } },
        ],
      },
    ],
    [
      'optional, with an arrow',
      { optional: ['orders POST /orders → mail'] },
      {
        optional: [{ parent: { service: 'orders', operation: 'POST /orders' }, child: { service: 'mail' } }],
      },
    ],
    [
      'forbid by a caller',
      { forbid: ['gateway -> payments'] },
      {
        forbidden: [{ parent: { service: 'gateway' }, child: { service: 'payments' } }],
      },
    ],
    ['forbid for all', { forbid: ['catalog GET /items'] }, { forbidden: [{ child: ITEMS }] }],
    [
      'count up to',
      { count: ['catalog GET /items -> catalog SELECT items = ..20'] },
      {
        counts: [{ parent: ITEMS, child: { service: 'catalog', operation: 'SELECT items' }, max: 20 }],
      },
    ],
    ['count exactly', { count: ['a -> b = 2'] }, { counts: [{ min: 2, max: 2 }] }],
    ['count at least', { count: ['a -> b = 2..'] }, { counts: [{ min: 2 }] }],
    [
      'order',
      { order: ['a x -> b y -> c z'] },
      {
        order: [{ parent: { service: 'a' }, before: { service: 'b' }, after: { service: 'c', operation: 'z' } }],
      },
    ],
    ['latency', { latency: ['catalog GET /items = ..500'] }, { latency: [{ call: ITEMS, maxMs: 500 }] }],
    ['latency between', { latency: ['catalog GET /items = 0.5..500'] }, { latency: [{ minMs: 0.5, maxMs: 500 }] }],
    [
      'parameter',
      { parameter: ['gateway GET /search q = word,words:1..80'] },
      {
        parameters: [
          {
            call: { service: 'gateway', operation: 'GET /search' },
            name: 'q',
            types: ['word', 'words'],
            minLength: 1,
            maxLength: 80,
          },
        ],
      },
    ],
    [
      'parameter by length alone',
      { parameter: ['gateway GET /search q = *:..9'] },
      { parameters: [{ name: 'q', maxLength: 9 }] },
    ],
    [
      'thresholds',
      { entry: 'GET /search', structure: '0.99', timing: '0.9' },
      {
        entry: 'GET /search',
        thresholds: { structure: 0.99, timing: 0.9 },
      },
    ],
  ])('%s', (_what, values, wanted) => {
    expect(body(values)).toMatchObject(wanted);
  });

  it.each<[ClauseValues, string]>([
    [{ require: ['orders POST /orders'] }, "--require takes CALL '->' CALL"],
    [{ order: ['a -> b'] }, '--order takes'],
    [{ forbid: ['a -> b -> c'] }, '--forbid takes'],
    [{ count: ['a -> b'] }, '--count ends with'],
    [{ latency: ['a x = 5..'] }, '--latency needs a maximum'],
    [{ parameter: ['q=word'] }, '--parameter takes'],
    [{ timing: '1' }, '--timing takes a similarity'],
    [{ timing: 'high' }, '--timing takes a similarity'],
    [{ expires: 'tomorrow' }, '--expires takes'],
  ])('%j is refused and says what it takes', (values, says) => {
    expect(() => editOf('pinned', values, NOW)).toThrow(says);
  });
});

it('an edit ends after a while, at a date, or never', () => {
  expect(expiryOf('30d', NOW)).toBe(NOW + 30 * 86_400_000);
  expect(expiryOf('90m', NOW)).toBe(NOW + 5_400_000);
  expect(expiryOf('2026-09-01', NOW)).toBe(Date.UTC(2026, 8, 1));
  expect([expiryOf(undefined, NOW), expiryOf('never', NOW)]).toEqual([null, null]);
});

it('an edit reads as a line and as a story, with what it would have changed', () => {
  const document = edit({
    state: 'blocked',
    owner: 'payments',
    expiresMs: NOW,
    forbidden: [{ child: ITEMS }],
    comment: 'moved',
  });
  const shown = { document, summary: 'nobody may call catalog GET /items', incidentId: '', preview: null };
  expect(editLine(shown, NOW - 1)).toContain(
    'an-edit  r1  blocked   payments    ends 2026-08-01 00:00 UTC  nobody may call',
  );
  expect(editLine(shown, NOW)).toContain('blocked (ended)');
  const preview = {
    sinceMs: 0,
    judgedAgain: null,
    stored: { scored: 9, lookedAt: 2, fewerFindings: 1, silenced: 1 },
    why: 'no baseline',
  };
  const story = editStory({ ...shown, preview }).join('\n');
  expect(story).toContain('of 9 stored verdicts, 1 would have fewer findings');
  expect(story).toContain('no baseline');
  expect(story).toContain('comment   moved');
});
