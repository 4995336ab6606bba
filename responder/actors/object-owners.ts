/**
 * Who named an object first, and how many others did since: a bounded table of hashes, eight places a bucket; the longest untouched
 * of a full bucket is forgotten. What was forgotten belongs to whoever names it next.
 */
import { hashNumber } from './hash.ts';
import { arraySource, type PartSource } from './parts.ts';

const WAYS = 8;
/** From so many others on an object is shared: it is nobody's. */
const SHARED = 3;

export const Ownership = { fresh: 0, own: 1, foreign: 2, shared: 3 } as const;
export type Ownership = (typeof Ownership)[keyof typeof Ownership];

export interface ObjectOwners {
  /** Whose it is, seen from one who goes by these hashes (user and client; equal when only one is known). Fresh ones become theirs. */
  look(hash: number, user: number, client: number, day: number): Ownership;
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

  return {
    look(hash, user, client, day) {
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
          if (owner[i] === user || owner[i] === client) return Ownership.own;
          return (state[i]! & 3) >= SHARED ? Ownership.shared : Ownership.foreign;
        }
        const age = key[i] === 0 ? 64 : ((day & 63) - (state[i]! >> 2)) & 63;
        if (age > oldest) {
          oldest = age;
          place = i;
        }
      }
      key[place] = fingerprint;
      owner[place] = user;
      state[place] = today;
      last = place;
      return Ownership.fresh;
    },
    shareLast() {
      if (last >= 0 && (state[last]! & 3) < SHARED) state[last] = state[last]! + 1;
    },
    parts: arraySource('objects', { key, owner, state }),
  };
}
