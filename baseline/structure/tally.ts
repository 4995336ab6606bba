/**
 * The counters of a partial: a row a key (an edge, a child set, a signature …) with its occurrences, sketches of the time
 * buckets and clients they came from, and occurrences by bin of the client's hash. Integers only, so that merging is
 * exact, commutative and associative; admission and influence caps wait until a version is compiled (DETECTION §7).
 */
import type { LearnContext } from '../model.ts';
import { type ByteReader, type ByteWriter, readFloat, readVarint, writeFloat, writeVarint } from './bytes.ts';
import { mix, mix32 } from './hash.ts';
import { createNumberTable, insert, lookUp, type NumberTable } from './number-table.ts';
import { addToSketch } from './sketch.ts';

export const RowKind = {
  /** Calls of label a with outcome class c. */
  node: 1,
  /** Calls of label a, outcome class c (`tree.ts`), with at least one child of label b; `extra` sums b's rank among the children. */
  edge: 2,
  /** Calls of label a with c (see `cellOf`) children of label b; b = 0: children of any label. */
  cell: 3,
  /** Calls of label a, outcome class c, whose children have exactly the labels of set b. */
  set: 4,
  /** Nodes whose chain of labels from the entry is the key; a = key of the chain above, b = label. */
  path: 5,
  /** Segments with entry label a, multiset key b, outcome class c of the entry; `extra` unused. */
  signature: 6,
  /** Calls of label a in which the unordered pair b of its children's labels stood in relation c (`order.ts`). */
  order: 7,
  /** Client calls of label a that succeeded: c = 1 where a span of the service called came, 0 where none did. */
  answer: 8,
  /** Segments with signature a (entry label and multiset key mixed), whose exact counts have key b. */
  counted: 9,
  /** Transitions of place a (`follow.ts`) to block b. */
  follow: 10,
} as const;
export type RowKind = (typeof RowKind)[keyof typeof RowKind];

/** Bins of client hashes: the influence cap binds a bin, so it errs against rarely more than one honest client in 32. */
export const BINS = 32;
/** Enough for the strictest admission: 4 × 2 × 5 buckets, 4 × 3 clients. */
export const BUCKET_SKETCH = 40;
export const CLIENT_SKETCH = 12;

/** Most rows of a kind one partial takes up from learning; merging takes all. Attackers make rows, so learning is bounded. */
const ROW_CAPS: readonly number[] = [0, 20_000, 60_000, 60_000, 30_000, 30_000, 20_000, 30_000, 20_000, 20_000, 40_000];
export const ROW_KINDS = ROW_CAPS.length;

export interface Tally {
  table: NumberTable;
  size: number;
  key: Float64Array;
  kind: Uint8Array;
  a: Float64Array;
  b: Float64Array;
  c: Float64Array;
  count: Float64Array;
  /** Of these from no known client. */
  unattributed: Float64Array;
  extra: Float64Array;
  bucketLength: Uint8Array;
  clientLength: Uint8Array;
  buckets: Uint32Array;
  clients: Uint32Array;
  bins: Uint32Array;
  /** Rows by kind, for the caps. */
  rows: Float64Array;
  /** Observations of new keys beyond a cap. */
  dropped: number;
}

export function createTally(capacity = 64): Tally {
  const tally = { table: createNumberTable(capacity), size: 0, rows: new Float64Array(ROW_KINDS), dropped: 0 } as Tally;
  allocate(tally, capacity);
  return tally;
}

