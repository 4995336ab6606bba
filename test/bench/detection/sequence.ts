/**
 * Does a sequence model say anything of new call trees that counts do not (DETECTION §9)? Learned on an earlier window of a
 * system with thousands of signatures; judged on a later one: benign trees against recombinations of known calls.
 */

import { groupValue } from '../../../baseline/fusion/calibration.ts';
import { createRanking, rankOf } from '../../../baseline/fusion/ranking.ts';
import { createEvidence, createStructureMatch, JudgementStage, type StructureModel } from '../../../baseline/model.ts';
import { createGru } from '../../../baseline/sequence/gru.ts';
import { implausibility, type SequenceModel } from '../../../baseline/sequence/model.ts';
import { createPpm } from '../../../baseline/sequence/ppm.ts';
import { treeOfSegment } from '../../../baseline/sequence/segment-tree.ts';
import { joinEqual, sequencesOf } from '../../../baseline/sequence/sequences.ts';
import { type LabelledTree, vocabularyOf } from '../../../baseline/sequence/vocabulary.ts';
import { structureLearner } from '../../../baseline/structure/index.ts';
import { FIT_DEFAULTS, fitGru } from '../../../trainer/sequence/fit.ts';
import { contextOf, newSymbols, optionsFor, seeded } from '../../unit/structure/shop.ts';
import { type PlainSpan, segmentOf } from '../../unit/traces/segments.ts';
import { createBranchingSystem, recombined } from './branching.ts';

export interface SequenceOptions {
  readonly seed: number;
  /** Requests learned; in the windows that calibrate and judge, a third as many. */
  readonly learned: number;
  /** Optimiser steps of the recurrent model. */
  readonly steps: number;
  readonly progress: (text: string) => void;
}

export const SEQUENCE_DEFAULTS: Omit<SequenceOptions, 'progress'> = { seed: 1, learned: 240_000, steps: 1_500 };

const KINDS = ['missing', 'moved', 'reorder'] as const;
export const RERANKERS = ['none', 'PPM', 'GRU'] as const;
export type Reranker = (typeof RERANKERS)[number];

export interface SequenceResult {
  readonly signatures: number;
  /** Share of benign requests of the later window that are no signature. */
  readonly novel: number;
  readonly mutants: number;
  /** Of the mutants that equal a signature or a benign tree of the later window: left out. */
  readonly dropped: number;
  /** Recall at a false-positive rate of 1e-3, by re-ranker: of all kinds, and of each. */
  readonly recall: Readonly<Record<Reranker, { readonly all: number; readonly byKind: readonly number[] }>>;
  readonly trainSeconds: number;
  /** Microseconds a step of the recurrent model in plain code. */
  readonly stepMicroseconds: number;
}

/** The most that a sequence model may add: it re-ranks and cannot alert alone. */
const WEIGHT = 0.3;
const FALSE_POSITIVES = 1e-3;

interface Judged {
  readonly hit: boolean;
  readonly structure: number;
  readonly tree: LabelledTree;
}

