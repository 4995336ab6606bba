/** Which verdicts were taken, at which revision, and by which incident: each is taken once, whatever is read again. Bounded. */

export interface VerdictBook {
  /** False when this or a later revision was taken before. */
  take(id: string, revision: number): boolean;
  /** The incident that took the verdict; undefined when none did. */
  incidentOf(id: string): string | undefined;
  assign(id: string, incidentId: string): void;
  snapshot(): readonly TakenVerdict[];
}

/** Id, highest revision, incident ('' for none). */
export type TakenVerdict = readonly [id: string, revision: number, incidentId: string];

/** An amendment comes within minutes: what is older may be forgotten. */
const MAX_VERDICTS = 20_000;

export function createVerdictBook(snapshot: readonly TakenVerdict[] = []): VerdictBook {
  const taken = new Map<string, { revision: number; incidentId: string }>(
    snapshot.map(([id, revision, incidentId]) => [id, { revision, incidentId }]),
  );
  return {
    take(id, revision) {
      const known = taken.get(id);
      if (known !== undefined && known.revision >= revision) return false;
      taken.delete(id); // the map's order is the order of use
      taken.set(id, { revision, incidentId: known?.incidentId ?? '' });
      if (taken.size > MAX_VERDICTS) taken.delete(taken.keys().next().value!);
      return true;
    },
    incidentOf: (id) => taken.get(id)?.incidentId || undefined,
    assign(id, incidentId) {
      const known = taken.get(id);
      if (known !== undefined) known.incidentId = incidentId;
    },
    snapshot: () => [...taken].map(([id, { revision, incidentId }]) => [id, revision, incidentId]),
  };
}