function allocate(tally: Tally, capacity: number): void {
  const grown = <T extends Float64Array | Uint8Array | Uint32Array>(fresh: T, old: T | undefined): T => {
    if (old !== undefined) fresh.set(old);
    return fresh;
  };
  tally.key = grown(new Float64Array(capacity), tally.key);
  tally.kind = grown(new Uint8Array(capacity), tally.kind);
  tally.a = grown(new Float64Array(capacity), tally.a);
  tally.b = grown(new Float64Array(capacity), tally.b);
  tally.c = grown(new Float64Array(capacity), tally.c);
  tally.count = grown(new Float64Array(capacity), tally.count);
  tally.unattributed = grown(new Float64Array(capacity), tally.unattributed);
  tally.extra = grown(new Float64Array(capacity), tally.extra);
  tally.bucketLength = grown(new Uint8Array(capacity), tally.bucketLength);
  tally.clientLength = grown(new Uint8Array(capacity), tally.clientLength);
  tally.buckets = grown(new Uint32Array(capacity * BUCKET_SKETCH), tally.buckets);
  tally.clients = grown(new Uint32Array(capacity * CLIENT_SKETCH), tally.clients);
  tally.bins = grown(new Uint32Array(capacity * BINS), tally.bins);
}

export const rowKey = (kind: RowKind, a: number, b: number, c: number): number => mix(mix(a, b), kind * 65536 + c);

/** Row of a key, made when new; −1 when learning may take no more of its kind (`capped`). */
export function rowOf(
  tally: Tally,
  key: number,
  kind: number,
  a: number,
  b: number,
  c: number,
  capped: boolean,
): number {
  const known = lookUp(tally.table, key);
  if (known >= 0) return known;
  if (capped && tally.rows[kind]! >= ROW_CAPS[kind]!) return -1;
  if (tally.size === tally.key.length) allocate(tally, tally.size * 2);
  const row = tally.size++;
  tally.key[row] = key;
  tally.kind[row] = kind;
  tally.a[row] = a;
  tally.b[row] = b;
  tally.c[row] = c;
  tally.rows[kind]!++;
  insert(tally.table, key, row);
  return row;
}

/** What the rows of one segment share: hashes of its bucket and client, made once. */
export interface Occasion {
  bucket: number;
  /** 0 = unknown. */
  client: number;
  bin: number;
}

export function occasionOf(context: LearnContext, out: Occasion): void {
  out.bucket = mix32(context.bucket | 0);
  out.client = context.client === 0 ? 0 : mix32(context.client | 0) || 1;
  // Other bits than the sketch compares: a bottom-k sketch looks at the high ones first.
  out.bin = mix32(~context.client) % BINS;
}

/** Counts one observation; true when the key was new. */
export function observe(
  tally: Tally,
  occasion: Occasion,
  kind: RowKind,
  a: number,
  b: number,
  c: number,
  extra: number,
): boolean {
  return observeKey(tally, occasion, rowKey(kind, a, b, c), kind, a, b, c, extra);
}

export function observeKey(
  tally: Tally,
  occasion: Occasion,
  key: number,
  kind: RowKind,
  a: number,
  b: number,
  c: number,
  extra: number,
): boolean {
  const before = tally.size;
  const row = rowOf(tally, key, kind, a, b, c, true);
  if (row < 0) {
    tally.dropped++;
    return false;
  }
  tally.count[row]!++;
  tally.extra[row]! += extra;
  tally.bucketLength[row] = addToSketch(
    tally.buckets,
    row * BUCKET_SKETCH,
    tally.bucketLength[row]!,
    BUCKET_SKETCH,
    occasion.bucket,
  );
  if (occasion.client === 0) tally.unattributed[row]!++;
  else {
    tally.clientLength[row] = addToSketch(
      tally.clients,
      row * CLIENT_SKETCH,
      tally.clientLength[row]!,
      CLIENT_SKETCH,
      occasion.client,
    );
    tally.bins[row * BINS + occasion.bin]!++;
  }
  return tally.size > before;
}

