/** Recorded traffic as the windows of a comparison: learned from the earlier part, ranked on the next, judged on the last. */
import { groupValue } from '../../baseline/fusion/calibration.ts';
import { clientHash } from '../../baseline/learning/hash.ts';
import { profileOf } from '../../baseline/learning/profile.ts';
import { createEvidence, JudgementStage, type StructureModel } from '../../baseline/model.ts';
import { treeOfSegment } from '../../baseline/sequence/segment-tree.ts';
import type { LabelledTree } from '../../baseline/sequence/vocabulary.ts';
import { structureLearner } from '../../baseline/structure/index.ts';
import {
  copyOfSegment,
  createCorpus,
  createRandom,
  type LabelAt,
  labelOf,
  mutate,
  segmentOfCopy,
} from '../../detector/check/mutations/index.ts';
import type { LearningConfig } from '../../schemas/config/learning.ts';
import type { ReadingKit } from '../../traces/kit.ts';
import { NO_TEMPLATES } from '../../traces/operations/learned-templates.ts';
import type { SegmentSpans } from '../../traces/segment.ts';
import type { JudgedTree, Windows } from '../../trainer/sequence/comparison.ts';

/** Recombinations of known calls; the other kinds bring calls or numbers that counts see. */
const KINDS = ['missing', 'moved', 'reorder'] as const;
/** Share of the traffic that is learned; the rest is halved. */
const LEARNED = 0.6;
/** Time buckets of the learned window: what admission counts diversity by. */
const BUCKETS = 50;

export interface WindowFacts {
  readonly signatures: number;
  /** Mutants that equal traffic of the last window or a learned tree: left out. */
  readonly dropped: number;
}

export function windowsOf(
  traffic: readonly SegmentSpans[],
  { learning, seed, each }: { readonly learning: LearningConfig; readonly seed: number; readonly each: number },
  { symbols, reader, segment }: ReadingKit,
): Windows & WindowFacts {
  const random = createRandom(seed);
  const isRead = (spans: SegmentSpans): boolean => reader.read(spans, segment, NO_TEMPLATES);
  const until = Math.floor(LEARNED * traffic.length);
  const middle = Math.floor((until + traffic.length) / 2);

  const partial = structureLearner.createPartial();
  const trees = new Map<string, { readonly tree: LabelledTree; weight: number }>();
  const clients = new Set<number>();
  traffic.slice(0, until).forEach((spans, at) => {
    if (!isRead(spans)) return;
    const client = clientHash(segment.client.address);
    clients.add(client);
    const bucket = Math.floor((at / until) * BUCKETS);
    structureLearner.learn(partial, segment, { bucket, client, quarantined: false });
    const tree = treeOfSegment(segment);
    const known = trees.get(keyOf(tree));
    if (known === undefined) trees.set(keyOf(tree), { tree, weight: 1 });
    else known.weight++;
  });
  const model = structureLearner.compile(partial, {
    profile: profileOf(learning),
    symbols,
    segments: until,
    clients: clients.size,
    buckets: BUCKETS,
    previous: [],
    sensitiveTables: [],
  });
  const judge = createJudge(model, trees);
  const judged = (some: readonly SegmentSpans[]): JudgedTree[] =>
    some.flatMap((spans) => (isRead(spans) ? [judge(segment)] : []));
  const later = traffic.slice(middle);
  const calibration = judged(traffic.slice(until, middle));
  const benign = judged(later);

  const labelAt: LabelAt = (...place) => symbols.labelText(reader.labelAt(...place, NO_TEMPLATES));
  const corpus = createCorpus();
  const copies = later.flatMap((spans) => {
    const copy = copyOfSegment(spans, labelAt);
    if (copy === undefined) return [];
    corpus.add(copy);
    return [{ spans, copy }];
  });
  const mutants: { readonly kind: string; readonly judged: JudgedTree }[] = [];
  let dropped = 0;
  for (const kind of KINDS) {
    for (let i = 0; i < each; i++) {
      const picked = random.of(copies);
      if (picked === undefined) break;
      const mutant = mutate(kind, picked.copy, { corpus, random, label: labelOf });
      if (mutant === 'impossible') continue;
      if (mutant === 'equal' || !isRead(segmentOfCopy(mutant.trace, picked.spans))) {
        dropped++;
        continue;
      }
      const its = judge(segment);
      if (its.known) dropped++;
      else mutants.push({ kind, judged: its });
    }
  }
  const signatures = [...model.entries()].filter(({ kind }) => kind === 'signature').length;
  return { learned: [...trees.values()], calibration, benign, mutants, signatures, dropped };
}

const keyOf = (tree: LabelledTree): string => `${Array.from(tree.parent).join()};${Array.from(tree.hash).join()}`;

function createJudge(
  model: StructureModel,
  learned: ReadonlyMap<string, unknown>,
): (segment: ReadingKit['segment']) => JudgedTree {
  const out = createEvidence();
  return (segment) => {
    model.score(segment, JudgementStage.absence, out);
    const tree = treeOfSegment(segment);
    return { known: learned.has(keyOf(tree)), structure: groupValue(out.surprise, out.severity), tree };
  };
}
