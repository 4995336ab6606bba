/** Scoring and learning parameters: matched spans, values never seen, attacks. */

import { createEvidence, JudgementStage, type LearningProfile } from '../../baseline/model.ts';
import { createParametersLearner } from '../../baseline/parameters/index.ts';
import type { Segment } from '../../traces/segment.ts';
import { createSymbols } from '../../traces/symbols.ts';
import { segmentOf } from '../unit/traces/segments.ts';
import { type Bench, rates } from './bench.ts';
import { createRandom } from './random.ts';

const PROFILE: LearningProfile = {
  name: 'export',
  ruleSupport: 60,
  admitOccurrences: 5,
  admitBuckets: 5,
  admitClients: 3,
  observeBelow: 30,
  observeBuckets: 3,
  activeFrom: 200,
  influenceShare: 0.1,
  influenceFree: 20,
};

const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'okhttp/4.12',
];
const SQL =
  'SELECT p.id, p.name, p.price, i.quantity FROM products p JOIN inventory i ON i.product_id = p.id ' +
  'WHERE p.category = $1 AND p.price < $2 ORDER BY p.name LIMIT 20';

const symbols = createSymbols({ maxTexts: 10_000, maxLabels: 1_000 });

/** Five spans with eight parameters: two requests, a statement, two calls out. */
const segmentWith = (q: string, page: number, agent: number): Segment =>
  segmentOf(symbols, {
    service: 'gateway',
    operation: 'GET /products',
    parameters: [
      { source: 'query', name: 'q', value: q },
      { source: 'query', name: 'page', value: String(page) },
      { source: 'header', name: 'user-agent', value: AGENTS[agent % 2]! },
    ],
    children: [
      {
        service: 'gateway',
        operation: 'GET',
        kind: 'client',
        parameters: [{ source: 'egress', name: 'egress', value: 'service:catalog' }],
        children: [
          {
            service: 'catalog',
            operation: 'GET /products',
            parameters: [
              { source: 'query', name: 'q', value: q },
              { source: 'query', name: 'page', value: String(page) },
            ],
            children: [
              {
                service: 'catalog',
                operation: 'SELECT products',
                kind: 'client',
                peer: 'postgresql',
                parameters: [
                  { source: 'statement', name: 'db.query.text', value: SQL },
                  { source: 'egress', name: 'egress', value: 'private:db:5432' },
                ],
              },
              { service: 'catalog', operation: 'render', kind: 'internal' },
            ],
          },
        ],
      },
    ],
  });

const SPANS = 5;

const cost: Bench = {
  name: 'parameters',
  question: 'What do the parameters of a span cost to score and to learn?',
  async run() {
    const random = createRandom(7);
    const word = (): string => {
      let text = '';
      for (let n = 3 + random.below(7); n > 0; n--) text += 'aeioulnrstdmcpbg'[random.below(16)];
      return text;
    };
    const make = (q: () => string): Segment[] =>
      Array.from({ length: 2_000 }, () => segmentWith(q(), random.below(30), random.below(2)));
    const known = Array.from({ length: 200 }, () => `${word()}%20${word()}`);
    const seen = make(() => known[random.below(known.length)]!);
    const attacks = make(() => `${word()}%27%20OR%20${random.below(1_000)}%3D1--`);
    const learner = createParametersLearner({ hashKey: 'bench' });
    const partial = learner.createPartial();
    const context = (i: number) => ({ bucket: i >> 6, client: 1 + (i % 250), quarantined: false });
    const learn = (segments: readonly Segment[]): void => {
      for (let i = 0; i < segments.length; i++) learner.learn(partial, segments[i]!, context(i));
    };
    learn(seen);
    learn(make(() => `${word()}%20${word()}`));
    const model = learner.compile(partial, {
      profile: PROFILE,
      symbols,
      segments: 4_000,
      clients: 250,
      buckets: 32,
      previous: [],
      sensitiveTables: [],
    });
    const evidence = createEvidence();
    const scoreAll = (segments: readonly Segment[], times: number): number => {
      for (let t = 0; t < times; t++) {
        for (let i = 0; i < segments.length; i++) model.score(segments[i]!, JudgementStage.absence, evidence);
      }
      return segments.length * times * SPANS;
    };
    // Fresh words each round, made before any clock runs: the memo must not know them.
    const rounds = Array.from({ length: 22 }, () => make(() => `${word()}%20${word()}${word()}`));
    let round = 0;
    const [matched, fresh, hostile, learning] = await rates([
      () => scoreAll(seen, 10),
      () => scoreAll(rounds[round++ % rounds.length]!, 1),
      () => scoreAll(attacks, 1),
      () => {
        learn(seen);
        return seen.length * SPANS;
      },
    ]);
    const common = { shape: '5 spans, 8 parameters', unit: 'spans/CPU-s' };
    const against = { reference: 'values seen lately' };
    return [
      { name: 'parameters scored, values seen lately', ...common, ...matched!, target: 1_000_000 },
      {
        name: 'parameters scored, free text never seen',
        ...common,
        ...fresh!,
        ratio: fresh!.value / matched!.value,
        ...against,
      },
      {
        name: 'parameters scored, SQL injection',
        ...common,
        ...hostile!,
        ratio: hostile!.value / matched!.value,
        ...against,
        note: 'with findings in words',
      },
      { name: 'parameters learned', ...common, ...learning!, ratio: learning!.value / matched!.value, ...against },
    ];
  },
};

export const benches: readonly Bench[] = [cost];
