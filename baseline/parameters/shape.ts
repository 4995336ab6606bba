/** From a decoded value to its feature keys, in one pass over at most a window of bytes. Shared by learning and scoring. */
import { ParameterSource } from '../../traces/segment.ts';
import { CharacterClass, CLASS_COUNT, CLASS_OF } from './characters.ts';
import { keyOf } from './counts.ts';
import type { Decoded } from './decode/chain.ts';
import { COARSE_BINS_PER_OCTAVE, Kind, LENGTH_BINS_PER_OCTAVE, logBin, NUMBER_ZERO, Type } from './features.ts';
import { avalanche, mix } from './hash.ts';
import { readNesting } from './nesting.ts';
import { type Census, typeOf } from './value-type.ts';

/** Symbols of a template or skeleton that count; what follows is hashed as "more". */
const MAX_SYMBOLS = 40;
/** Codes beyond the character classes. */
const MIXED = CLASS_COUNT;
const MORE = CLASS_COUNT + 1;

/** Feature keys of one value. Reused. */
export interface Shape {
  readonly keys: Uint32Array;
  count: number;
  type: Type;
  /** Bytes of the value as it came (not of the window that was read). */
  length: number;
  marks: number;
  /** Attack-pattern gate: OR of 1 << (class code − 0) is too wide for one word, hence two. */
  classesLow: number;
  classesHigh: number;
}

export interface ShapeReader {
  /** `valueHash` is the keyed hash of the value as it came. */
  read(value: Decoded, length: number, source: number, valueHash: number): Shape;
  /** `9' aa 9=9--`: the collapsed template as text, for people; at most 48 characters. Holds no character of the value but marks. */
  describe(bytes: Uint8Array, start: number, end: number): string;
}

const numberBin = (bytes: Uint8Array, start: number, end: number): number => {
  let at = start;
  const negative = bytes[at] === 0x2d;
  if (negative || bytes[at] === 0x2b) at++;
  let value = 0;
  for (; at < end && bytes[at] !== 0x2e; at++) value = value * 10 + (bytes[at]! - 0x30);
  // A number of hundreds of digits is Infinity: the last bin.
  const bin = value === 0 ? 0 : Math.min(4_000, 1 + Math.floor(COARSE_BINS_PER_OCTAVE * Math.log2(value)));
  return negative ? NUMBER_ZERO - bin : NUMBER_ZERO + bin;
};

/** Words, numbers and mixed runs as one symbol each; marks as themselves; `../../..` as `../../`. */
const symbolOf = (cls: number): number => (cls <= CharacterClass.upper ? CharacterClass.lower : cls);

