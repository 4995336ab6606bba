/** Due times of one partition's segments: a binary heap over columns. An entry that was overtaken is dropped when it comes up. */
import { grownFloat64, grownInt32 } from './columns.ts';

export interface Timers {
  push(dueMs: number, segment: number, generation: number): void;
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
  let segments = new Int32Array(256);
  let generations = new Int32Array(256);
  let size = 0;

  const move = (from: number, to: number): void => {
    due[to] = due[from]!;
    segments[to] = segments[from]!;
    generations[to] = generations[from]!;
  };

  const timers: Timers = {
    segment: -1,
    generation: 0,
    get size() {
      return size;
    },
    firstDueMs: () => (size === 0 ? Number.POSITIVE_INFINITY : due[0]!),
    push(dueMs, segment, generation) {
      if (size === due.length) {
        due = grownFloat64(due, size * 2) as Float64Array<ArrayBuffer>;
        segments = grownInt32(segments, size * 2) as Int32Array<ArrayBuffer>;
        generations = grownInt32(generations, size * 2) as Int32Array<ArrayBuffer>;
      }
      let at = size++;
      while (at > 0) {
        const above = (at - 1) >> 1;
        if (due[above]! <= dueMs) break;
        move(above, at);
        at = above;
      }
      due[at] = dueMs;
      segments[at] = segment;
      generations[at] = generation;
    },
    pop() {
      timers.segment = segments[0]!;
      timers.generation = generations[0]!;
      const last = --size;
      if (last === 0) return;
      const dueMs = due[last]!;
      let at = 0;
      for (let below = 1; below < last; below = at * 2 + 1) {
        if (below + 1 < last && due[below + 1]! < due[below]!) below++;
        if (due[below]! >= dueMs) break;
        move(below, at);
        at = below;
      }
      move(last, at);
    },
  };
  return timers;
}
