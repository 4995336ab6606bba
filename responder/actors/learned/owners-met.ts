/**
 * Whose objects somebody named before. Who is given a folder opens many objects of one owner, one after the other, and comes back to
 * them: what follows the first says nothing new. Who goes through all objects goes from owner to owner. A bounded table of pairs, eight
 * places a bucket, the one met last first: the one longest unmet gives way.
 */
import { mix } from '../hash.ts';
import { arraySource, type PartSource } from '../parts.ts';

const WAYS = 8;
/** 6 bytes each: 3.1 MB for a million users, most of whom are shown nothing that is another's. */
const PAIRS_A_USER = 1 / 2;
const LEAST_PAIRS = 32_768;
/** The 64th, 512th, 4,096th object of one owner count again: however many of one owner are read, it stays no secret. */
const AGAIN = 8;
const MOST = 65_535;

export interface OwnersMet {
  /** Whether one more object of this owner, whichever, is evidence: the first, and few of very many. */
  isNews(actor: number, owner: number): boolean;
  readonly parts: PartSource;
}

export function createOwnersMet(maxUsers: number): OwnersMet {
  const size = 2 ** Math.ceil(Math.log2(Math.max(LEAST_PAIRS, maxUsers * PAIRS_A_USER)));
  const mask = size / WAYS - 1;
  const pairs = new Uint32Array(size);
  const named = new Uint16Array(size);

  return {
    isNews(actor, owner) {
      const hash = mix(Math.imul(actor, 0x9e3779b1) ^ owner);
      const pair = mix(hash ^ Math.imul(owner, 0x85ebca6b)) || 1;
      const first = (hash & mask) * WAYS;
      let at = first;
      while (at < first + WAYS && pairs[at] !== pair) at++;
      const isKnown = at < first + WAYS;
      const count = isKnown ? Math.min(MOST, named[at]! + 1) : 1;
      for (let to = isKnown ? at : at - 1; to > first; to--) {
        pairs[to] = pairs[to - 1]!;
        named[to] = named[to - 1]!;
      }
      pairs[first] = pair;
      named[first] = count;
      return !isKnown || isPower(count);
    },
    parts: arraySource('met', { pairs, named }),
  };
}

function isPower(count: number): boolean {
  let power = AGAIN * AGAIN;
  while (power < count) power *= AGAIN;
  return power === count;
}
