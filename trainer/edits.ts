/**
 * Operators' edits, as the trainer sees them: entries of group `edits` that every version carries. They are read so often that
 * an edit is in a version within seconds; what they mean is baseline/edits' part.
 */
import type { BaselineEntry } from '../baseline/model.ts';

export interface EditsSource {
  /** All edits that stand now, as entries, in any order; retired and expired ones are left out. Rejects retryably while the store is away. */
  read(): Promise<readonly BaselineEntry[]>;
}

/** No edits at all. */
export const NO_EDITS: EditsSource = { read: async () => [] };

/** The same for the same edits, whatever their order. */
export const editsKey = (entries: readonly BaselineEntry[]): string =>
  entries
    .map(({ kind, key, value }) => JSON.stringify([kind, key, value]))
    .sort()
    .join('\n');
