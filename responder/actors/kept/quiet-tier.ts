/**
 * Everybody without signals: 84 bytes each, in columns of blocks, found by the hash of the key alone (the key comes with every
 * event, and is kept only for those with signals). Without signals there is no evidence, so that no test needs state here.
 */
import type { PartSource } from '../parts.ts';
import { createRowIndex } from './row-index.ts';

const LOG2_ROWS = 13;
export const BLOCK_ROWS = 1 << LOG2_ROWS;
const ROW_MASK = BLOCK_ROWS - 1;

/** Words of linear counting for users behind an address. */
export const USER_WORDS = 4;
/** Habits kept: one a test. */
export const HABITS = 9;

/** Columns of a row, wide ones first so that each is aligned, by number of elements. */
const WORDS = 10 + USER_WORDS;
const HALVES = 8;
const BYTES = 3 + HABITS;
export const ROW_BYTES = 4 * WORDS + 2 * HALVES + BYTES;
const ROW_WORDS = ROW_BYTES / 4;

/**
 * `BLOCK_ROWS` rows over one buffer. All of a row lies together, since what an event asks of it is most of it: each column is a view of
 * the whole buffer from its place in the first row on. A row is at i in columns of words, 2 i of half words and 4 i of bytes.
 */
export class QuietBlock {
  readonly bytes: Uint8Array;
  readonly keyA: Uint32Array;
  readonly keyB: Uint32Array;
  /** Seconds since the epoch. */
  readonly firstS: Uint32Array;
  readonly lastS: Uint32Array;
  /** Place in the full tier + 1; 0 = quiet. */
  readonly full: Uint32Array;
  /** Minute that volumes are counted in. */
  readonly minute: Uint32Array;
  /** Low 32 bits of the last number named, for arithmetic runs. */
  readonly lastNumber: Uint32Array;
  readonly lastStep: Int32Array;
  /** Linear counting of users, `USER_WORDS` a row. */
  readonly users: Uint32Array;
  /** Requests, decaying. */
  readonly requests: Float32Array;
  readonly minuteKilobytes: Float32Array;
  readonly minuteRequests: Uint16Array;
  readonly minuteObjects: Uint16Array;
  /** Operations before, + 1; 0 = none. */
  readonly before1: Uint16Array;
  readonly before2: Uint16Array;
  /** Kind of the last number, + 1. */
  readonly lastKind: Uint16Array;
  /** Days since the epoch. */
  readonly day: Uint16Array;
  readonly dayRequests: Uint16Array;
  /** Users of the weeks before. */
  readonly usersPeak: Uint16Array;
  readonly flags: Uint8Array;
  /** Distinct days it was seen on, and used restricted operations on; 255 at most. */
  readonly days: Uint8Array;
  readonly memberDays: Uint8Array;
  /** How many times its class's rate is usual with it, by test: 2^(n/8). */
  readonly habits: Uint8Array;
  /** To be copied before it is written. */
  pending = false;
  /** Changed since it was kept. */
  dirty = true;

  constructor(bytes: Uint8Array = new Uint8Array(BLOCK_ROWS * ROW_BYTES)) {
    this.bytes = bytes;
    const { buffer, byteOffset } = bytes;
    let at = 0;
    const u32 = (count = 1): Uint32Array => {
      at += 4 * count;
      return new Uint32Array(buffer, byteOffset + at - 4 * count);
    };
    const u16 = (): Uint16Array => {
      at += 2;
      return new Uint16Array(buffer, byteOffset + at - 2);
    };
    const u8 = (count = 1): Uint8Array => {
      at += count;
      return new Uint8Array(buffer, byteOffset + at - count);
    };
    this.keyA = u32();
    this.keyB = u32();
    this.full = u32();
    this.firstS = u32();
    this.lastS = u32();
    this.minute = u32();
    this.lastNumber = u32();
    this.lastStep = new Int32Array(buffer, u32().byteOffset);
    this.users = u32(USER_WORDS);
    this.requests = new Float32Array(buffer, u32().byteOffset);
    this.minuteKilobytes = new Float32Array(buffer, u32().byteOffset);
    this.minuteRequests = u16();
    this.minuteObjects = u16();
    this.before1 = u16();
    this.before2 = u16();
    this.lastKind = u16();
    this.day = u16();
    this.dayRequests = u16();
    this.usersPeak = u16();
    this.flags = u8();
    this.days = u8();
    this.memberDays = u8();
    this.habits = u8(HABITS);
  }
}

/** Methods all of it: an object with accessors of its own is looked up as a hash table with every call. */
export interface QuietTier {
  size(): number;
  /** Rows given up for newer ones. */
  evicted(): number;
  /** Row of this key, added when it is new (`isNew` tells). */
  row(keyA: number, keyB: number, nowS: number): number;
  /** −1 when not there. */
  find(keyA: number, keyB: number): number;
  /** The block of a row, to be written. */
  block(row: number): QuietBlock;
  /** Whether the row that was asked for last was added. */
  isNew(): boolean;
  /** Places in the full tier of rows of a snapshot that are beyond `maxRows` by now; once. */
  takeCut(): number[];
  readonly parts: PartSource;
}

