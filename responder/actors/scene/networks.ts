/**
 * Networks that are actors, by key. Nearly no client is in one of them, which a filter of hashes tells without making the text of its
 * network; what it lets pass is looked up.
 */

import { mix } from '../hash.ts';
import { networkOf } from '../learned/addresses.ts';

const LOG2_WORDS = 10;
/** After so many that are gone the filter is made anew: it forgets none by itself. */
const GONE = 1_000;

export interface Networks {
  size(): number;
  /** Place of the network that a client is in; −1 = none. */
  find(client: string): number;
  get(key: string): number | undefined;
  set(key: string, place: number): void;
  delete(key: string): void;
  clear(): void;
}

export function createNetworks(): Networks {
  const places = new Map<string, number>();
  const filter = new Uint32Array(1 << LOG2_WORDS);
  let gone = 0;

  function note(key: string): void {
    const hash = networkHash(key);
    const word = hash & (filter.length - 1);
    filter[word] = filter[word]! | (1 << (hash >>> 27));
  }

  return {
    size: () => places.size,
    find(client) {
      const hash = networkHash(client);
      if ((filter[hash & (filter.length - 1)]! & (1 << (hash >>> 27))) === 0) return -1;
      return places.get(networkOf(client)) ?? -1;
    },
    get: (key) => places.get(key),
    set(key, place) {
      places.set(key, place);
      note(key);
    },
    delete(key) {
      if (!places.delete(key) || ++gone < GONE) return;
      gone = 0;
      filter.fill(0);
      for (const one of places.keys()) note(one);
    },
    clear() {
      places.clear();
      filter.fill(0);
    },
  };
}

const DOT = 46;
const COLON = 58;
const ZERO = 48;

/** Equal for a network's key and all clients in it, by the same rules as their text (addresses.ts). */
function networkHash(text: string): number {
  let hash = 0;
  let upToHere = 0;
  let groups = 0;
  let group = 0; // where it begins
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === DOT) upToHere = hash;
    else if (c === COLON) {
      const isZero = i === group + 1 && text.charCodeAt(group) === ZERO;
      if (groups === 0 || !isZero) upToHere = hash;
      if (++groups === 3 || text.charCodeAt(i + 1) === COLON) break;
      group = i + 1;
    }
    hash = Math.imul(hash ^ c, 0x01000193) + c;
  }
  return mix(upToHere);
}
