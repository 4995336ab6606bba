/**
 * Does a sequence model tell benign novelties from recombinations that counts let pass (DETECTION §9)? Both models are learned
 * from an earlier window, ranked on the next, and judged on the last: recall at a false-positive rate of 1e-3 over all of it.
 */
import { createRanking, rankOf } from '../../baseline/fusion/ranking.ts';
import { createGru } from '../../baseline/sequence/gru.ts';
import { implausibility, type SequenceModel } from '../../baseline/sequence/model.ts';
import { createPpm } from '../../baseline/sequence/ppm.ts';
import { joinEqual, sequencesOf } from '../../baseline/sequence/sequences.ts';
import { type LabelledTree, vocabularyOf } from '../../baseline/sequence/vocabulary.ts';
import { FIT_DEFAULTS, type FitOptions, fitGru } from './fit.ts';

export const RERANKERS = ['none', 'PPM', 'GRU'] as const;
export type Reranker = (typeof RERANKERS)[number];

/** A segment as structure judged it. */
export interface JudgedTree {
  /** It was learned as a whole, in this order: no sequence model is asked. */
  readonly known: boolean;
  /** What structure ranks it by, higher = odder. */
  readonly structure: number;
  readonly tree: LabelledTree;
}

export interface Windows {
  /** Trees of the earlier window, and how often each was met. */
  readonly learned: readonly { readonly tree: LabelledTree; readonly weight: number }[];
  /** Benign: what both models are ranked against. */
  readonly calibration: readonly JudgedTree[];
  /** Benign, later. */
  readonly benign: readonly JudgedTree[];
  readonly mutants: readonly { readonly kind: string; readonly judged: JudgedTree }[];
}

/** Share found, and of how many. */
export interface Recall {
  readonly found: number;
  readonly of: number;
}

export interface Comparison {
  /** Distinct sequences learned from, and tokens of the vocabulary. */
  readonly sequences: number;
  readonly tokens: number;
  /** Benign segments of the last window whose tree was never learned, of all. */
  readonly novel: Recall;
  readonly recall: Readonly<
    Record<Reranker, { readonly all: Recall; readonly byKind: Readonly<Record<string, Recall>> }>
  >;
  /** Whether the recurrent model is worth having: at least 3 points of recall over PPM. */
  readonly adopt: boolean;
}

/** Labels with a token of their own, at most. */
const MOST_LABELS = 510;
/** Share of the evidence a sequence model may have: it re-ranks novelties and cannot alert alone. */
const WEIGHT = 0.3;
const FALSE_POSITIVES = 1e-3;
/** Points of recall the recurrent model must gain over PPM. */
const GAIN = 0.03;

/** Throws DEPENDENCY_MISSING without TensorFlow.js. */
export async function compareSequenceModels(windows: Windows, fit: Partial<FitOptions> = {}): Promise<Comparison> {
  const vocabulary = vocabularyOf(windows.learned, MOST_LABELS);
  const sequences = joinEqual(windows.learned.flatMap(({ tree, weight }) => sequencesOf(tree, vocabulary, weight)));
  const weights = await fitGru(sequences, vocabulary, { ...FIT_DEFAULTS, ...fit });
  const models: Readonly<Record<Reranker, SequenceModel | undefined>> = {
    none: undefined,
    PPM: createPpm(sequences, vocabulary),
    GRU: createGru(weights, vocabulary),
  };
  const recall = {} as Record<Reranker, Comparison['recall'][Reranker]>;
  for (const reranker of RERANKERS) recall[reranker] = recallOf(models[reranker], windows);
  return {
    sequences: sequences.length,
    tokens: vocabulary.size,
    novel: { found: windows.benign.filter(({ known }) => !known).length, of: windows.benign.length },
    recall,
    adopt: shareOf(recall.GRU.all) >= shareOf(recall.PPM.all) + GAIN,
  };
}

export const shareOf = ({ found, of }: Recall): number => (of === 0 ? 0 : found / of);

function recallOf(model: SequenceModel | undefined, windows: Windows): Comparison['recall'][Reranker] {
  const rank = createRanker(model, windows.calibration);
  const benign = windows.benign.map(rank).sort((x, y) => y - x);
  const threshold = benign[Math.floor(FALSE_POSITIVES * benign.length)] ?? Number.POSITIVE_INFINITY;
  const byKind: Record<string, { found: number; of: number }> = {};
  const all = { found: 0, of: 0 };
  for (const { kind, judged } of windows.mutants) {
    byKind[kind] ??= { found: 0, of: 0 };
    const found = rank(judged) > threshold ? 1 : 0;
    for (const one of [byKind[kind], all]) {
      one.found += found;
      one.of++;
    }
  }
  return { all, byKind };
}

/** −log10 p of a segment: by structure alone, or with the plausibility of its tree, both ranked on the same window. */
function createRanker(
  model: SequenceModel | undefined,
  calibration: readonly JudgedTree[],
): (judged: JudgedTree) => number {
  const structure = createRanking(calibration.map((one) => one.structure));
  /** What ties in rank stays in the order of structure's own values. */
  const tie = ({ structure: value }: JudgedTree): number => 1e-6 * Math.min(value, 100);
  if (model === undefined) return (one) => -Math.log10(rankOf(structure, one.structure)) + tie(one);
  const bits = ({ tree }: JudgedTree): number => implausibility(model, tree);
  // conformal on benign novelties: among all traffic so unlikely times the share that is new
  const sequence = createRanking(calibration.filter(({ known }) => !known).map(bits));
  const novel = calibration.length === 0 ? 1 : Math.max(1, sequence.n) / calibration.length;
  return (one) => {
    const p = rankOf(structure, one.structure);
    const q = one.known ? 1 : novel * rankOf(sequence, bits(one));
    return Math.log10((1 - WEIGHT) / p + WEIGHT / q) + tie(one);
  };
}
