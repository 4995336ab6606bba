/**
 * Due times of one partition's segments: a binary heap over columns. An entry that was overtaken is dropped when it comes
 * up. What is due at the same millisecond comes up in the order of first offsets, then of scheduling: a heap alone would
 * decide by its history, and a replay tell another story.
 */
import { grownFloat64, grownInt32 } from './columns.ts';

export interface Timers {
  push(dueMs: number, firstOffset: number, segment: number, generation: number): void;
  /** Due time of the first entry; Infinity when there is none. */
  firstDueMs(): number;
  /** Removes the first entry and leaves it in `segment` and `generation`. */
  pop(): void;
  segment: number;
  generation: number;
  readonly size: number;
}

export function createTimers(): Timers {
  let due = new Float64Array(256);
  let offsets = new Float64Array(256);
  let sequences = new Float64Array(256);
  let nextSequence = 0;
  let segments = new Int32Array(256);
  let generations = new Int32Array(256);
  let size = 0;

  const move = (from: number, to: number): void => {
    due[to] = due[from]!;
    offsets[to] = offsets[from]!;
    sequences[to] = sequences[from]!;
    segments[to] = segments[from]!;
    generations[to] = generations[from]!;
  };

  /** Whether entry `a` comes up before one of these values. */
  const isBefore = (a: number, dueMs: number, firstOffset: number, sequence: number): boolean => {
    if (due[a] !== dueMs) return due[a]! < dueMs;
    if (offsets[a] !== firstOffset) return offsets[a]! < firstOffset;
    return sequences[a]! < sequence;
  };

  const timers: Timers = {
    segment: -1,
    generation: 0,
    get size() {
      return size;
    },
    firstDueMs: () => (size === 0 ? Number.POSITIVE_INFINITY : due[0]!),
    push(dueMs, firstOffset, segment, generation) {
      if (size === due.length) {
        due = grownFloat64(due, size * 2) as Float64Array<ArrayBuffer>;
        offsets = grownFloat64(offsets, size * 2) as Float64Array<ArrayBuffer>;
        sequences = grownFloat64(sequences, size * 2) as Float64Array<ArrayBuffer>;
        segments = grownInt32(segments, size * 2) as Int32Array<ArrayBuffer>;
        generations = grownInt32(generations, size * 2) as Int32Array<ArrayBuffer>;
      }
      const sequence = nextSequence++;
      let at = size++;
      while (at > 0) {
        const above = (at - 1) >> 1;
        if (isBefore(above, dueMs, firstOffset, sequence)) break;
        move(above, at);
        at = above;
      }
      due[at] = dueMs;
      offsets[at] = firstOffset;
      sequences[at] = sequence;
      segments[at] = segment;
      generations[at] = generation;
    },
    pop() {
      timers.segment = segments[0]!;
      timers.generation = generations[0]!;
      const last = --size;
      if (last === 0) return;
      const dueMs = due[last]!;
      const firstOffset = offsets[last]!;
      const sequence = sequences[last]!;
      let at = 0;
      for (let below = 1; below < last; below = at * 2 + 1) {
        const right = below + 1;
        if (right < last && isBefore(right, due[below]!, offsets[below]!, sequences[below]!)) below = right;
        if (!isBefore(below, dueMs, firstOffset, sequence)) break;
        move(below, at);
        at = below;
      }
      move(last, at);
    },
  };
  return timers;
}
