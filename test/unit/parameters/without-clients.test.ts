/** Without some clients, what nobody else sent was never seen, and what others sent too is as it was. */
import { describe, expect, test } from 'vitest';
import type { ParametersPartial } from '../../../baseline/parameters/index.ts';
import { entriesOf, learned, learner, learnInto, optionsOf, request, score } from './shop.ts';

const EVIL = [9_001, 9_002, 9_003];

/** Requests of a hundred clients, and three more who steadily call somewhere else. */
function contaminated(): ParametersPartial {
  const partial = learned(2_000);
  for (let i = 0; i < 60; i++) {
    const extra = [{ source: 'query' as const, name: 'probe', value: String(i) }];
    learnInto(partial, 30 * i, request(i, { egress: 'public:paste.example:443', extra }), EVIL[i % EVIL.length]);
  }
  return partial;
}

const names = (partial: ParametersPartial, without: readonly number[]): string[] =>
  entriesOf(learner.compile(partial, optionsOf({ without }))).map(({ key }) => key);

describe('parameters without some clients', () => {
  const partial = contaminated();
  const before = learner.encode(partial);

  test('know nothing of what only they sent', () => {
    expect(names(partial, []).some((key) => key.endsWith(' · probe'))).toBe(true);
    expect(names(partial, EVIL).some((key) => key.endsWith(' · probe'))).toBe(false);
    expect(names(partial, EVIL)).toEqual(names(learned(2_000), []));
    expect(learner.encode(partial)).toEqual(before);
  });

  test('find again what they taught', () => {
    const odd = request(7, { egress: 'public:paste.example:443' });
    const hardOf = (without: readonly number[]): string[] =>
      score(learner.compile(partial, optionsOf({ without })), odd)
        .findings.filter(({ hard }) => hard)
        .map(({ kind }) => kind);
    expect(hardOf([])).toEqual([]);
    expect(hardOf(EVIL)).toEqual(['egress']);
  });

  test('judge ordinary requests as ever', () => {
    const model = learner.compile(partial, optionsOf({ without: EVIL }));
    for (let i = 0; i < 50; i++) expect(score(model, request(i)).findings.filter(({ hard }) => hard)).toEqual([]);
  });
});
