/**
 * Names of parameters that a version keeps as hashes. A name comes from outside like a value does: `?my.secret=1`. It is
 * text once several clients sent it at several times, like everything else that is admitted; until then its profile goes by
 * a keyed hash, and is found by that.
 */
import type { Symbols } from '../../traces/segment.ts';
import { ParameterSource } from '../../traces/segment.ts';
import { hashText } from './hash.ts';
import type { ProfileData } from './profile.ts';
import { isCallSource } from './sources.ts';

/** Sources whose names outsiders can make up; positions of a path, calls and sizes have names of their own. */
export const isNamedOutside = (source: number): boolean =>
  !isCallSource(source) && source !== ParameterSource.path && source !== ParameterSource.size;

/** 64 bits: names of a service do not meet. */
export const hiddenName = (name: string, seed: number): string => {
  const words = [hashText(name, seed ^ 0x27d4eb2f), hashText(name, seed ^ 0x165667b1)];
  return `~${words.map((word) => word.toString(16).padStart(8, '0')).join('')}`;
};

/**
 * Numbers of names: a symbol's own; a negative one for what is only known as a hash; the symbol of the text where another
 * operation has the same name as text.
 */
export const createNameIds = (symbols: Symbols, seed: number, profiles: Iterable<ProfileData>) => {
  const ids = new Map<string, number>();
  const texts = new Set<string>();
  for (const { name, hidden, source } of profiles) {
    if (hidden && !ids.has(name)) ids.set(name, -1 - ids.size);
    else if (!hidden && isNamedOutside(source)) texts.add(name);
  }
  if (ids.size > 0) {
    for (const text of texts) {
      const hash = hiddenName(text, seed);
      if (ids.has(hash)) ids.set(hash, symbols.intern(text));
    }
  }
  /** Number by symbol, as far as asked. */
  const known = new Map<number, number>();
  return {
    /** Whether there are hashes at all. */
    any: ids.size > 0,
    ofProfile: ({ name, hidden }: ProfileData): number => (hidden ? ids.get(name)! : symbols.intern(name)),
    /** The number under which profiles of a name that may be hidden are filed. */
    ofSymbol(symbol: number): number {
      let id = known.get(symbol);
      if (id === undefined) {
        id = ids.get(hiddenName(symbols.text(symbol), seed)) ?? symbol;
        known.set(symbol, id);
      }
      return id;
    },
  };
};
