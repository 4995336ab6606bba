/**
 * The tree of a segment: which raw span hangs under which, and the pre-order with siblings by start and span id. A span
 * whose parent is not there hangs under the entry, and so does every member of a cycle of parents.
 */
import type { RawSpans } from './raw.ts';

export interface Tree {
  /** Empties the index for up to `capacity` spans. */
  begin(capacity: number): void;
  /** Indexes raw span `i` by its id; false when that id is there already. */
  add(raw: RawSpans, i: number): boolean;
  /** Orders raw spans 0…count−1 (0 = entry). Fills the columns below. */
  build(raw: RawSpans): void;
  /** Raw index by position in pre-order. */
  order: Int32Array;
  /** Position in pre-order by raw index. */
  position: Int32Array;
  /** By raw index, in raw indices; −1 = none. */
  parent: Int32Array;
  first: Int32Array;
  next: Int32Array;
  /** By raw index: 1 where the parent is not there, or is in a cycle with the span. */
  orphan: Uint8Array;
  orphans: number;
  cyclic: number;
}

export function createTree(): Tree {
  let mask = 127;
  let slots = new Int32Array(mask + 1);
  let sorted = new Int32Array(64);
  let state = new Uint8Array(64);

  const slotOf = (raw: RawSpans, high: number, low: number): number => {
    let slot = (Math.imul(high ^ low, 0x9e3779b1) >>> 7) & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (raw.idLow[entry - 1] === low && raw.idHigh[entry - 1] === high) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  };

  const isBefore = (raw: RawSpans, a: number, b: number): boolean => {
    const difference = raw.startNs[a]! - raw.startNs[b]!;
    if (difference !== 0) return difference < 0;
    return raw.idHigh[a] === raw.idHigh[b] ? raw.idLow[a]! < raw.idLow[b]! : raw.idHigh[a]! < raw.idHigh[b]!;
  };

  /** Spans come nearly in order of time or nearly in its reverse; small segments sort in place, large ones by the library. */
  function sort(raw: RawSpans): void {
    const count = raw.count;
    for (let i = 0; i < count; i++) sorted[i] = i;
    if (count > 48) {
      sorted.subarray(0, count).sort((a, b) => (a === b ? 0 : isBefore(raw, a, b) ? -1 : 1));
      return;
    }
    for (let i = 1; i < count; i++) {
      const span = sorted[i]!;
      let at = i;
      while (at > 0 && isBefore(raw, span, sorted[at - 1]!)) {
        sorted[at] = sorted[at - 1]!;
        at--;
      }
      sorted[at] = span;
    }
  }

  function breakCycles(count: number): void {
    state.fill(0, 0, count);
    state[0] = 2;
    for (let i = 1; i < count; i++) {
      let at = i;
      while (state[at] === 0) {
        state[at] = 1;
        at = tree.parent[at]!;
      }
      if (state[at] === 1) {
        // Came back to this walk: every member hangs under the entry.
        let member = at;
        do {
          const above = tree.parent[member]!;
          tree.parent[member] = 0;
          tree.orphan[member] = 1;
          state[member] = 2;
          tree.cyclic++;
          member = above;
        } while (member !== at);
      }
      for (let done = i; state[done] === 1; done = tree.parent[done]!) state[done] = 2;
    }
  }

  const tree: Tree = {
    order: new Int32Array(64),
    position: new Int32Array(64),
    parent: new Int32Array(64),
    first: new Int32Array(64),
    next: new Int32Array(64),
    orphan: new Uint8Array(64),
    orphans: 0,
    cyclic: 0,
    begin(capacity) {
      // Only as much of the table as this segment needs is used and cleared: most are small.
      let size = 128;
      while (size < capacity * 2) size *= 2;
      mask = size - 1;
      if (size > slots.length) slots = new Int32Array(size);
      else slots.fill(0, 0, size);
      if (tree.order.length < capacity) {
        const longer = slots.length;
        tree.order = new Int32Array(longer);
        tree.position = new Int32Array(longer);
        tree.parent = new Int32Array(longer);
        tree.first = new Int32Array(longer);
        tree.next = new Int32Array(longer);
        tree.orphan = new Uint8Array(longer);
        sorted = new Int32Array(longer);
        state = new Uint8Array(longer);
      }
      tree.orphans = 0;
      tree.cyclic = 0;
    },
    add(raw, i) {
      const slot = slotOf(raw, raw.idHigh[i]!, raw.idLow[i]!);
      if (slots[slot] !== 0) return false;
      slots[slot] = i + 1;
      return true;
    },
    build(raw) {
      const count = raw.count;
      const { parent, first, next, order, position, orphan } = tree;
      parent[0] = -1;
      orphan[0] = 0;
      first[0] = -1;
      for (let i = 1; i < count; i++) {
        first[i] = -1;
        const found = slots[slotOf(raw, raw.parentHigh[i]!, raw.parentLow[i]!)]! - 1;
        if (found >= 0 && found !== i) {
          parent[i] = found;
          orphan[i] = 0;
        } else {
          parent[i] = 0;
          orphan[i] = 1;
          tree.orphans++;
        }
      }
      breakCycles(count);
      sort(raw);
      next[0] = -1;
      for (let k = count - 1; k >= 0; k--) {
        const span = sorted[k]!;
        if (span === 0) continue;
        const above = parent[span]!;
        next[span] = first[above]!;
        first[above] = span;
      }
      let at = 0;
      for (let index = 0; at >= 0; index++) {
        order[index] = at;
        position[at] = index;
        if (first[at]! >= 0) at = first[at]!;
        else {
          while (at > 0 && next[at]! < 0) at = parent[at]!;
          at = at > 0 ? next[at]! : -1;
        }
      }
    },
  };
  return tree;
}
