/**
 * Everybody without signals: some 80 bytes each, in columns of blocks, found by the hash of the key alone (the key comes with every
 * event, and is kept only for those with signals). Without signals there is no evidence, so that no test needs state here.
 */
import type { PartSource } from './parts.ts';
import { createRowIndex } from './row-index.ts';

const LOG2_ROWS = 13;
export const BLOCK_ROWS = 1 << LOG2_ROWS;
const ROW_MASK = BLOCK_ROWS - 1;

/** Words of linear counting for users behind an address. */
export const USER_WORDS = 4;
/** Habits kept: one a test. */
export const HABITS = 9;

/** Bytes a row by width of the columns. */
const U32 = 8 + USER_WORDS;
const F32 = 2;
const U16 = 9;
const U8 = 2 + HABITS;
export const ROW_BYTES = 4 * (U32 + F32) + 2 * U16 + U8;

/** Columns of `BLOCK_ROWS` rows over one buffer. */
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
  readonly flags: Uint16Array;
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
    const { buffer } = bytes;
    let at = bytes.byteOffset;
    const u32 = (rows = BLOCK_ROWS): Uint32Array => {
      at += rows * 4;
      return new Uint32Array(buffer, at - rows * 4, rows);
    };
    const f32 = (): Float32Array => {
      at += BLOCK_ROWS * 4;
      return new Float32Array(buffer, at - BLOCK_ROWS * 4, BLOCK_ROWS);
    };
    const u16 = (): Uint16Array => {
      at += BLOCK_ROWS * 2;
      return new Uint16Array(buffer, at - BLOCK_ROWS * 2, BLOCK_ROWS);
    };
    const u8 = (rows = BLOCK_ROWS): Uint8Array => {
      at += rows;
      return new Uint8Array(buffer, at - rows, rows);
    };
    this.keyA = u32();
    this.keyB = u32();
    this.firstS = u32();
    this.lastS = u32();
    this.full = u32();
    this.minute = u32();
    this.lastNumber = u32();
    const steps = u32();
    this.lastStep = new Int32Array(buffer, steps.byteOffset, BLOCK_ROWS);
    this.users = u32(BLOCK_ROWS * USER_WORDS);
    this.requests = f32();
    this.minuteKilobytes = f32();
    this.minuteRequests = u16();
    this.minuteObjects = u16();
    this.before1 = u16();
    this.before2 = u16();
    this.lastKind = u16();
    this.day = u16();
    this.dayRequests = u16();
    this.usersPeak = u16();
    this.flags = u16();
    this.days = u8();
    this.memberDays = u8();
    this.habits = u8(BLOCK_ROWS * HABITS);
  }
}

export interface QuietTier {
  readonly size: number;
  /** Rows given up for newer ones. */
  readonly evicted: number;
  /** Row of this key, added when it is new (`QuietTier.added` tells). */
  row(keyA: number, keyB: number, nowS: number): number;
  /** −1 when not there. */
  find(keyA: number, keyB: number): number;
  /** The block of a row, to be written. */
  block(row: number): QuietBlock;
  readonly added: boolean;
  readonly parts: PartSource;
}

export const indexIn = (row: number): number => row & ROW_MASK;

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

  const index = createRowIndex(maxRows, {
    keyA: (row) => blocks[row >>> LOG2_ROWS]!.keyA[row & ROW_MASK]!,
    keyB: (row) => blocks[row >>> LOG2_ROWS]!.keyB[row & ROW_MASK]!,
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
      const i = row & ROW_MASK;
      if (block.full[i] !== 0 && looked < maxRows) continue;
      if (block.lastS[i]! < oldestS) {
        oldestS = block.lastS[i]!;
        oldest = row;
      }
    }
    const block = writable(oldest);
    const i = oldest & ROW_MASK;
    index.remove(block.keyB[i]!, oldest);
    clear(block, i);
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
      const { hand: was, evicted: gone } = meta as { size: number; hand: number; evicted: number };
      hand = was;
      evicted = gone;
      size = (meta as { size: number }).size;
    },
    restore(partName, bytes) {
      const at = Number(partName.slice(name.length + 1));
      const own = new Uint8Array(BLOCK_ROWS * ROW_BYTES);
      own.set(bytes.subarray(0, own.length));
      const block = new QuietBlock(own);
      blocks[at] = block;
      for (let i = 0; i < BLOCK_ROWS; i++) {
        const row = at * BLOCK_ROWS + i;
        if (row < size) index.insert(block.keyA[i]!, block.keyB[i]!, row);
      }
    },
  };

  return {
    get size() {
      return size;
    },
    get evicted() {
      return evicted;
    },
    get added() {
      return added;
    },
    find: index.find,
    row(keyA, keyB, nowS) {
      const known = index.find(keyA, keyB);
      added = known < 0;
      if (known >= 0) return known;
      const row = free();
      const block = writable(row);
      const i = row & ROW_MASK;
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

function clear(block: QuietBlock, i: number): void {
  block.full[i] = block.minute[i] = block.lastNumber[i] = 0;
  block.lastStep[i] = 0;
  block.users.fill(0, i * USER_WORDS, (i + 1) * USER_WORDS);
  block.requests[i] = block.minuteKilobytes[i] = 0;
  block.minuteRequests[i] = block.minuteObjects[i] = block.before1[i] = block.before2[i] = 0;
  block.lastKind[i] = block.day[i] = block.dayRequests[i] = block.usersPeak[i] = block.flags[i] = 0;
  block.days[i] = block.memberDays[i] = 0;
  block.habits.fill(0, i * HABITS, (i + 1) * HABITS);
}
