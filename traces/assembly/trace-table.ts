/** Traces with held spans, by partition and full 16-byte id; counts of what each holds, for the caps. */
import { createFreeList, grownInt32, grownUint8, grownUint32 } from './columns.ts';

export const TraceFlags = {
  /** A segment of it is full. */
  full: 1,
  /** Its reuse was told. */
  reused: 2,
} as const;

export interface TraceTable {
  partition: Int32Array;
  /** Held segments, of these not closed, entries decided, entries not decided. */
  held: Int32Array;
  open: Int32Array;
  entries: Int32Array;
  undecided: Int32Array;
  /** TraceFlags. */
  flags: Uint8Array;
  /** Row of the trace whose 16-byte id lies at `start`, made when new. */
  take(partition: number, bytes: Uint8Array, start: number): number;
  give(trace: number): void;
  hex(trace: number): string;
  /** Whether any partition's row of this hex id has open segments. */
  isOpen(traceId: string): boolean;
}

const hex32 = (value: number): string => value.toString(16).padStart(8, '0');

export function createTraceTable(): TraceTable {
  const rows = createFreeList(1024);
  let mask = 2047;
  let heads = new Int32Array(mask + 1);
  let next = new Int32Array(1024);
  /** Four unsigned 32-bit words an id. */
  let words = new Uint32Array(4 * 1024);

  const bucketOf = (a: number, b: number, c: number, d: number): number => {
    const h = Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0x9e3779b1) ^ Math.imul(c ^ Math.imul(d, 0x27d4eb2f), 0xc2b2ae35);
    return (h ^ (h >>> 15)) & mask;
  };
  const wordAt = (bytes: Uint8Array, at: number): number =>
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

  function link(row: number): void {
    const at = row * 4;
    const bucket = bucketOf(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
    next[row] = heads[bucket]!;
    heads[bucket] = row + 1;
  }

  function grow(): void {
    const size = rows.capacity * 2;
    table.partition = grownInt32(table.partition, size);
    table.held = grownInt32(table.held, size);
    table.open = grownInt32(table.open, size);
    table.entries = grownInt32(table.entries, size);
    table.undecided = grownInt32(table.undecided, size);
    table.flags = grownUint8(table.flags, size);
    words = grownUint32(words, size * 4) as Uint32Array<ArrayBuffer>;
    const oldHeads = heads;
    const oldNext = next;
    mask = size * 2 - 1;
    heads = new Int32Array(mask + 1);
    next = new Int32Array(size);
    rows.grown(size);
    for (const head of oldHeads) for (let at = head; at !== 0; at = oldNext[at - 1]!) link(at - 1);
  }

  const table: TraceTable = {
    partition: new Int32Array(1024),
    held: new Int32Array(1024),
    open: new Int32Array(1024),
    entries: new Int32Array(1024),
    undecided: new Int32Array(1024),
    flags: new Uint8Array(1024),
    take(partition, bytes, start) {
      const a = wordAt(bytes, start);
      const b = wordAt(bytes, start + 4);
      const c = wordAt(bytes, start + 8);
      const d = wordAt(bytes, start + 12);
      for (let at = heads[bucketOf(a, b, c, d)]!; at !== 0; at = next[at - 1]!) {
        const row = at - 1;
        const word = row * 4;
        if (
          words[word + 3] === d &&
          words[word + 2] === c &&
          words[word + 1] === b &&
          words[word] === a &&
          table.partition[row] === partition
        ) {
          return row;
        }
      }
      let row = rows.take();
      if (row < 0) {
        grow();
        row = rows.take();
      }
      table.partition[row] = partition;
      table.held[row] = 0;
      table.open[row] = 0;
      table.entries[row] = 0;
      table.undecided[row] = 0;
      table.flags[row] = 0;
      words[row * 4] = a;
      words[row * 4 + 1] = b;
      words[row * 4 + 2] = c;
      words[row * 4 + 3] = d;
      link(row);
      return row;
    },
    give(row) {
      const word = row * 4;
      const bucket = bucketOf(words[word]!, words[word + 1]!, words[word + 2]!, words[word + 3]!);
      let at = heads[bucket]!;
      if (at === row + 1) heads[bucket] = next[row]!;
      else {
        while (next[at - 1] !== row + 1) at = next[at - 1]!;
        next[at - 1] = next[row]!;
      }
      rows.give(row);
    },
    hex: (row) =>
      hex32(words[row * 4]!) + hex32(words[row * 4 + 1]!) + hex32(words[row * 4 + 2]!) + hex32(words[row * 4 + 3]!),
    isOpen(traceId) {
      const a = Number.parseInt(traceId.slice(0, 8), 16);
      const b = Number.parseInt(traceId.slice(8, 16), 16);
      const c = Number.parseInt(traceId.slice(16, 24), 16);
      const d = Number.parseInt(traceId.slice(24, 32), 16);
      for (let at = heads[bucketOf(a, b, c, d)]!; at !== 0; at = next[at - 1]!) {
        const word = (at - 1) * 4;
        const same = words[word] === a && words[word + 1] === b && words[word + 2] === c && words[word + 3] === d;
        if (same && table.open[at - 1]! > 0) return true;
      }
      return false;
    },
  };
  return table;
}
