/** Edits as entries of a version, group `edits`: one line a document, as it was written. */
import { SpanwardenError } from '../../runtime/errors.ts';
import { type EditDocument, editDocument } from '../../schemas/baselines/edit.ts';
import type { BaselineEntry } from '../model.ts';

/** `documents`: those in force (`editsInForce`). Ordered by id, so that equal edits make equal versions. */
export const editsToEntries = (documents: readonly EditDocument[]): BaselineEntry[] =>
  [...documents]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((document) => ({ group: 'edits', kind: 'edit', key: document.id, value: JSON.stringify(document) }));

/** Entries of other groups are left out. Throws BASELINE_DAMAGED. */
export function editsFromEntries(entries: Iterable<BaselineEntry>): EditDocument[] {
  const documents: EditDocument[] = [];
  for (const entry of entries) {
    if (entry.group !== 'edits' || entry.kind !== 'edit') continue;
    const parsed = editDocument.safeParse(JSON.parse(entry.value));
    if (!parsed.success) throw new SpanwardenError('BASELINE_DAMAGED', `edit ${entry.key} of the version is malformed`);
    documents.push(parsed.data);
  }
  return documents;
}
