/**
 * Whether one model group drowns the others: fused once with it and once without, does the recall of what the others should see
 * grow when it is silent? (DETECTION §5, guards)
 */
import { fuse, GROUP_WEIGHTS } from '../../baseline/fusion/calibration.ts';
import { GROUPS, type Group } from '../../schemas/log/verdict.ts';
import type { Judged } from './judged.ts';
import type { MutationGroup } from './mutations/index.ts';
import { scoreAt, shareFrom } from './ranking.ts';

export interface Drowning {
  /** The group that is silenced. */
  readonly group: Group;
  /** Whose anomalies are looked at. */
  readonly of: MutationGroup;
  readonly recallWith: number;
  readonly recallWithout: number;
  /**
   * Decades by which the group lifts the bar that normal traffic sets for all, beyond what its weight alone does: of two groups that
   * speak, each as sure as it is right, one lifts it by log10 of their weights together over the other's.
   */
  readonly lifts: number;
}

/** A group that never gets below this of normal traffic has nothing to say of it. */
const SPEAKS = 0.05;

/** One row for each group and each other group's anomalies. */
export function drownings(
  normal: readonly Judged[],
  planted: ReadonlyMap<MutationGroup, readonly Judged[]>,
  rate: number,
): Drowning[] {
  const fuseAll = (silent: number) => {
    const bar = scoreAt(fused(normal, silent), rate);
    const recalls = new Map([...planted].map(([group, own]) => [group, shareFrom(fused(own, silent), bar)]));
    return { bar, recalls };
  };
  const all = fuseAll(-1);
  const speaks = GROUPS.map((_, g) => normal.some(({ groups }) => groups[g]! <= SPEAKS));
  const weight = (silent: number): number =>
    GROUPS.reduce((sum, group, g) => (speaks[g] && g !== silent ? sum + GROUP_WEIGHTS[group] : sum), 0);
  return GROUPS.flatMap((group, g) => {
    const without = fuseAll(g);
    return [...planted.keys()]
      .filter((of) => of !== group)
      .map((of) => ({
        group,
        of,
        recallWith: all.recalls.get(of)!,
        recallWithout: without.recalls.get(of)!,
        lifts: all.bar - without.bar - (weight(g) > 0 ? Math.log10(weight(-1) / weight(g)) : 0),
      }));
  });
}

/** A silent group has no evidence: p = 1, and it keeps its weight (DETECTION §5.2). */
function fused(all: readonly Judged[], silent: number): Float64Array {
  const p = new Float64Array(GROUPS.length);
  return Float64Array.from(all, ({ groups }) => {
    p.set(groups);
    if (silent >= 0) p[silent] = 1;
    return fuse(p);
  });
}
