/**
 * An imported baseline, held against own traffic before it may judge: how often does it call normal requests improbable? Realised
 * rates over nominal ones, with their interval; a version that own traffic contradicts never raises an alert. Pure.
 */
import type { Judgement } from '../baseline/model.ts';

export interface Confirmation {
  /** Counts what the imported version says of a segment of own traffic. */
  add(judgement: Judgement): void;
  readonly state: 'confirming' | 'confirmed' | 'contradicted';
  /** For people: how many segments, and the realised rates. */
  readonly text: string;
}

/** Enough that a rate of alpha shows, and one of 1e-2 within ± a half. */
const LEAST_SEGMENTS = 1_000;
/** A plain contradiction is told early. */
const EARLY_SEGMENTS = 200;
const NOMINAL = 1e-2;
/** The guard of DETECTION §5: realised over nominal at most 2. Traffic quieter than was learned contradicts nothing. */
const MOST_RATIO = 2;
const MOST_REASONS = 500;

export function createConfirmation(alpha: number): Confirmation {
  const needed = Math.max(LEAST_SEGMENTS, Math.ceil(1 / alpha));
  let segments = 0;
  let unlikely = 0;
  let anomalous = 0;
  let hard = 0;
  const reasons = new Map<string, number>();

  const isAbove = (hits: number, nominal: number): boolean => wilson(hits, segments)[0] > MOST_RATIO * nominal;
  const isContradicted = (): boolean =>
    isAbove(unlikely, NOMINAL) || isAbove(anomalous, alpha) || isAbove(hard, Math.max(alpha, NOMINAL / 2));

  return {
    add(judgement) {
      segments++;
      if (judgement.p <= NOMINAL) unlikely++;
      if (judgement.p <= alpha) anomalous++;
      if (judgement.findings.some((finding) => finding.hard)) hard++;
      const first = judgement.p <= NOMINAL ? judgement.findings[0] : undefined;
      if (first === undefined) return;
      const reason = `${first.kind} at ${first.service} ${first.operation}`;
      if (reasons.has(reason) || reasons.size < MOST_REASONS) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    },
    get state() {
      if (segments >= EARLY_SEGMENTS && isContradicted()) return 'contradicted';
      return segments >= needed ? 'confirmed' : 'confirming';
    },
    get text() {
      const often = [...reasons].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 3);
      const why =
        often.length === 0 ? '' : `; most often ${often.map(([reason, count]) => `${reason} (${count})`).join(', ')}`;
      return (
        `${segments} of ${needed} segments of own traffic: ${percent(unlikely, segments)} at or below p ${NOMINAL}, ` +
        `${percent(anomalous, segments)} at or below ${alpha}, ${percent(hard, segments)} with a hard finding${why}`
      );
    },
  };
}

const percent = (hits: number, of: number): string => `${of === 0 ? 0 : ((100 * hits) / of).toFixed(2)} %`;

/** 95 % interval of a share (Wilson 1927). */
export function wilson(hits: number, n: number): readonly [number, number] {
  if (n === 0) return [0, 1];
  const z = 1.96;
  const share = hits / n;
  const centre = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}
