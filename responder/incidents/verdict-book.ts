/**
 * Which verdicts were taken, at which revision, and where they count: each is taken once, whatever is read again. Bounded.
 */

export interface VerdictBook {
  /** `new`, `amended`, or `old`: this or a later revision was taken before. */
  take(id: string, revision: number): 'new' | 'amended' | 'old';
  /** The incident that took the verdict; undefined when none did. */
  incidentOf(id: string): string | undefined;
  assign(id: string, incidentId: string): void;
  /** Its place in the digest, '' without. */
  digestPlaceOf(id: string): string;
  place(id: string, digestPlace: string): void;
  snapshot(): readonly TakenVerdict[];
}

/** Id, highest revision, incident ('' for none), place in the digest where it has one. */
export type TakenVerdict = readonly [id: string, revision: number, incidentId: string, digestPlace?: string];

/** An amendment comes within minutes: what is older may be forgotten. */
const MAX_VERDICTS = 20_000;

interface Taken {
  readonly revision: number;
  incidentId: string;
  digestPlace: string;
}

export function createVerdictBook(snapshot: readonly TakenVerdict[] = []): VerdictBook {
  const taken = new Map<string, Taken>(
    snapshot.map(([id, revision, incidentId, digestPlace = '']) => [id, { revision, incidentId, digestPlace }]),
  );
  return {
    take(id, revision) {
      const known = taken.get(id);
      if (known !== undefined && known.revision >= revision) return 'old';
      taken.delete(id); // the map's order is the order of use
      taken.set(id, { revision, incidentId: known?.incidentId ?? '', digestPlace: known?.digestPlace ?? '' });
      if (taken.size > MAX_VERDICTS) taken.delete(taken.keys().next().value!);
      return known === undefined ? 'new' : 'amended';
    },
    incidentOf: (id) => taken.get(id)?.incidentId || undefined,
    assign(id, incidentId) {
      const known = taken.get(id);
      if (known !== undefined) known.incidentId = incidentId;
    },
    digestPlaceOf: (id) => taken.get(id)?.digestPlace ?? '',
    place(id, digestPlace) {
      const known = taken.get(id);
      if (known !== undefined) known.digestPlace = digestPlace;
    },
    snapshot: () =>
      [...taken].map(([id, { revision, incidentId, digestPlace }]) =>
        digestPlace === '' ? [id, revision, incidentId] : [id, revision, incidentId, digestPlace],
      ),
  };
}