/** Where a row is in columns of words. */
export const indexIn = (row: number): number => (row & ROW_MASK) * ROW_WORDS;

/** Of so many rows the one unseen for longest is given up. */
const EVICTION_LOOKS = 32;

/** `name`: of its parts in a snapshot. `onEvict`: whoever links to the row. */
export function createQuietTier(name: string, maxRows: number): QuietTier {
  const blocks: QuietBlock[] = [];
  let size = 0;
  let evicted = 0;
  let hand = 0;
  let added = false;
  let copies: { name: string; bytes: Uint8Array }[] = [];
  /** Rows of the snapshot, which may have been made for more. */
  let stored = 0;
  let cut: number[] = [];

  const index = createRowIndex(maxRows, {
    keyA: (row) => blocks[row >>> LOG2_ROWS]!.keyA[indexIn(row)]!,
    keyB: (row) => blocks[row >>> LOG2_ROWS]!.keyB[indexIn(row)]!,
  });

  function copy(at: number): void {
    const block = blocks[at]!;
    block.pending = false;
    copies.push({ name: `${name}/${at}`, bytes: block.bytes.slice() });
  }

  function writable(row: number): QuietBlock {
    const at = row >>> LOG2_ROWS;
    const block = blocks[at]!;
    if (block.pending) copy(at);
    block.dirty = true;
    return block;
  }

  /** A row for a new key: the next free one, else that of somebody unseen for long and without signals. */
  function free(): number {
    if (size < maxRows) {
      const row = size++;
      if (row >>> LOG2_ROWS >= blocks.length) blocks.push(new QuietBlock());
      return row;
    }
    let oldest = -1;
    let oldestS = Number.POSITIVE_INFINITY;
    for (let looked = 0; looked < EVICTION_LOOKS || oldest < 0; looked++) {
      const row = hand;
      hand = hand + 1 === maxRows ? 0 : hand + 1;
      const block = blocks[row >>> LOG2_ROWS]!;
      const i = indexIn(row);
      if (block.full[i] !== 0 && looked < maxRows) continue;
      if (block.lastS[i]! < oldestS) {
        oldestS = block.lastS[i]!;
        oldest = row;
      }
    }
    const block = writable(oldest);
    const i = indexIn(oldest);
    index.remove(block.keyB[i]!, oldest);
    block.bytes.fill(0, 4 * i, 4 * i + ROW_BYTES);
    evicted++;
    return oldest;
  }

  const parts: PartSource = {
    begin() {
      for (const block of blocks) block.pending = true;
      copies = [];
      return { size, hand, evicted };
    },
    *rest() {
      for (let at = 0; at < blocks.length; at++) {
        const block = blocks[at]!;
        // written or not since it was last kept: who keeps it knows by name whether it has it
        if (block.pending && !block.dirty) {
          block.pending = false;
          yield { name: `${name}/${at}`, bytes: null };
          continue;
        }
        if (block.pending) {
          copy(at);
          block.dirty = false;
        }
        while (copies.length > 0) yield copies.pop()!;
      }
      while (copies.length > 0) yield copies.pop()!;
    },
    forget() {
      for (const block of blocks) block.dirty = true;
    },
    restoreMeta(meta) {
      const was = meta as { size: number; hand: number; evicted: number };
      stored = was.size;
      size = Math.min(stored, maxRows);
      hand = was.hand < maxRows ? was.hand : 0;
      evicted = was.evicted + stored - size;
    },
    restore(partName, bytes) {
      const at = Number(partName.slice(name.length + 1));
      const own = new Uint8Array(BLOCK_ROWS * ROW_BYTES);
      own.set(bytes.subarray(0, own.length));
      const block = new QuietBlock(own);
      const first = at * BLOCK_ROWS;
      if (first < size) blocks[at] = block;
      for (let row = first; row < Math.min(stored, first + BLOCK_ROWS); row++) {
        const i = indexIn(row);
        if (row < size) index.insert(block.keyA[i]!, block.keyB[i]!, row);
        else if (block.full[i] !== 0) cut.push(block.full[i]! - 1);
      }
      if (first < size && first + BLOCK_ROWS > size) own.fill(0, (size - first) * ROW_BYTES);
    },
  };

  return {
    size: () => size,
    evicted: () => evicted,
    isNew: () => added,
    takeCut() {
      const places = cut;
      cut = [];
      return places;
    },
    find: index.find,
    row(keyA, keyB, nowS) {
      const known = index.find(keyA, keyB);
      added = known < 0;
      if (known >= 0) return known;
      const row = free();
      const block = writable(row);
      const i = indexIn(row);
      block.keyA[i] = keyA;
      block.keyB[i] = keyB;
      block.firstS[i] = nowS;
      block.lastS[i] = nowS;
      index.insert(keyA, keyB, row);
      return row;
    },
    block: writable,
    parts,
  };
}
