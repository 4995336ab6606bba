/** Which parameters one request has, and in which order: hashes over the names of a span's request parameters. */
import type { Segment, Symbols } from '../../traces/segment.ts';
import { avalanche, mix } from './hash.ts';
import { nameHash } from './reader.ts';
import { isRequestSource } from './sources.ts';

/** Names of one request beyond this are not told apart. */
const MAX_NAMES = 64;

export interface SchemaReader {
  /** Reads the parameters [from, to) of one span. */
  read(segment: Segment, from: number, to: number): void;
  /** Distinct request names, their hashes, and the parameter each first came with. */
  count: number;
  readonly names: Uint32Array;
  readonly parameters: Int32Array;
  /** Keyed hash of the set; once or several times makes a difference, how often does not. */
  set: number;
  order: number;
}

export const createSchemaReader = (seed: number): SchemaReader => {
  let symbols: Symbols | null = null;
  /** Name hash by 16 × symbol + source; 0 = not made yet. */
  let cache = new Uint32Array(1 << 14);

  const hashOf = (from: Symbols, id: number, source: number): number => {
    if (from !== symbols) {
      symbols = from;
      cache.fill(0);
    }
    const at = id * 16 + source;
    if (at >= cache.length) {
      const larger = new Uint32Array(Math.max(cache.length * 2, 1 << (32 - Math.clz32(at))));
      larger.set(cache);
      cache = larger;
    }
    if (cache[at] === 0) cache[at] = nameHash(source, from.text(id), seed) || 1;
    return cache[at]!;
  };

  const times = new Uint8Array(MAX_NAMES);
  const reader: SchemaReader = {
    count: 0,
    names: new Uint32Array(MAX_NAMES),
    parameters: new Int32Array(MAX_NAMES),
    set: 0,
    order: 0,
    read(segment, from, to) {
      let count = 0;
      let order = seed;
      for (let j = from; j < to; j++) {
        const source = segment.parameterSource[j]!;
        if (!isRequestSource(source)) continue;
        const hash = hashOf(segment.symbols, segment.parameterName[j]!, source);
        let at = 0;
        while (at < count && reader.names[at] !== hash) at++;
        if (at < count) {
          times[at] = 2;
          continue;
        }
        if (count === MAX_NAMES) continue;
        reader.names[count] = hash;
        reader.parameters[count] = j;
        times[count] = 1;
        count++;
        order = mix(order, hash);
      }
      let set = 0;
      for (let at = 0; at < count; at++) set = (set + avalanche(reader.names[at]! + times[at]!)) >>> 0;
      reader.count = count;
      reader.set = avalanche(set ^ seed ^ count);
      reader.order = avalanche(order);
    },
  };
  return reader;
};
