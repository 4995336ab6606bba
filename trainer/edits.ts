/**
 * Operators' edits, as the trainer sees them: entries of group `edits` that every version carries. They are read so often that
 * an edit is in a version within seconds; what they mean is baseline/edits' part.
 */
import { editsToEntries } from '../baseline/edits/entries.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import type { Store } from '../runtime/clickhouse/store.ts';
import { editsInForce } from '../schemas/baselines/edit.ts';

export interface EditsSource {
  /** All edits that stand now, as entries, in any order; retired and expired ones are left out. Rejects retryably while the store is away. */
  read(): Promise<readonly BaselineEntry[]>;
}

/** No edits at all. */
export const NO_EDITS: EditsSource = { read: async () => [] };

/** Those in ClickHouse. What is in force is decided when they are read for a version, so judging looks at no clock. */
export const createEditsSource = (store: Pick<Store, 'edits'>, now: () => number): EditsSource => ({
  async read() {
    const documents = (await store.edits()).map(({ document }) => document);
    return editsToEntries(editsInForce(documents, now()));
  },
});

/** The same for the same edits, whatever their order. */
export const editsKey = (entries: readonly BaselineEntry[]): string =>
  entries
    .map(({ kind, key, value }) => JSON.stringify([kind, key, value]))
    .sort()
    .join('\n');
