/**
 * The comparison of sequence models on a system with thousands of signatures: benign trees never seen before against
 * recombinations of known calls (DETECTION §9).
 */
import { groupValue } from '../../../baseline/fusion/calibration.ts';
import { createEvidence, JudgementStage, type StructureModel } from '../../../baseline/model.ts';
import { treeOfSegment } from '../../../baseline/sequence/segment-tree.ts';
import type { LabelledTree } from '../../../baseline/sequence/vocabulary.ts';
import { structureLearner } from '../../../baseline/structure/index.ts';
import {
  type Comparison,
  compareSequenceModels,
  type JudgedTree,
  RERANKERS,
  type Recall,
  shareOf,
} from '../../../trainer/sequence/comparison.ts';
import { contextOf, newSymbols, optionsFor, seeded } from '../../unit/structure/shop.ts';
import { segmentOf } from '../../unit/traces/segments.ts';
import { createBranchingSystem, recombined } from './branching.ts';
import { count, percent, type Section, share, table } from './section.ts';
import { proportion } from './statistics.ts';
import type { Worlds } from './world.ts';

export interface SequenceOptions {
  readonly seed: number;
  /** Requests learned; the windows that calibrate and judge have a third as many. */
  readonly learned: number;
  /** Optimiser steps of the recurrent model. */
  readonly steps: number;
  readonly progress: (text: string) => void;
}

const WHOLE = { seed: 1, learned: 300_000, steps: 800 };
const QUICK = { seed: 1, learned: 40_000, steps: 150 };

const KINDS = ['missing', 'moved', 'reorder'] as const;

export interface SequenceResult extends Comparison {
  readonly signatures: number;
  /** Mutants that equal a learned tree or a benign one of the later window, left out, of all made. */
  readonly dropped: number;
  readonly made: number;
}

export async function runSequenceComparison(options: SequenceOptions): Promise<SequenceResult> {
  const { seed, learned, steps, progress } = options;
  const random = seeded(seed);
  const system = createBranchingSystem(random);
  const symbols = newSymbols();
  const into = segmentOf(symbols, system.request(random));
  const partial = structureLearner.createPartial();
  const trees = new Map<string, { tree: LabelledTree; weight: number }>();
  progress(`sequence: learning ${learned} requests`);
  for (let i = 0; i < learned; i++) {
    const segment = segmentOf(symbols, system.request(random), { into });
    structureLearner.learn(partial, segment, contextOf(random, i, learned));
    const tree = treeOfSegment(segment);
    const known = trees.get(keyOf(tree));
    if (known === undefined) trees.set(keyOf(tree), { tree, weight: 1 });
    else known.weight++;
  }
  const model = structureLearner.compile(partial, optionsFor(symbols, learned));
  const signatures = [...model.entries()].filter(({ kind }) => kind === 'signature').length;

  const judge = createJudge(model, trees);
  const window = (): JudgedTree[] =>
    Array.from({ length: Math.floor(learned / 3) }, () => judge(segmentOf(symbols, system.request(random), { into })));
  progress(`sequence: ${signatures} signatures; judging two later windows`);
  const calibration = window();
  const benign = window();
  const seen = new Set(benign.map(({ tree }) => keyOf(tree)));
  const mutants: { readonly kind: string; readonly judged: JudgedTree }[] = [];
  let dropped = 0;
  let made = 0;
  for (let i = 0; i < Math.floor(learned / 30); i++) {
    const kind = KINDS[i % KINDS.length]!;
    const mutant = recombined(system.request(random), kind, random);
    if (mutant === undefined) continue;
    const judged = judge(segmentOf(symbols, mutant, { into }));
    made++;
    if (judged.known || seen.has(keyOf(judged.tree))) dropped++;
    else mutants.push({ kind, judged });
  }
  const onStep = (step: number, loss: number): void => {
    if (step % 100 === 0) progress(`sequence: training, step ${step} of ${steps}, loss ${loss.toFixed(3)}`);
  };
  const windows = { learned: [...trees.values()], calibration, benign, mutants };
  return { ...(await compareSequenceModels(windows, { steps, seed, onStep })), signatures, dropped, made };
}

const keyOf = (tree: LabelledTree): string => `${Array.from(tree.parent).join()};${Array.from(tree.hash).join()}`;

function createJudge(
  model: StructureModel,
  learned: ReadonlyMap<string, unknown>,
): (segment: ReturnType<typeof segmentOf>) => JudgedTree {
  const out = createEvidence();
  return (segment) => {
    model.score(segment, JudgementStage.absence, out);
    const tree = treeOfSegment(segment);
    return { known: learned.has(keyOf(tree)), structure: groupValue(out.surprise, out.severity), tree };
  };
}

/** The section of the report. */
export async function sequence({ options: { quick, say } }: Worlds): Promise<Section> {
  const result = await runSequenceComparison({ ...(quick ? QUICK : WHOLE), progress: say });
  const { recall, novel, adopt } = result;
  const cell = ({ found, of }: Recall): string => share(proportion(found, of));
  return {
    title: 'Models of call sequences (DETECTION §9)',
    body: [
      `A system whose requests branch: ${count(result.signatures)} signatures after ${count(quick ? QUICK.learned : WHOLE.learned)} requests, and ` +
        `${percent(shareOf(novel))} of later requests run through a tree that was never learned in that order. Recombinations of known calls ` +
        `(${count(result.made)} made, ${count(result.dropped)} left out as they equal normal trees) are held against later benign requests: recall ` +
        'at a false-positive rate of 1e-3 by structure’s counts alone, and re-ranked with the plausibility of the tree by each model ' +
        `(${count(result.sequences)} distinct sequences, ${result.tokens} tokens; weight 0.3).`,
      table(
        ['ranked by', 'all', ...KINDS],
        RERANKERS.map((model) => [
          model === 'none' ? 'counts alone' : `counts and ${model}`,
          cell(recall[model].all),
          ...KINDS.map((kind) => cell(recall[model].byKind[kind] ?? { found: 0, of: 0 })),
        ]),
      ),
      adopt
        ? 'The recurrent model finds at least 3 points more than PPM here.'
        : 'The recurrent model does not find 3 points more than PPM here, so no verdict uses it ([ADR 033](adr/033-counts-hold-what-sequences-know.md)). ' +
          '`spanwarden sequence` makes the same comparison on recorded traffic.',
    ],
  };
}
