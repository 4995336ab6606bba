/**
 * Kinds of objects as small numbers. Their names come from senders, so a kind has a number of its own only when several were answered
 * about it, and gives it up for others as long as it is not established; what has none shares one.
 */
import { MAX_KINDS } from '../evidence/base-rates.ts';

/** Of all that have no number of their own. */
const OTHERS = MAX_KINDS - 1;
/** Different actors that were answered about it: it gets a number, and is established. */
const ADMITTED_BY = 3;
const ESTABLISHED_BY = 8;
/** Unused for so long, an established one is an old deployment's. */
const FORGOTTEN_S = 30 * 86_400;
/** Kinds without a number whose actors are remembered; the longest unused is forgotten. */
const CANDIDATES = 256;
const LONGEST = 512;

interface Kind {
  readonly id: number;
  /** Hashes of the first few. */
  readonly actors: number[];
  lastS: number;
}

export interface ObjectKindsState {
  readonly admitted: readonly (readonly [text: string, id: number, actors: readonly number[], lastS: number])[];
  readonly candidates: readonly (readonly [text: string, actors: readonly number[]])[];
}

export interface ObjectKinds {
  /** Number of a kind; `answered`: this actor, by hash, asked for such an object and got it. */
  of(text: string, actor: number, answered: boolean, nowS: number): number;
  state(): ObjectKindsState;
  restore(state: ObjectKindsState): void;
}

/** `given`: a number is another kind's from now on. */
export function createObjectKinds(given: (id: number) => void): ObjectKinds {
  const admitted = new Map<string, Kind>();
  const candidates = new Map<string, number[]>();

  function note(actors: number[], actor: number): void {
    if (actors.length < ESTABLISHED_BY && !actors.includes(actor)) actors.push(actor);
  }

  /** A number that is free or whose kind gives way: the longest unused that is not established; −1 when there is none. */
  function place(nowS: number): number {
    if (admitted.size < OTHERS) return admitted.size;
    let text = '';
    let oldest: Kind | undefined;
    for (const [other, kind] of admitted) {
      if (kind.actors.length >= ESTABLISHED_BY && nowS - kind.lastS < FORGOTTEN_S) continue;
      if (oldest !== undefined && kind.lastS >= oldest.lastS) continue;
      text = other;
      oldest = kind;
    }
    if (oldest === undefined) return -1;
    admitted.delete(text);
    given(oldest.id);
    return oldest.id;
  }

  return {
    of(said, actor, answered, nowS) {
      const text = said.length > LONGEST ? said.slice(0, LONGEST) : said;
      const known = admitted.get(text);
      if (known !== undefined) {
        known.lastS = nowS;
        if (answered) note(known.actors, actor);
        return known.id;
      }
      if (!answered) return OTHERS;
      const actors = candidates.get(text) ?? [];
      note(actors, actor);
      candidates.delete(text);
      if (actors.length >= ADMITTED_BY) {
        const id = place(nowS);
        if (id >= 0) {
          admitted.set(text, { id, actors, lastS: nowS });
          return id;
        }
      }
      candidates.set(text, actors);
      if (candidates.size > CANDIDATES) candidates.delete(candidates.keys().next().value!);
      return OTHERS;
    },
    state: () => ({
      admitted: [...admitted].map(([text, { id, actors, lastS }]) => [text, id, [...actors], lastS]),
      candidates: [...candidates].map(([text, actors]) => [text, [...actors]]),
    }),
    restore(state) {
      admitted.clear();
      candidates.clear();
      for (const [text, id, actors, lastS] of state.admitted) admitted.set(text, { id, actors: [...actors], lastS });
      for (const [text, actors] of state.candidates) candidates.set(text, [...actors]);
    },
  };
}
