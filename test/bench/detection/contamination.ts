/** What attacks inside the learning window cost: the curve of recall over their share, all over the window or in one burst. */
import { STRUCTURAL_ATTACKS } from '../../../datasets/generated/attacks.ts';
import type { Contamination } from '../../../datasets/generated/traffic.ts';
import { judge, learn } from './detector.ts';
import { count, type Section, share, short, table } from './section.ts';
import { type Proportion, proportion, recallAt } from './statistics.ts';
import { JUDGE_MS, LEARN_MS, recordsOf, SEED, traffic, type Worlds } from './world.ts';

const SHARES = [0.002, 0.01, 0.05] as const;

interface Point {
  readonly name: string;
  readonly recall: Proportion;
  readonly byKind: readonly Proportion[];
  readonly realised: Proportion;
}

export async function contamination(worlds: Worlds): Promise<Section> {
  const { sizes, options } = worlds;
  const clean = recordsOf(traffic({ seed: 520_000 + SEED, traces: sizes.smallClean, startMs: JUDGE_MS }));
  const attacks = STRUCTURAL_ATTACKS.map((kind, i) => {
    const evil = { share: 1, shape: 'uniform', kinds: [kind], attackers: 50 } as const;
    const traces = traffic({
      seed: 530_000 + 10 * SEED + i,
      traces: sizes.mutants,
      startMs: JUDGE_MS,
      contamination: evil,
    });
    return recordsOf(traces.filter(({ truth }) => truth.kind === kind));
  });

  async function point(name: string, evil: Contamination | undefined): Promise<Point> {
    options.say(`contamination: ${name}`);
    const learned = traffic({
      seed: 510_000 + SEED,
      traces: sizes.smallLearned,
      startMs: LEARN_MS,
      ...(evil !== undefined && { contamination: evil }),
    });
    const detector = await learn(learned);
    const negatives = judge(detector, clean);
    const scores = attacks.map((records) => judge(detector, records).score);
    return {
      name,
      recall: recallAt(
        scores.flatMap((own) => [...own]),
        negatives.score,
        1e-3,
      ),
      byKind: scores.map((own) => recallAt(own, negatives.score, 1e-3)),
      realised: proportion(negatives.segments.filter((p) => p <= 1e-3).length, negatives.segments.length),
    };
  }

  const points = [await point('clean', undefined)];
  for (const shape of ['bursty', 'uniform'] as const) {
    for (const evil of SHARES) {
      if (options.quick && evil !== 0.01) continue;
      points.push(await point(`${100 * evil} % ${shape}`, { share: evil, shape }));
    }
  }
  const base = points[0]!.recall.value;
  const bursty = points.find(({ name }) => name === '1 % bursty')!;
  const kept = bursty.recall.value / base;
  return {
    title: 'Contaminated learning',
    body: [
      `${count(sizes.smallLearned)} traces learned, of which a share is attacks of the very kinds that are looked for afterwards ` +
        `(${STRUCTURAL_ATTACKS.join(', ')}), by 3 addresses, all over the window or within 3 % of it; then ${count(sizes.smallClean)} clean traces ` +
        `and ${count(attacks.reduce((sum, { length }) => sum + length, 0))} attacks by other addresses are judged. Recall at a false-positive rate of 1e-3.`,
      table(
        ['learning window', 'all kinds', ...STRUCTURAL_ATTACKS, 'realised rate at nominal 1e-3'],
        points.map(({ name, recall, byKind, realised }) => [
          name,
          share(recall),
          ...byKind.map(short),
          share(realised),
        ]),
      ),
    ],
    targets: [
      {
        what: 'structural recall with 1 % contaminated learning, bursty, of the clean figure',
        target: '≥ 90 %',
        value: `${(100 * kept).toFixed(1)} % (${short(bursty.recall)} of ${short(points[0]!.recall)})`,
        reached: kept >= 0.9,
      },
    ],
  };
}
