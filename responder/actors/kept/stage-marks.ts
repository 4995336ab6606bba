/** Stages that an actor was seen at, in its columns: when, how often, by what, and what that was worth. */
import { ABUSE_KINDS } from '../../../schemas/log/actor-record.ts';
import { STAGES, type StageMark } from '../../../schemas/log/kill-chain.ts';
import { FINDING_KINDS } from '../../../schemas/log/verdict.ts';
import { TECHNIQUES } from '../../kill-chain.ts';
import { TEST_NAMES } from '../evidence/tests.ts';
import { D, MARK_DOUBLES, MARK_WORDS, MOST_MARKS, W } from './full-row.ts';

/** What carries a mark. */
export const SIGNED_IN = 'signed-in';
const CARRIERS: readonly string[] = [...TEST_NAMES, ...ABUSE_KINDS, ...FINDING_KINDS, SIGNED_IN];

interface Columns {
  readonly cells: Float64Array;
  readonly sets: Uint32Array;
}

export const markCountOf = ({ sets }: Columns): number => sets[W.markCount]!;
/** Its position in the chain. */
export const markStageOf = ({ sets }: Columns, mark: number): number => sets[W.marks + mark * MARK_WORDS + 1]! & 0xff;
export const markLastMsOf = ({ cells }: Columns, mark: number): number => cells[D.marks + mark * MARK_DOUBLES + 1]!;
/** log10 of the evidence that the stage had when it was marked. */
export const markDecadesOf = ({ cells }: Columns, mark: number): number => cells[D.marks + mark * MARK_DOUBLES + 2]!;

export function marksOf({ cells, sets }: Columns): StageMark[] {
  const marks: StageMark[] = [];
  for (let mark = 0; mark < sets[W.markCount]!; mark++) {
    const what = sets[W.marks + mark * MARK_WORDS + 1]!;
    marks.push({
      stage: STAGES[what & 0xff]!,
      technique: TECHNIQUES[(what >>> 8) & 0xff]!,
      by: CARRIERS[what >>> 16]!,
      firstMs: cells[D.marks + mark * MARK_DOUBLES]!,
      lastMs: cells[D.marks + mark * MARK_DOUBLES + 1]!,
      count: sets[W.marks + mark * MARK_WORDS]!,
    });
  }
  return marks;
}

/** True when its stage was not marked by this before. Beyond the most it takes the place of the one seen longest ago. */
export function addMark(actor: Columns, mark: StageMark, decades: number): boolean {
  const { cells, sets } = actor;
  const what =
    STAGES.indexOf(mark.stage) |
    (Math.max(0, TECHNIQUES.indexOf(mark.technique)) << 8) |
    (Math.max(0, CARRIERS.indexOf(mark.by)) << 16);
  const count = sets[W.markCount]!;
  for (let known = 0; known < count; known++) {
    // the technique first seen stays
    if (((sets[W.marks + known * MARK_WORDS + 1]! ^ what) & 0xffff00ff) !== 0) continue;
    const at = D.marks + known * MARK_DOUBLES;
    cells[at] = Math.min(cells[at]!, mark.firstMs);
    cells[at + 1] = Math.max(cells[at + 1]!, mark.lastMs);
    cells[at + 2] = Math.max(cells[at + 2]!, decades);
    sets[W.marks + known * MARK_WORDS] = sets[W.marks + known * MARK_WORDS]! + mark.count;
    return false;
  }
  const place = count < MOST_MARKS ? count : forgetOldest(actor);
  sets[W.markCount] = place + 1;
  cells.set([mark.firstMs, mark.lastMs, decades], D.marks + place * MARK_DOUBLES);
  sets.set([mark.count, what], W.marks + place * MARK_WORDS);
  return true;
}

/** Its place is the last one then. */
function forgetOldest(actor: Columns): number {
  let oldest = 0;
  for (let mark = 1; mark < MOST_MARKS; mark++)
    if (markLastMsOf(actor, mark) < markLastMsOf(actor, oldest)) oldest = mark;
  const end = MOST_MARKS;
  actor.cells.copyWithin(
    D.marks + oldest * MARK_DOUBLES,
    D.marks + (oldest + 1) * MARK_DOUBLES,
    D.marks + end * MARK_DOUBLES,
  );
  actor.sets.copyWithin(W.marks + oldest * MARK_WORDS, W.marks + (oldest + 1) * MARK_WORDS, W.marks + end * MARK_WORDS);
  return end - 1;
}