export const createShapeReader = (seed: number): ShapeReader => {
  const shape: Shape = {
    keys: new Uint32Array(8_192),
    count: 0,
    type: Type.empty,
    length: 0,
    marks: 0,
    classesLow: 0,
    classesHigh: 0,
  };
  const census: Census = { length: 0, lower: 0, upper: 0, digits: 0, spaces: 0, marks: 0, beyond: 0, controls: 0 };
  const seenBigram = new Uint32Array(64 * 64);
  let generation = 0;
  const tally = new Uint32Array(CLASS_COUNT);
  const nesting = { elements: 0, depth: 0 };

  // Rolling state of the two collapsed forms: last three symbols, length, hash.
  const trail = new Int32Array(6);
  const emitted = new Int32Array(2);
  const hashes = new Int32Array(2);

  const emit = (form: 0 | 1, symbol: number): void => {
    const base = form * 3;
    const last = trail[base]!;
    const before = trail[base + 1]!;
    // The same again, or the second half of a pair that repeats, says nothing new.
    if (symbol === last) return;
    if (symbol === before && last === trail[base + 2]) return;
    trail[base + 2] = before;
    trail[base + 1] = last;
    trail[base] = symbol;
    const n = emitted[form]!;
    if (n > MAX_SYMBOLS) return;
    emitted[form] = n + 1;
    hashes[form] = mix(hashes[form]!, n === MAX_SYMBOLS ? MORE : symbol);
  };

  const pass = (bytes: Uint8Array, start: number, end: number): void => {
    tally.fill(0);
    generation++;
    trail.fill(-1);
    emitted.fill(0);
    hashes.fill(seed);
    let previous = -1;
    let letters = false;
    let digits = false;
    for (let i = start; i < end; i++) {
      const cls = CLASS_OF[bytes[i]!]!;
      tally[cls]!++;
      if (previous >= 0) {
        const pair = (previous << 6) | cls;
        if (seenBigram[pair] !== generation) {
          seenBigram[pair] = generation;
          shape.keys[shape.count++] = keyOf(Kind.bigram, pair + 1);
        }
      }
      if (cls <= CharacterClass.digit || cls === CharacterClass.beyondAscii) {
        if (cls === CharacterClass.digit) digits = true;
        else letters = true;
      } else {
        if (letters || digits) {
          emit(0, letters ? (digits ? MIXED : CharacterClass.lower) : CharacterClass.digit);
          letters = digits = false;
        }
        emit(0, symbolOf(cls));
        if (cls >= CharacterClass.mark || cls !== CharacterClass.space) emit(1, cls);
      }
      previous = cls;
    }
    if (letters || digits) emit(0, letters ? (digits ? MIXED : CharacterClass.lower) : CharacterClass.digit);
  };

  const fillCensus = (length: number): void => {
    census.length = length;
    census.lower = tally[CharacterClass.lower]!;
    census.upper = tally[CharacterClass.upper]!;
    census.digits = tally[CharacterClass.digit]!;
    census.spaces = tally[CharacterClass.space]!;
    census.beyond = tally[CharacterClass.beyondAscii]!;
    census.controls = tally[CharacterClass.nul]! + tally[CharacterClass.control]!;
    census.marks = 0;
    shape.classesLow = 0;
    shape.classesHigh = 0;
    for (let cls = 0; cls < CLASS_COUNT; cls++) {
      const n = tally[cls]!;
      if (n === 0) continue;
      if (cls >= CharacterClass.mark) census.marks += n;
      if (cls < 32) shape.classesLow |= 1 << cls;
      else shape.classesHigh |= 1 << (cls - 32);
      shape.keys[shape.count++] = keyOf(Kind.character, cls + 1);
    }
    // Line breaks and tabs are no marks and no binary, but a word with one is neither: text.
    census.spaces += tally[CharacterClass.tab]! + tally[CharacterClass.lineBreak]!;
  };

  return {
    read(value, length, source, valueHash) {
      const { bytes, start, end } = value;
      shape.count = 0;
      shape.length = length;
      pass(bytes, start, end);
      fillCensus(end - start);
      shape.type = typeOf(bytes, start, end, census);
      shape.marks = census.marks;
      const keys = shape.keys;
      keys[shape.count++] = keyOf(Kind.type, shape.type);
      keys[shape.count++] = keyOf(Kind.length, logBin(length, LENGTH_BINS_PER_OCTAVE));
      keys[shape.count++] = keyOf(Kind.punctuation, logBin(census.marks, COARSE_BINS_PER_OCTAVE));
      keys[shape.count++] = keyOf(Kind.template, avalanche(hashes[0]!));
      keys[shape.count++] = keyOf(Kind.skeleton, avalanche(hashes[1]!));
      keys[shape.count++] = keyOf(Kind.value, valueHash);
      keys[shape.count++] = keyOf(Kind.encoding, value.signature + 1);
      if (shape.type === Type.integer || shape.type === Type.decimal) {
        keys[shape.count++] = keyOf(Kind.number, numberBin(bytes, start, end));
      } else if (shape.type === Type.json && source !== ParameterSource.size) {
        readNesting(bytes, start, end, nesting);
        keys[shape.count++] = keyOf(Kind.elements, logBin(nesting.elements, COARSE_BINS_PER_OCTAVE));
        keys[shape.count++] = keyOf(Kind.depth, nesting.depth + 1);
      }
      return shape;
    },
    describe(bytes, start, end) {
      let text = '';
      let last = '';
      const limit = Math.min(end, start + 256);
      for (let i = start; i < limit && text.length < 48; i++) {
        const cls = CLASS_OF[bytes[i]!]!;
        const symbol =
          cls === CharacterClass.upper || cls === CharacterClass.lower
            ? 'a'
            : cls === CharacterClass.digit
              ? '9'
              : cls === CharacterClass.beyondAscii
                ? 'ü'
                : cls >= CharacterClass.mark
                  ? String.fromCharCode(bytes[i]!)
                  : cls === CharacterClass.space
                    ? ' '
                    : '¬';
        // Runs of letters, digits and blanks shrink to two at most; marks stay up to three.
        if (
          symbol === last &&
          (cls < CharacterClass.mark ? text.endsWith(symbol + symbol) : text.endsWith(symbol.repeat(3)))
        ) {
          continue;
        }
        text += symbol;
        last = symbol;
      }
      return limit < end || text.length >= 48 ? `${text}…` : text;
    },
  };
};