export async function compareSequenceModels(options: SequenceOptions): Promise<SequenceResult> {
  const { seed, learned, steps, progress } = options;
  const random = seeded(seed);
  const system = createBranchingSystem(random);
  const symbols = newSymbols();
  const into = segmentOf(symbols, system.request(random));
  const partial = structureLearner.createPartial();
  const trees = new Map<string, { tree: LabelledTree; weight: number }>();
  progress(`learning ${learned} requests`);
  for (let i = 0; i < learned; i++) {
    const segment = segmentOf(symbols, system.request(random), { into });
    structureLearner.learn(partial, segment, contextOf(random, i, learned));
    const tree = treeOfSegment(segment);
    const key = `${(tree.parent as number[]).join()};${(tree.hash as number[]).join()}`;
    const known = trees.get(key);
    if (known === undefined) trees.set(key, { tree, weight: 1 });
    else known.weight++;
  }
  const model = structureLearner.compile(partial, optionsFor(symbols, learned));
  const signatures = [...model.entries()].filter(({ kind }) => kind === 'signature').length;

  // every tree met, as often as it was: what is too rare to be a signature is still no surprise
  const weighted = [...trees.values()];
  const vocabulary = vocabularyOf(weighted, 510);
  const sequences = joinEqual(weighted.flatMap(({ tree, weight }) => sequencesOf(tree, vocabulary, weight)));
  progress(`${signatures} signatures, ${sequences.length} sequences over ${vocabulary.size} tokens; training`);
  const ppm = createPpm(sequences, vocabulary);
  const before = process.cpuUsage();
  const weights = await fitGru(sequences, vocabulary, {
    ...FIT_DEFAULTS,
    steps,
    seed,
    onStep: (step, loss) => {
      if (step % 100 === 0) progress(`step ${step} of ${steps}: loss ${loss.toFixed(3)}`);
    },
  });
  const spent = process.cpuUsage(before);
  const gru = createGru(weights, vocabulary);

  const judge = createJudge(model);
  const window = (count: number): Judged[] =>
    Array.from({ length: count }, () => judge(segmentOf(symbols, system.request(random), { into })));
  progress('calibrating on a window of its own');
  const calibration = window(Math.floor(learned / 3));
  progress('judging a later window');
  const benign = window(Math.floor(learned / 3));
  const seen = new Set(benign.map(({ tree }) => keyOf(tree)));
  const mutants: { readonly kind: number; readonly judged: Judged }[] = [];
  let dropped = 0;
  for (let i = 0; i < Math.floor(learned / 20); i++) {
    const kind = i % KINDS.length;
    const original: PlainSpan = system.request(random);
    const mutant = recombined(original, KINDS[kind]!, random);
    if (mutant === undefined) continue;
    const judged = judge(segmentOf(symbols, mutant, { into }));
    if (judged.hit || seen.has(keyOf(judged.tree))) dropped++;
    else mutants.push({ kind, judged });
  }

  const recall = {} as Record<Reranker, { all: number; byKind: number[] }>;
  for (const reranker of RERANKERS) {
    progress(`ranking by ${reranker}`);
    const value = createRanker(reranker === 'none' ? undefined : reranker === 'PPM' ? ppm : gru, calibration);
    const threshold = benign.map(value).sort((x, y) => y - x)[Math.floor(FALSE_POSITIVES * benign.length)]!;
    progress(`threshold ${threshold.toFixed(2)}`);
    const caught = mutants.map(({ kind, judged }) => ({ kind, is: value(judged) > threshold }));
    const share = (some: readonly { readonly is: boolean }[]): number =>
      some.filter(({ is }) => is).length / some.length;
    recall[reranker] = {
      all: share(caught),
      byKind: KINDS.map((_, kind) => share(caught.filter((one) => one.kind === kind))),
    };
  }
  return {
    signatures,
    novel: benign.filter(({ hit }) => !hit).length / benign.length,
    mutants: mutants.length,
    dropped,
    recall,
    trainSeconds: (spent.user + spent.system) / 1e6,
    stepMicroseconds: stepCost(gru, benign),
  };
}

const keyOf = (tree: LabelledTree): string => `${Array.from(tree.parent).join()};${Array.from(tree.hash).join()}`;

function createJudge(model: StructureModel): (segment: ReturnType<typeof segmentOf>) => Judged {
  const out = createEvidence();
  const match = createStructureMatch();
  return (segment) => {
    model.score(segment, JudgementStage.absence, out);
    model.match(segment, match);
    return {
      hit: match.similarity === 1,
      structure: groupValue(out.surprise, out.severity),
      tree: treeOfSegment(segment),
    };
  };
}

/** −log10 p of a segment: structure alone, or with the plausibility of its tree, both ranked on the same calibration window. */
function createRanker(model: SequenceModel | undefined, calibration: readonly Judged[]): (one: Judged) => number {
  const structure = createRanking(calibration.map((one) => one.structure));
  const tie = (one: Judged): number => 1e-6 * Math.min(one.structure, 100);
  if (model === undefined) return (one) => -Math.log10(rankOf(structure, one.structure)) + tie(one);
  const bits = (one: Judged): number => (one.hit ? 0 : implausibility(model, one.tree));
  // conformal on benign novelties; of all traffic so unlikely times the share that is new
  const sequence = createRanking(calibration.filter(({ hit }) => !hit).map(bits));
  const novel = sequence.n / calibration.length;
  return (one) => {
    const p = rankOf(structure, one.structure);
    const q = one.hit ? 1 : novel * rankOf(sequence, bits(one));
    return Math.log10((1 - WEIGHT) / p + WEIGHT / q) + tie(one);
  };
}

function stepCost(model: SequenceModel, judged: readonly Judged[]): number {
  const trees = judged.slice(0, 200).map(({ tree }) => tree);
  let steps = 0;
  const before = process.cpuUsage();
  for (const tree of trees) {
    implausibility(model, tree);
    for (const { tokens } of sequencesOf(tree, model.vocabulary, 1)) steps += tokens.length;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / steps;
}
