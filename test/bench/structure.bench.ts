/** Structure's share of scoring: segments that match, segments that fit no signature, an attacker's ever new ones; learning. */
import { createEvidence, createStructureMatch, JudgementStage } from '../../baseline/model.ts';
import { structureLearner } from '../../baseline/structure/index.ts';
import type { Segment } from '../../traces/segment.ts';
import { anyRequest, call, changed, learnShop, seeded, segment } from '../unit/structure/shop.ts';
import type { PlainSpan } from '../unit/traces/segments.ts';
import { type Bench, rates, spread } from './bench.ts';

const structure: Bench = {
  name: 'structure',
  question: 'what does structure cost of scoring a matched and an unmatched segment, and of learning one?',
  async run() {
    const shop = learnShop(5_000, 1);
    const { model, symbols } = shop;
    const random = seeded(2);
    const matched: Segment[] = Array.from({ length: 256 }, () => segment(symbols, anyRequest(random)));
    const spans = matched.reduce((sum, one) => sum + one.spanCount, 0);
    // Known calls in ever new places and numbers, about 60 spans each: more of them than any memory of scores holds.
    const odd = (): PlainSpan => {
      const parts = Array.from({ length: 6 }, () => anyRequest(random).children!).flat();
      const tree = changed({ ...anyRequest(random), children: parts }, (span) =>
        random() < 0.1
          ? []
          : random() < 0.1
            ? [
                {
                  ...span,
                  children: [...(span.children ?? []), call('orders', 'catalog', `GET /${Math.floor(random() * 50)}`)],
                },
              ]
            : [span],
      );
      return tree;
    };
    const unmatched: Segment[] = Array.from({ length: 6_000 }, () => segment(symbols, odd()));
    const oddSpans = unmatched.reduce((sum, one) => sum + one.spanCount, 0) / unmatched.length;

    const out = createEvidence();
    const match = createStructureMatch();
    const score = (one: Segment): void => {
      model.score(one, JudgementStage.absence, out);
      model.match(one, match);
    };
    const partial = structureLearner.createPartial();
    let next = 0;
    let bucket = 0;
    const [hit, miss, learned] = await rates([
      () => {
        for (let pass = 0; pass < 40; pass++) for (const one of matched) score(one);
        return 40 * spans;
      },
      () => {
        for (let i = 0; i < 200; i++) score(unmatched[next++ % unmatched.length]!);
        return 200;
      },
      () => {
        for (let pass = 0; pass < 10; pass++) {
          for (let i = 0; i < matched.length; i++) {
            structureLearner.learn(partial, matched[i]!, {
              bucket: bucket >> 8,
              client: 1 + (i % 97),
              quarantined: false,
            });
            bucket++;
          }
        }
        return 10 * spans;
      },
    ]);
    const slowest = spread(
      unmatched.slice(0, 400).map((one) => {
        const before = process.cpuUsage();
        score(one);
        const { user, system } = process.cpuUsage(before);
        return (user + system) / 1_000;
      }),
    );
    return [
      { name: 'score a matched segment', shape: 'synthetic shop', unit: 'spans/CPU-s', ...hit!, target: 1_000_000 },
      {
        name: 'score an unmatched segment',
        shape: `${Math.round(oddSpans)} spans, ever new`,
        unit: 'traces/CPU-s',
        ...miss!,
        target: 1_000,
        note: `90th percentile of one: ${slowest.high.toFixed(2)} ms`,
      },
      { name: 'learn a segment', shape: 'synthetic shop', unit: 'spans/CPU-s', ...learned! },
    ];
  },
};

export const benches: readonly Bench[] = [structure];
