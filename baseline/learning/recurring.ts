/**
 * What recurs: a deviation that normal traffic shows again and again, in several runs of blocks, without the version admitting it. Each
 * run's models, and the version's, give the very same deviation a slightly other value, as their masses of the unseen differ. Ranked by
 * what the runs' models said, the version's value may lie above all of them, and something that one in ten segments has would look
 * like never seen. So what recurs is ranked by the version's own value of it (docs/adr/034).
 */
import { GROUPS, type Group } from '../../schemas/log/verdict.ts';
import type { Segment } from '../../traces/segment.ts';
import type { GroupValues } from '../fusion/calibration.ts';
import type { Evidence } from '../model.ts';
import type { Scored } from './cell.ts';
import { hash53 } from './hash.ts';

const SEED = 0xde5;

/** Values of one deviation under one model differ by less, whatever else is summed up with it. */
const SAME = 1e-9;

/**
 * What a group looked at, whatever a model says of how improbable it is: structure at all calls and how they ended, which is all
 * it judges; the others at what deviates and where. 0 where nothing does.
 */
export function deviationOf(group: Group, segment: Segment, { surprise, findings }: Evidence): number {
  if (surprise <= 0) return 0;
  if (group === 'structure') return callsHash(segment);
  if (findings.length === 0) return 0;
  const keys = findings.map((f) => `${f.kind} ${f.explanationKey} ${f.parameter}`).sort();
  return hash53(keys.join('\n'), SEED);
}

function callsHash({ symbols, label, parent, outcome, spanCount }: Segment): number {
  let hash = spanCount;
  for (let i = 0; i < spanCount; i++) {
    hash = Math.imul(hash ^ symbols.labelHash(label[i]!), 0x9e3779b1);
    hash = Math.imul((hash ^ (hash >>> 15)) + 4 * parent[i]! + outcome[i]!, 0x85ebca6b);
  }
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** A deviation in one group, as the samples of one run of blocks have it. */
interface InFold {
  readonly first: number;
  readonly value: number;
  count: number;
}

/** A deviation in one group: a sample of each fold that has it. */
export interface Recurring {
  readonly group: number;
  readonly deviation: number;
  /** The least that a run's models made of it. */
  readonly least: number;
  readonly samples: readonly { readonly fold: number; readonly sample: number }[];
}

/**
 * Deviations that models of other times value alike wherever they occur in a run of blocks (so none that has a size, like a
 * duration), that occur more than once in one run and in two runs at least. What occurs in one run alone stands for what the
 * version has not seen.
 */
export function recurringIn(folds: readonly (readonly (Scored | undefined)[])[]): Recurring[] {
  const found: Recurring[] = [];
  for (let group = 0; group < GROUPS.length; group++) {
    const byDeviation = new Map<number, Map<number, InFold>>();
    const ofSize = new Set<number>();
    for (const [fold, samples] of folds.entries()) {
      for (const [sample, scored] of samples.entries()) {
        const deviation = scored?.deviations[group] ?? 0;
        if (scored === undefined || deviation === 0 || ofSize.has(deviation)) continue;
        const value = scored.values[group]!;
        let inFolds = byDeviation.get(deviation);
        if (inFolds === undefined) {
          inFolds = new Map();
          byDeviation.set(deviation, inFolds);
        }
        const known = inFolds.get(fold);
        if (known === undefined) inFolds.set(fold, { first: sample, value, count: 1 });
        else if (Math.abs(known.value - value) < SAME) known.count++;
        else ofSize.add(deviation);
      }
    }
    for (const [deviation, inFolds] of byDeviation) {
      if (ofSize.has(deviation) || inFolds.size < 2) continue;
      if (![...inFolds.values()].some(({ count }) => count > 1)) continue;
      found.push({
        group,
        deviation,
        least: Math.min(...[...inFolds.values()].map(({ value }) => value)),
        samples: [...inFolds].map(([fold, { first }]) => ({ fold, sample: first })),
      });
    }
  }
  return found;
}

/**
 * The version's value of a deviation, where it sees the same in all of the samples that it was asked about. Where it makes less of it
 * than any of the runs' models did, it knows what they did not: then theirs stand for what the version does not know yet.
 */
export function valueOfAll(
  { group, deviation, least }: Recurring,
  byVersion: readonly Scored[],
  tolerance: number,
): number | null {
  const value = byVersion[0]?.values[group];
  if (value === undefined || value < least - tolerance) return null;
  const same = (scored: Scored): boolean =>
    scored.deviations[group] === deviation && Math.abs(scored.values[group]! - value) < SAME;
  return byVersion.every(same) ? value : null;
}

/**
 * The values that a segment is ranked by: the version's of what recurs, less what is taken off the version's values before they are
 * ranked; else what the models of other times said.
 */
export function rankedValues(scored: Scored, tolerance: number): GroupValues {
  return scored.values.map((value, group) => {
    const own = scored.byVersion[group]!;
    return own === null ? value : own - tolerance;
  });
}
