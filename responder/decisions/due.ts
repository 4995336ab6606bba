/** What falls due, the first first: a binary heap. What was called off meanwhile is passed over when its turn comes. Pure. */

export interface Due<T> {
  readonly dueMs: number;
  /** Of those due at once the smaller comes first. */
  readonly rank: number | string;
  readonly what: T;
}

export interface DueQueue<T> {
  add(due: Due<T>): void;
  /** The first that still stands. */
  first(): Due<T> | undefined;
}

export function createDueQueue<T>(stands: (due: Due<T>) => boolean): DueQueue<T> {
  const heap: Due<T>[] = [];

  const isBefore = (a: Due<T>, b: Due<T>): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.rank < b.rank);

  function swap(i: number, j: number): void {
    const held = heap[i]!;
    heap[i] = heap[j]!;
    heap[j] = held;
  }

  function removeFirst(): void {
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  }

  return {
    add(due) {
      let i = heap.push(due) - 1;
      while (i > 0) {
        const parent = (i - 1) >> 1;
        if (!isBefore(heap[i]!, heap[parent]!)) return;
        swap(i, parent);
        i = parent;
      }
    },
    first() {
      while (heap.length > 0 && !stands(heap[0]!)) removeFirst();
      return heap[0];
    },
  };
}
