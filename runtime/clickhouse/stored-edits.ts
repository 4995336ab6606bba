/** Operators' edits in rows: each revision an event that stays. */
import { type EditDocument, editDocument } from '../../schemas/baselines/edit.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

export interface StoredEdit {
  readonly document: EditDocument;
  /** What it says, in words. */
  readonly summary: string;
  /** Incident it was made for, '' without. */
  readonly incidentId: string;
  /** What it would have changed when it was written, JSON; '' when not known. */
  readonly preview: string;
}

export const insertEdit = (
  clickhouse: ClickHouse,
  { document, summary, incidentId, preview }: StoredEdit,
): Promise<void> =>
  insertRows(clickhouse, 'baseline_edits', [
    {
      id: document.id,
      revision: document.revision,
      supersedes: document.supersedes,
      state: document.state,
      owner: document.owner,
      by: document.by,
      at: dateTime(document.atMs),
      expires: dateTime(document.expiresMs ?? 0),
      comment: document.comment,
      entry: document.entry ?? '',
      summary,
      incident_id: incidentId,
      document: JSON.stringify(document),
      preview,
    },
  ]);

export interface EditFilter {
  readonly id?: string;
  /** Every revision, not the newest alone. */
  readonly history?: boolean;
  readonly limit?: number;
}

interface Row {
  document: string;
  summary: string;
  incidentId: string;
  preview: string;
}

/** Newest first. A document that this version cannot read is left out: an older reader obeys what it understands. */
export async function readEdits(clickhouse: ClickHouse, filter: EditFilter = {}): Promise<StoredEdit[]> {
  const from =
    filter.history === true
      ? '(SELECT * FROM BASE FINAL)'
      : '(SELECT * FROM BASE FINAL ORDER BY revision DESC LIMIT 1 BY id)';
  const rows = await queryRows<Row>(
    clickhouse,
    'edits',
    `SELECT document, summary, incident_id AS incidentId, preview
     FROM ${from.replace('BASE', table(clickhouse, 'baseline_edits'))}
     WHERE {id:String} = '' OR id = {id:String}
     ORDER BY at DESC, id, revision DESC LIMIT {limit:UInt32}`,
    { id: filter.id ?? '', limit: filter.limit ?? 10_000 },
  );
  return rows.flatMap(({ document, ...rest }) => {
    const parsed = editDocument.safeParse(JSON.parse(document));
    return parsed.success ? [{ document: parsed.data, ...rest }] : [];
  });
}
