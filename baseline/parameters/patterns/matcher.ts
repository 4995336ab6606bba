/**
 * Holds a decoded value against the attack-pattern families (DETECTION §3.4): which families match for certain, which are
 * merely hinted at. Families whose necessary characters the value lacks are not tried.
 */
import { CLASS_OF } from '../characters.ts';
import type { Decoded } from '../decode/chain.ts';
import type { Shape } from '../shape.ts';
import { deserialisation, jndi, template } from './code.ts';
import { command, ssrf, traversal } from './files-and-commands.ts';
import { crlf, xss, xxe } from './markup.ts';
import type { PatternFamily } from './pattern.ts';
import { nosql, sql } from './sql.ts';

export const FAMILIES: readonly PatternFamily[] = [
  sql,
  xss,
  traversal,
  command,
  jndi,
  template,
  deserialisation,
  xxe,
  crlf,
  ssrf,
  nosql,
];

export const familyById = (id: number): PatternFamily | undefined => FAMILIES.find((family) => family.id === id);

export interface PatternHits {
  /** Bit `id` set: a strong form of family `id` matched. */
  strong: number;
  /** Bit `id` set: only a hint. */
  hints: number;
  /** Hint expressions that matched, over all families: severity. */
  hintCount: number;
}

interface Gate {
  readonly family: PatternFamily;
  readonly low: number;
  readonly high: number;
}

const gateOf = (family: PatternFamily): Gate => {
  let low = 0;
  let high = 0;
  for (let i = 0; i < family.needs.length; i++) {
    const cls = CLASS_OF[family.needs.charCodeAt(i)]!;
    if (cls < 32) low |= 1 << cls;
    else high |= 1 << (cls - 32);
  }
  return { family, low, high };
};

/** A word some SQL form starts from; texts without one and without marks cannot match the SQL family. */
const SQL_WORD =
  /\b(?:or|and|xor|union|select|having|where|waitfor|drop|truncate|alter|insert|delete|update|create|exec|execute|case|rlike|order|group|procedure|sleep|benchmark|outfile|dumpfile|sysdate|rownum)\b|[_$]/;

/** `a/**\/b` → `a b`; MySQL's `/*!50000 x *\/` → `x`: comments as blanks, then one blank for many. Linear. */
export const normaliseSql = (text: string): string => {
  let out = text;
  if (text.includes('/*')) {
    const parts: string[] = [];
    let at = 0;
    for (;;) {
      const open = text.indexOf('/*', at);
      if (open < 0) break;
      parts.push(text.slice(at, open), ' ');
      if (text[open + 2] === '!') {
        at = open + 3;
        while (at < text.length && text[at]! >= '0' && text[at]! <= '9') at++;
        continue;
      }
      const close = text.indexOf('*/', open + 2);
      at = close < 0 ? text.length : close + 2;
      if (close < 0) break;
    }
    parts.push(text.slice(at));
    out = parts.join('').replaceAll('*/', ' ');
  }
  return out.replace(/\s+/g, ' ');
};

const latin1Lower = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    .toString('latin1')
    .toLowerCase();

/** Java's and .NET's serialised objects in base64 or hex have no mark that a gate could know them by. */
const SERIALISED = ['rO0AB', 'aced0005', 'ACED0005', 'AAEAAAD'];

const isSerialised = (bytes: Uint8Array, start: number, end: number): boolean =>
  SERIALISED.some((magic) => {
    if (end - start <= magic.length) return false;
    for (let i = 0; i < magic.length; i++) if (bytes[start + i] !== magic.charCodeAt(i)) return false;
    return true;
  });

const SQL_ID = sql.id;

/** `families`: those that are tried. */
export const createPatternMatcher = (families: readonly PatternFamily[] = FAMILIES) => {
  const gates = families.map(gateOf);
  const matchText = (text: string, low: number, high: number, all: boolean, hits: PatternHits): void => {
    let normal = '';
    for (let g = 0; g < gates.length; g++) {
      const gate = gates[g]!;
      const family = gate.family;
      if (family.needs !== '' && !all && ((low & gate.low) | (high & gate.high)) === 0) continue;
      let subject = text;
      if (family.id === SQL_ID) {
        if (normal === '') normal = normaliseSql(text);
        subject = normal;
        // No marks at all and no SQL word: plain prose.
        if (!SQL_WORD.test(subject) && !/['"();=#]|--|\|\|/.test(subject)) continue;
      }
      const bit = 1 << family.id;
      for (let i = 0; i < family.strong.length; i++) {
        if (family.strong[i]!.test(subject)) {
          hits.strong |= bit;
          break;
        }
      }
      for (let i = 0; i < family.hints.length; i++) {
        if (family.hints[i]!.test(subject)) {
          hits.hints |= bit;
          hits.hintCount++;
        }
      }
    }
  };
  return {
    /** `shape` must be of the same value: its character classes gate the families. */
    match(value: Decoded, shape: Shape, hits: PatternHits): void {
      hits.strong = 0;
      hits.hints = 0;
      hits.hintCount = 0;
      // Every family but SQL needs a mark, a line break or a control character; SQL needs one, or a blank between words.
      const beyondWords = (shape.classesLow & ~0b1111) | shape.classesHigh;
      const blank = shape.classesLow & 0b1000;
      const serialised = value.end - value.start > 5 && isSerialised(value.bytes, value.start, value.end);
      if (beyondWords !== 0 || blank !== 0 || serialised) {
        const text = latin1Lower(value.bytes, value.start, value.end);
        matchText(text, shape.classesLow, shape.classesHigh, serialised, hits);
      }
      if (value.innerLength > 0) matchText(latin1Lower(value.inner, 0, value.innerLength), 0, 0, true, hits);
    },
    /** A parameter's name, which some attacks use instead of the value (`user[$ne]`). */
    matchName(name: string, hits: PatternHits): void {
      hits.strong = 0;
      hits.hints = 0;
      hits.hintCount = 0;
      matchText(name.slice(0, 1_024).toLowerCase(), 0, 0, true, hits);
    },
  };
};

export type PatternMatcher = ReturnType<typeof createPatternMatcher>;
