/** Whether planted anomalies stand above normal traffic: areas under curves, and recall at a rate of false positives. */

export interface Ranking {
  /** Area under precision and recall, as the mean precision at each planted one; ties share theirs. */
  readonly auprc: number;
  /** Chance that a planted one stands above a normal one, ties counted half; 0.5 = the scores say nothing. */
  readonly auroc: number;
}

export function rankingOf(normal: Float64Array, planted: Float64Array): Ranking {
  const all = [...Array.from(normal, (score) => ({ score, isPlanted: false }))].concat(
    Array.from(planted, (score) => ({ score, isPlanted: true })),
  );
  all.sort((a, b) => b.score - a.score);
  let truePositives = 0;
  let falsePositives = 0;
  let recall = 0;
  let auprc = 0;
  let above = 0;
  for (let from = 0, to = 0; from < all.length; from = to) {
    let tiedPlanted = 0;
    for (; to < all.length && all[to]!.score === all[from]!.score; to++) if (all[to]!.isPlanted) tiedPlanted++;
    const tiedNormal = to - from - tiedPlanted;
    above += tiedPlanted * (normal.length - falsePositives - tiedNormal / 2);
    truePositives += tiedPlanted;
    falsePositives += tiedNormal;
    const reached = truePositives / planted.length;
    auprc += (reached - recall) * (truePositives / (truePositives + falsePositives));
    recall = reached;
  }
  return { auprc, auroc: above / (normal.length * planted.length) };
}

/**
 * Lowest score at which at most `rate` of the normal ones are called anomalous: planted ones at or above it are found.
 * Infinity where even the topmost scores are shared by too many.
 */
export function scoreAt(normal: Float64Array, rate: number): number {
  const sorted = Float64Array.from(normal).sort().reverse();
  const allowed = Math.floor(rate * sorted.length + 1e-9);
  if (allowed >= sorted.length) return Number.NEGATIVE_INFINITY;
  // just above the first one that is too many
  return nextAbove(sorted[allowed]!);
}

const view = new DataView(new ArrayBuffer(8));

/** The smallest number above a finite one. */
function nextAbove(value: number): number {
  if (!Number.isFinite(value)) return value;
  view.setFloat64(0, value === 0 ? 0 : value);
  const bits = view.getBigInt64(0);
  view.setBigInt64(0, value < 0 ? bits - 1n : bits + 1n);
  return view.getFloat64(0);
}

export const shareFrom = (scores: Float64Array, from: number): number => {
  let count = 0;
  for (const score of scores) if (score >= from) count++;
  return scores.length === 0 ? Number.NaN : count / scores.length;
};

/** Share of the scores that equal the largest of them. */
export function tiedAtTop(scores: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const score of scores) {
    if (score > most) {
      most = score;
      count = 1;
    } else if (score === most) count++;
  }
  return scores.length === 0 ? 0 : count / scores.length;
}

/** Of planted ones: one kind may be the same thing at another time and score alike, so ties count across kinds only. */
export function tiedAcrossKinds(planted: readonly { readonly kind: string; readonly score: number }[]): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const { score } of planted) if (score > top) top = score;
  const kinds = new Map<string, number>();
  for (const { kind, score } of planted) if (score === top) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  let all = 0;
  let most = 0;
  for (const count of kinds.values()) {
    all += count;
    most = Math.max(most, count);
  }
  return planted.length === 0 ? 0 : (all - most) / planted.length;
}
