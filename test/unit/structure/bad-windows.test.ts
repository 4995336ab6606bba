/** Learning windows that are too small, too uniform, or all errors: a clear state, no alert, no segment without a match. */
import { describe, expect, it } from 'vitest';
import { createEvidence, createStructureMatch, JudgementStage, type LearnContext } from '../../../baseline/model.ts';
import { structureLearner } from '../../../baseline/structure/index.ts';
import type { PlainSpan } from '../traces/segments.ts';
import {
  abortedCheckout,
  anyRequest,
  BUCKETS,
  call,
  changed,
  entry,
  learnShop,
  newSymbols,
  optionsFor,
  type Random,
  seeded,
  segment,
  without,
} from './shop.ts';

interface Window {
  readonly count: number;
  readonly client: (random: Random) => number;
  readonly clients: number;
  readonly make: (random: Random) => PlainSpan;
}

const windows: Record<string, Window> = {
  'ten traces': { count: 10, client: (random) => 1 + Math.floor(random() * 5), clients: 5, make: anyRequest },
  'no trace': { count: 0, client: () => 0, clients: 0, make: anyRequest },
  'one client': { count: 1_500, client: () => 7, clients: 1, make: anyRequest },
  'no client at all': { count: 1_500, client: () => 0, clients: 0, make: anyRequest },
  'errors only': {
    count: 1_500,
    client: (random) => 1 + Math.floor(random() * 90),
    clients: 90,
    make: abortedCheckout,
  },
};

describe('a learning window', () => {
  for (const [name, { count, client, clients, make }] of Object.entries(windows)) {
    it(`of ${name} gives a model that judges and alerts on none of the same`, () => {
      const symbols = newSymbols();
      const random = seeded(3);
      const partial = structureLearner.createPartial();
      for (let i = 0; i < count; i++) {
        const context: LearnContext = {
          bucket: Math.floor((i * BUCKETS) / count),
          client: client(random),
          quarantined: false,
        };
        structureLearner.learn(partial, segment(symbols, make(random)), context);
      }
      const model = structureLearner.compile(partial, optionsFor(symbols, count, clients));
      const loaded = structureLearner.load([...model.entries()], symbols);
      const out = createEvidence();
      const match = createStructureMatch();
      for (let i = 0; i < 200; i++) {
        const tree = i % 4 === 3 ? without(anyRequest(random), 'POST /check') : make(random);
        const one = segment(symbols, tree);
        for (const version of [model, loaded]) {
          version.score(one, JudgementStage.absence, out);
          version.match(one, match);
          expect(match.signature).not.toBe('');
          expect(match.similarity).toBeGreaterThanOrEqual(0);
          expect(match.similarity).toBeLessThanOrEqual(1);
          expect(Number.isFinite(out.surprise + out.severity)).toBe(true);
          if (i % 4 !== 3) expect(out.findings.filter((finding) => finding.hard || finding.candidate)).toEqual([]);
        }
      }
    });
  }
});

describe('nothing but new structures', () => {
  it('leave the memory of matches and partials bounded, and every one has a similarity', () => {
    const { model, symbols, partial } = learnShop(800, 4);
    const random = seeded(8);
    const out = createEvidence();
    const match = createStructureMatch();
    const before = structureLearner.encode(partial).length;
    for (let i = 0; i < 6_000; i++) {
      const odd = entry('GET /products', [
        ...anyRequest(random).children!,
        ...Array.from({ length: 1 + (i % 9) }, () => call('gateway', 'catalog', `GET /${Math.floor(random() * 40)}`)),
      ]);
      const one = segment(
        symbols,
        changed(odd, (span) => (random() < 0.1 ? [] : [span])),
      );
      model.score(one, JudgementStage.absence, out);
      model.match(one, match);
      if (!(match.similarity >= 0 && match.similarity <= 1 && match.signature !== ''))
        throw new Error(`no match of ${i}`);
      if (i % 12 === 0) structureLearner.learn(partial, one, { bucket: i >> 9, client: 1, quarantined: false });
    }
    // a client's 500 new trees cost what they are, and nothing of them is admitted
    expect(structureLearner.encode(partial).length - before).toBeLessThan(4_000_000);
    const compiled = structureLearner.compile(partial, optionsFor(symbols, 1_300));
    const labels = [...compiled.entries()].filter((line) => line.kind === 'label').map((line) => line.key);
    expect(labels.some((label) => /GET \/\d/.test(label))).toBe(false);
  });
});
