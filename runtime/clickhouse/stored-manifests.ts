/** Which parts make up a state of the actors: manifests, and the removal of what owners before have left. */
import type { ClickHouse } from './client.ts';
import { insertRows, queryRows, runCommand, table } from './statements.ts';

export interface StoredManifest {
  readonly generation: number;
  readonly writer: string;
  readonly place: number;
  readonly nextOffset: number;
  /** JSON. */
  readonly state: string;
}

/** How many are looked through for one that is complete: an owner keeps two. */
const MOST = 8;

/** Under which a part is kept: nobody else writes there. */
export const partName = (generation: number, writer: string, name: string): string => `${generation}.${writer}/${name}`;

export const insertManifest = (clickhouse: ClickHouse, manifest: StoredManifest): Promise<void> =>
  insertRows(clickhouse, 'actor_manifests', [
    {
      generation: manifest.generation,
      writer: manifest.writer,
      place: manifest.place,
      next_offset: manifest.nextOffset,
      state: manifest.state,
    },
  ]);

/** The one that stands first. */
export async function readManifests(clickhouse: ClickHouse): Promise<StoredManifest[]> {
  const rows = await queryRows<Record<'generation' | 'nextOffset' | 'writer' | 'state', string> & { place: number }>(
    clickhouse,
    'states of actors',
    `SELECT toString(generation) AS generation, writer, place, toString(next_offset) AS nextOffset, state
     FROM ${table(clickhouse, 'actor_manifests')} FINAL
     ORDER BY actor_manifests.generation DESC, next_offset DESC, writer LIMIT ${MOST}`,
  );
  return rows.map((row) => ({ ...row, generation: Number(row.generation), nextOffset: Number(row.nextOffset) }));
}

/** Manifests and parts of owners before. */
export async function removeStatesBefore(clickhouse: ClickHouse, owner: string, generation: number): Promise<void> {
  const what = 'removal of states of actors';
  await runCommand(
    clickhouse,
    what,
    `DELETE FROM ${table(clickhouse, 'actor_manifests')} WHERE generation < {generation:UInt64}`,
    { generation },
  );
  await runCommand(
    clickhouse,
    what,
    `DELETE FROM ${table(clickhouse, 'snapshot_parts')}
     WHERE owner = {owner:String} AND toUInt64OrZero(splitByChar('.', name)[1]) < {generation:UInt64}`,
    { owner, generation },
  );
}
