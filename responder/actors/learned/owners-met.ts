/**
 * Whose objects somebody named before. Who is given a folder opens many objects of one owner, one after the other, and comes back to
 * them: what follows the first says nothing new. Who goes through all objects goes from owner to owner. A bounded table of pairs, two
 * places a bucket; the one longest unmet gives way.
 */
import { mix } from '../hash.ts';
import { arraySource, type PartSource } from '../parts.ts';

const WAYS = 2;
const LOG2_BUCKETS = 14;
const MASK = (1 << LOG2_BUCKETS) - 1;
/** The 64th, 512th, 4,096th object of one owner count again: however many of one owner are read, it stays no secret. */
const AGAIN = 8;
const MOST = 65_535;

export interface OwnersMet {
  /** Whether one more object of this owner, whichever, is evidence: the first, and few of very many. */
  isNews(actor: number, owner: number, day: number): boolean;
  readonly parts: PartSource;
}

export function createOwnersMet(): OwnersMet {
  const pairs = new Uint32Array(WAYS << LOG2_BUCKETS);
  const named = new Uint16Array(WAYS << LOG2_BUCKETS);
  const days = new Uint16Array(WAYS << LOG2_BUCKETS);

  return {
    isNews(actor, owner, day) {
      const hash = mix(Math.imul(actor, 0x9e3779b1) ^ owner);
      const pair = mix(hash ^ Math.imul(owner, 0x85ebca6b)) || 1;
      const bucket = (hash & MASK) * WAYS;
      let at = -1;
      for (let i = bucket; i < bucket + WAYS; i++) {
        if (pairs[i] === pair) {
          days[i] = day;
          const count = Math.min(MOST, named[i]! + 1);
          named[i] = count;
          return isPower(count);
        }
        if (at < 0 || pairs[i] === 0 || (pairs[at] !== 0 && days[i]! < days[at]!)) at = i;
      }
      pairs[at] = pair;
      named[at] = 1;
      days[at] = day;
      return true;
    },
    parts: arraySource('met', { pairs, named, days }),
  };
}

function isPower(count: number): boolean {
  let power = AGAIN * AGAIN;
  while (power < count) power *= AGAIN;
  return power === count;
}
