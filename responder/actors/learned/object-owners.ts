/**
 * Who named an object first and was answered, and how many others did since: a bounded table of hashes, eight places a bucket; the
 * longest untouched of a full bucket is forgotten. What was forgotten belongs to whoever names it next. Whoever walks
 * through all objects there are gives them back once accused: no strangers are made of those they belong to.
 */
import { hashNumber } from '../hash.ts';
import { arraySource, type PartSource } from '../parts.ts';

const WAYS = 8;
/** Lowest bit of an owner: taken as a newcomer. */
const NEWCOMER = 1;
/** From so many others on an object is shared: it is nobody's. */
const SHARED = 3;

export const Ownership = { fresh: 0, own: 1, foreign: 2, shared: 3 } as const;
export type Ownership = (typeof Ownership)[keyof typeof Ownership];

/** What naming an object gives: nothing to those suspected or refused; of newcomers it is noted that they are. */
export const Claim = { none: 0, newcomers: 1, lasting: 2 } as const;
export type Claim = (typeof Claim)[keyof typeof Claim];

export interface ObjectOwners {
  /** Whose it is, seen from one who goes by these hashes (user and client; equal when only one is known). Fresh ones become theirs by their claim. */
  look(hash: number, user: number, client: number, day: number, claim: Claim): Ownership;
  /** Nobody's from here on: what this one owns, and what newcomers took of whom it is asked. */
  release(owner: number, isOfTheirs: (newcomer: number) => boolean): void;
  /** Whose the object looked at last is, by all but the lowest bit of their hash. */
  ownerOfLast(): number;
  /** The object looked at last was named by one more stranger. */
  shareLast(): void;
  readonly parts: PartSource;
}

export function createObjectOwners(maxObjects: number, seed: number): ObjectOwners {
  let log2 = 7;
  while (WAYS << log2 < maxObjects) log2++;
  const mask = (1 << log2) - 1;
  const places = WAYS << log2;
  const key = new Uint32Array(places);
  const owner = new Uint32Array(places);
  /** Day it was touched last (6 bits) and others who named it (2 bits). */
  const state = new Uint8Array(places);
  let last = -1;

  function own(place: number, user: number, claim: Claim): void {
    owner[place] = claim === Claim.lasting ? user & ~NEWCOMER : user | NEWCOMER; // stored unsigned
  }

  return {
    look(hash, user, client, day, claim) {
      const low = hashNumber(hash, seed);
      const fingerprint = hashNumber(hash, seed ^ 0x51ed270b) || 1;
      const bucket = (low & mask) * WAYS;
      const today = (day & 63) << 2;
      let place = -1;
      let oldest = -1;
      for (let i = bucket; i < bucket + WAYS; i++) {
        if (key[i] === fingerprint) {
          state[i] = (state[i]! & 3) | today;
          last = i;
          if ((owner[i]! | NEWCOMER) === (user | NEWCOMER) || (owner[i]! | NEWCOMER) === (client | NEWCOMER)) {
            if (claim === Claim.lasting) own(i, owner[i]!, claim);
            return Ownership.own;
          }
          return (state[i]! & 3) >= SHARED ? Ownership.shared : Ownership.foreign;
        }
        const age = key[i] === 0 ? 64 : ((day & 63) - (state[i]! >> 2)) & 63;
        if (age > oldest) {
          oldest = age;
          place = i;
        }
      }
      last = -1;
      if (claim === Claim.none) return Ownership.fresh;
      key[place] = fingerprint;
      own(place, user, claim);
      state[place] = today;
      return Ownership.fresh;
    },
    release(whose, isOfTheirs) {
      for (let i = 0; i < places; i++) {
        const of = owner[i]!;
        if (key[i] === 0) continue;
        if ((of | NEWCOMER) === (whose | NEWCOMER) || ((of & NEWCOMER) !== 0 && isOfTheirs(of))) key[i] = 0;
      }
    },
    ownerOfLast: () => (last < 0 ? 0 : (owner[last]! & ~NEWCOMER) >>> 0),
    shareLast() {
      if (last >= 0 && (state[last]! & 3) < SHARED) state[last] = state[last]! + 1;
    },
    parts: arraySource('objects', { key, owner, state }),
  };
}
