/**
 * Steps between operations: a variable-order Markov model by class, of the longest context seen often enough, two operations back or
 * one (Begleiter, El-Yaniv & Yona 2004, without escapes: what is wanted is whether a step is hardly ever taken). Whether rare
 * steps come more often than with peers is then a test like the others: a likelihood ratio against this model itself would call
 * everybody odd who has ways of their own.
 */
import { mix } from '../hash.ts';
import { arraySource, type PartSource } from '../parts.ts';

const PLACES = 1 << 17;
const MASK = PLACES - 1;
/** A context with fewer steps tells nothing. */
const CONTEXT = 200;
/** A step is rare below this share of its context. */
const RARE = 0.0025;
const LOOKS = 8;

export interface Steps {
  /** Whether the model has enough of this context to tell, and if the step is rare: −1 cannot tell, 0 usual, 1 rare. */
  judge(peers: number, before2: number, before1: number, operation: number): -1 | 0 | 1;
  learn(peers: number, before2: number, before1: number, operation: number): void;
  readonly parts: PartSource;
}

export function createSteps(): Steps {
  const keys = new Uint32Array(PLACES);
  const counts = new Float32Array(PLACES);

  /** Count of a key; a place beyond reach counts nothing. */
  function placeOf(key: number, add: boolean): number {
    const wanted = key || 1;
    let lowest = -1;
    for (let look = 0, at = wanted & MASK; look < LOOKS; look++, at = (at + 1) & MASK) {
      if (keys[at] === wanted) return at;
      if (keys[at] === 0) {
        if (add) keys[at] = wanted;
        return add ? at : -1;
      }
      if (lowest < 0 || counts[at]! < counts[lowest]!) lowest = at;
    }
    if (!add) return -1;
    // full: the rarest fades, and gives its place up when it is gone (Metwally, Agrawal & El Abbadi 2005)
    counts[lowest] = counts[lowest]! - 1;
    if (counts[lowest]! > 0) return -1;
    keys[lowest] = wanted;
    counts[lowest] = 0;
    return lowest;
  }

  function bump(key: number): void {
    const at = placeOf(key, true);
    if (at >= 0) counts[at] = counts[at]! + 1;
  }
  const countOf = (key: number): number => {
    const at = placeOf(key, false);
    return at < 0 ? 0 : counts[at]!;
  };

  const context1 = (peers: number, b1: number): number => mix((peers << 26) ^ Math.imul(b1 + 1, 0x9e3779b1));
  const context2 = (peers: number, b2: number, b1: number): number =>
    mix(context1(peers, b1) ^ Math.imul(b2 + 1, 0x85ebca6b) ^ 0x27d4eb2f);
  const stepOf = (context: number, operation: number): number => mix(context ^ Math.imul(operation + 1, 0xc2b2ae35));

  return {
    judge(peers, b2, b1, operation) {
      const two = context2(peers, b2, b1);
      const ofTwo = b2 === 0 ? 0 : countOf(two);
      if (ofTwo >= CONTEXT) {
        if (countOf(stepOf(two, operation)) / ofTwo >= RARE) return 0;
      }
      const one = context1(peers, b1);
      const ofOne = countOf(one);
      if (ofOne < CONTEXT) return -1;
      return countOf(stepOf(one, operation)) / ofOne >= RARE ? 0 : 1;
    },
    learn(peers, b2, b1, operation) {
      const one = context1(peers, b1);
      bump(one);
      bump(stepOf(one, operation));
      if (b2 === 0) return;
      const two = context2(peers, b2, b1);
      bump(two);
      bump(stepOf(two, operation));
    },
    parts: arraySource('steps', { keys, counts }),
  };
}
