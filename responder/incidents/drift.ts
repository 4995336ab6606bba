/**
 * Calibration drift: by how much the share of unlikely segments in recent traffic differs from what p promises. The median over
 * hours, so that neither an attack nor a bad hour moves it; hard findings are told by themselves and are not counted.
 */
import type { RateHour } from '../../schemas/alerts/budget.ts';
import { JUDGED_LEVELS } from '../../schemas/log/judged.ts';
import { HOUR_MS } from './rates.ts';

export interface Drift {
  /** Realised over nominal; 1 while too little was judged. */
  readonly ratio: number;
  /** Nominal share at which it was measured; 0 = not yet. */
  readonly nominal: number;
}

/** Blocks of time looked at: the last day's hours, or longer ones where an hour has few segments. */
const MOST_BLOCKS = 24;
const LEAST_BLOCKS = 3;
/** Segments of a block: ten are expected at the highest level. */
const BLOCK_SEGMENTS = 1_000;
/** A share is measured at the smallest p of which a typical block expects so many. */
const LEAST_EXPECTED = 5;

interface Block {
  segments: number;
  readonly below: number[];
}

/** Of the hours that were over at `nowMs`. */
export function driftOf(hours: readonly RateHour[], nowMs: number): Drift {
  const blocks = blocksOf(hours, nowMs);
  if (blocks.length < LEAST_BLOCKS) return { ratio: 1, nominal: 0 };
  const typical = median(blocks.map(({ segments }) => segments));
  let level = 0;
  for (let i = 1; i < JUDGED_LEVELS.length; i++) if (typical * JUDGED_LEVELS[i]! >= LEAST_EXPECTED) level = i;
  const nominal = JUDGED_LEVELS[level]!;
  const ratio = median(blocks.map(({ segments, below }) => below[level]! / segments)) / nominal;
  return { ratio: ratio < 1 ? withTail(ratio, blocks, level) : ratio, nominal };
}

/** Where alerts are, p may promise more than in its body: what is too rare there for a median can still keep the threshold where it is. */
function withTail(ratio: number, blocks: readonly Block[], level: number): number {
  const segments = blocks.reduce((sum, block) => sum + block.segments, 0);
  let kept = ratio;
  for (let i = level + 1; i < JUDGED_LEVELS.length; i++) {
    const expected = segments * JUDGED_LEVELS[i]!;
    if (expected < LEAST_EXPECTED) break;
    const seen = blocks.reduce((sum, { below }) => sum + below[i]!, 0);
    kept = Math.max(kept, Math.min(1, seen / expected));
  }
  return kept;
}

function blocksOf(hours: readonly RateHour[], nowMs: number): Block[] {
  const byHour = new Map<number, Block>();
  for (const { hourMs, segments, below, hard } of hours) {
    if (hourMs + HOUR_MS > nowMs) continue;
    addTo(byHour, hourMs, { segments, below: below.map((n, i) => n - hard[i]!) });
  }
  const blocks: Block[] = [];
  let block: Block = empty();
  for (const [, hour] of [...byHour].sort(([a], [b]) => b - a)) {
    block.segments += hour.segments;
    hour.below.forEach((n, i) => {
      block.below[i]! += n;
    });
    if (block.segments < BLOCK_SEGMENTS) continue;
    blocks.push(block);
    if (blocks.length === MOST_BLOCKS) break;
    block = empty();
  }
  return blocks;
}

const empty = (): Block => ({ segments: 0, below: JUDGED_LEVELS.map(() => 0) });

function addTo(byHour: Map<number, Block>, hourMs: number, { segments, below }: Block): void {
  const known = byHour.get(hourMs) ?? empty();
  byHour.set(hourMs, { segments: known.segments + segments, below: known.below.map((n, i) => n + below[i]!) });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
