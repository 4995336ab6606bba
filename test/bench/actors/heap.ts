/** Sessions by the time of their next request: a binary heap. */
export interface Timed {
  readonly atMs: number;
}

export function push<T extends Timed>(heap: T[], item: T): void {
  heap.push(item);
  let at = heap.length - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]!.atMs <= item.atMs) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = item;
}

export function pop<T extends Timed>(heap: T[]): T | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++;
    if (heap[child]!.atMs >= last.atMs) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}
