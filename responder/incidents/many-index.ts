/** Keys to the ids that have them: mostly one, so that one costs no set. */

export interface ManyIndex {
  add(key: string, id: string): void;
  remove(key: string, id: string): void;
  of(key: string): Iterable<string>;
}

const NONE: readonly string[] = [];

export function createManyIndex(): ManyIndex {
  const ids = new Map<string, string | Set<string>>();
  return {
    add(key, id) {
      const known = ids.get(key);
      if (known === undefined) ids.set(key, id);
      else if (typeof known !== 'string') known.add(id);
      else if (known !== id) ids.set(key, new Set([known, id]));
    },
    remove(key, id) {
      const known = ids.get(key);
      if (known === id) ids.delete(key);
      else if (typeof known === 'object' && known.delete(id) && known.size === 0) ids.delete(key);
    },
    of(key) {
      const known = ids.get(key);
      return known === undefined ? NONE : typeof known === 'string' ? [known] : known;
    },
  };
}