export function mergeTally(into: Tally, from: Tally): void {
  for (let f = 0; f < from.size; f++) {
    const row = rowOf(into, from.key[f]!, from.kind[f]!, from.a[f]!, from.b[f]!, from.c[f]!, false);
    into.count[row]! += from.count[f]!;
    into.unattributed[row]! += from.unattributed[f]!;
    into.extra[row]! += from.extra[f]!;
    for (let i = 0; i < from.bucketLength[f]!; i++) {
      into.bucketLength[row] = addToSketch(
        into.buckets,
        row * BUCKET_SKETCH,
        into.bucketLength[row]!,
        BUCKET_SKETCH,
        from.buckets[f * BUCKET_SKETCH + i]!,
      );
    }
    for (let i = 0; i < from.clientLength[f]!; i++) {
      into.clientLength[row] = addToSketch(
        into.clients,
        row * CLIENT_SKETCH,
        into.clientLength[row]!,
        CLIENT_SKETCH,
        from.clients[f * CLIENT_SKETCH + i]!,
      );
    }
    for (let i = 0; i < BINS; i++) into.bins[row * BINS + i]! += from.bins[f * BINS + i]!;
  }
  into.dropped += from.dropped;
}

/** Rows in the order of their keys, so that equal tallies have equal bytes. */
export function rowOrder(tally: Tally): number[] {
  const order = Array.from({ length: tally.size }, (_, row) => row);
  return order.sort((x, y) => tally.key[x]! - tally.key[y]!);
}

export function writeTally(writer: ByteWriter, tally: Tally): void {
  writeVarint(writer, tally.size);
  writeVarint(writer, tally.dropped);
  for (const row of rowOrder(tally)) {
    writeFloat(writer, tally.key[row]!);
    writeVarint(writer, tally.kind[row]!);
    writeFloat(writer, tally.a[row]!);
    writeFloat(writer, tally.b[row]!);
    writeVarint(writer, tally.c[row]!);
    writeVarint(writer, tally.count[row]!);
    writeVarint(writer, tally.unattributed[row]!);
    writeVarint(writer, tally.extra[row]!);
    writeRange(writer, tally.buckets, row * BUCKET_SKETCH, tally.bucketLength[row]!);
    writeRange(writer, tally.clients, row * CLIENT_SKETCH, tally.clientLength[row]!);
    if (tally.clientLength[row]! > 0) for (let i = 0; i < BINS; i++) writeVarint(writer, tally.bins[row * BINS + i]!);
  }
}

function writeRange(writer: ByteWriter, pool: Uint32Array, at: number, length: number): void {
  writeVarint(writer, length);
  for (let i = 0; i < length; i++) writeVarint(writer, pool[at + i]!);
}

export function readTally(reader: ByteReader): Tally {
  const size = readVarint(reader);
  // A row takes at least 30 bytes: a damaged size must not allocate.
  if (size * 30 > reader.bytes.length) reader.fail();
  const tally = createTally(Math.max(64, size));
  tally.dropped = readVarint(reader);
  for (let i = 0; i < size; i++) {
    const key = readFloat(reader);
    const kind = readVarint(reader);
    if (kind < RowKind.node || kind >= ROW_KINDS || !(key >= 0)) reader.fail();
    const row = rowOf(tally, key, kind, readFloat(reader), readFloat(reader), readVarint(reader), false);
    tally.count[row] = readVarint(reader);
    tally.unattributed[row] = readVarint(reader);
    tally.extra[row] = readVarint(reader);
    tally.bucketLength[row] = readRange(reader, tally.buckets, row * BUCKET_SKETCH, BUCKET_SKETCH);
    tally.clientLength[row] = readRange(reader, tally.clients, row * CLIENT_SKETCH, CLIENT_SKETCH);
    if (tally.clientLength[row]! > 0) for (let b = 0; b < BINS; b++) tally.bins[row * BINS + b] = readVarint(reader);
  }
  return tally;
}

function readRange(reader: ByteReader, pool: Uint32Array, at: number, most: number): number {
  const length = readVarint(reader);
  if (length > most) reader.fail();
  for (let i = 0; i < length; i++) pool[at + i] = readVarint(reader);
  return length;
}

/** Cell of a count: exact up to 32, then eight an octave. */
export const cellOf = (count: number): number =>
  count <= 32 ? count : 32 + Math.floor(8 * Math.log2(count / 32) + 1e-9);

/** Least count in a cell. */
export const cellLow = (cell: number): number => (cell <= 32 ? cell : Math.ceil(32 * 2 ** ((cell - 32) / 8) - 1e-9));
