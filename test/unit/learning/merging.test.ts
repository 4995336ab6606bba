/** Partials of every group merge exactly, through the real learners: any split, any order, the same version. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Baseline } from '../../../baseline/baseline.ts';
import type { BaselineEntry } from '../../../baseline/model.ts';
import { GROUPS, type Group } from '../../../schemas/log/verdict.ts';
import { createLearningWorld, LEARNERS, PUBLISH, segmentsOf } from './generated.ts';

const SEGMENTS = segmentsOf({ seed: 11, traces: 240, perSecond: 2 });
const settings = { minSegments: 50, minBuckets: 2, alpha: 0.05, folds: 3 };

/** How rates vary from window to window is learned from segments' bytes, which a restart loses: the version before has them. */
const isCollective = ({ kind }: BaselineEntry): boolean => kind === 'collective';

/** Kind and key of what one says and the other does not: whole entries are long. */
function differing(a: Baseline, b: Baseline): string[] {
  const others = new Set([...b.entries()].map((entry) => JSON.stringify(entry)));
  return [...a.entries()]
    .filter((entry) => entry.group !== 'manifest' && !others.has(JSON.stringify(entry)))
    .map(({ group, kind, key }) => `${group} ${kind} ${key}`);
}

/** Learned in blocks of ten; each block whole, in its own partition, in the order given. */
function learned(order: readonly number[], partitionOf: (block: number) => number) {
  const world = createLearningWorld(settings);
  for (const block of order) {
    for (const segment of SEGMENTS.slice(10 * block, 10 * block + 10))
      world.learn(segment, { partition: partitionOf(block) });
  }
  return world;
}

const BLOCKS = Math.ceil(SEGMENTS.length / 10);
const inOrder = Array.from({ length: BLOCKS }, (_, block) => block);

describe('learning through the real learners', () => {
  it('gives the same version whatever partitions the blocks came by, in whatever order, over restarts too', () => {
    const wanted = learned(inOrder, () => 0).learning.publish(PUBLISH);
    expect(wanted.manifest.segments).toBe(SEGMENTS.length);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(inOrder, { minLength: BLOCKS, maxLength: BLOCKS }),
        fc.array(fc.nat(2), { minLength: BLOCKS, maxLength: BLOCKS }),
        (order, partitions) => {
          const before = learned(order, (block) => partitions[block]!);
          const made = before.learning.publish(PUBLISH);
          expect(differing(made, wanted)).toEqual([]);
          expect(made.version).toBe(wanted.version);
          const after = createLearningWorld(settings);
          for (const partition of [2, 0, 1]) after.learning.restore(partition, before.learning.encode(partition));
          const again = after.learning.publish({ ...PUBLISH, previous: [...made.entries()].filter(isCollective) });
          expect(differing(again, wanted)).toEqual([]);
          expect(again.version).toBe(wanted.version);
        },
      ),
      { numRuns: 2, endOnFailure: true },
    );
  }, 60_000);
});

describe.each([...GROUPS])('partials of %s', (group) => {
  const learner = LEARNERS[group as Group];
  const { kit } = createLearningWorld();
  const CONTEXTS = SEGMENTS.map((_, i) => ({ bucket: i >> 3, client: (i % 7) * 7_919, quarantined: i % 23 === 0 }));

  function partialOf(which: readonly number[]): unknown {
    const partial = learner.createPartial();
    for (const i of which) {
      if (kit.reader.read(SEGMENTS[i]!.spans, kit.segment)) learner.learn(partial, kit.segment, CONTEXTS[i]!);
    }
    return partial;
  }
  const merged = (...partials: readonly unknown[]): unknown => {
    const into = learner.createPartial();
    for (const partial of partials) learner.merge(into, partial);
    return into;
  };
  /** What a version would say: what is compared is what people get. */
  const saying = (partial: unknown): string[] =>
    [...learner.compile(partial, { ...COMPILE, symbols: kit.symbols }).entries()]
      .map((entry) => JSON.stringify(entry))
      .sort();

  it('merge commutatively and associatively, with nothing as the neutral element, and leave what they merge as it was', () => {
    const some = fc.uniqueArray(fc.nat(SEGMENTS.length - 1), { maxLength: 60 });
    fc.assert(
      fc.property(some, some, some, (x, y, z) => {
        const [a, b, c] = [partialOf(x), partialOf(y), partialOf(z)];
        const before = saying(b);
        const wanted = saying(merged(a, b, c));
        expect(saying(merged(c, b, a))).toEqual(wanted);
        expect(saying(merged(a, merged(b, c)))).toEqual(wanted);
        expect(saying(merged(merged(a, b), learner.createPartial(), c))).toEqual(wanted);
        expect(saying(learner.decode(learner.encode(merged(b, a, c))))).toEqual(wanted);
        expect(saying(partialOf([...x, ...y, ...z].toSorted((p, q) => q - p)))).toEqual(wanted);
        expect(saying(b)).toEqual(before);
      }),
      { numRuns: 5 },
    );
  });
});

const COMPILE = {
  profile: {
    name: 'export',
    ruleSupport: 10,
    admitOccurrences: 2,
    admitBuckets: 2,
    admitClients: 1,
    observeBelow: 5,
    observeBuckets: 2,
    activeFrom: 20,
    influenceShare: 0.1,
    influenceFree: 5,
  },
  segments: 200,
  clients: 7,
  buckets: 20,
  previous: [],
  sensitiveTables: [],
} as const;
