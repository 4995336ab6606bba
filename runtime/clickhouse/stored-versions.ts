/**
 * Versions of the baseline in rows: the whole of one now and then, between them what changed since the parent. The row of
 * `baseline_versions` is written last, so a version that can be found is complete.
 */
import type { VersionEntry } from '../../schemas/baselines/version.ts';
import { SpanwardenError } from '../errors.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, runCommand, streamRows, table } from './statements.ts';

/** What is known of every version; the rest of the manifest goes along as it is. */
export interface VersionFacts {
  readonly version: string;
  readonly parent: string;
  /** When it was cut: part of the version, the same on every attempt to write it. */
  readonly createdMs: number;
  readonly offsets: readonly number[];
  readonly segments: number;
  readonly alerting: boolean;
  /** How it came to be; learned, where nothing is said. */
  readonly kind?: VersionKind;
  /** Version whose models it has, where it was not learned itself. */
  readonly source?: string;
  /** No learned version replaces it before an operator resumes. */
  readonly held?: boolean;
  /** Version whose counters a trainer goes on from; its own, where nothing is said. */
  readonly counters?: string;
  /** Segments counted apart: nothing of them was learned. */
  readonly quarantined?: number;
  /** Share of observations by state of their key. */
  readonly maturity?: Readonly<Record<string, number>>;
}

export type VersionKind = 'learned' | 'edited' | 'rolled-back' | 'imported';

export interface StoredVersion<M extends VersionFacts, E extends VersionEntry> {
  readonly manifest: M;
  readonly entries: readonly E[];
}

/** Counters of one log partition, group and block of time, as the trainer encoded them. */
export interface PartialRow {
  readonly partition: number;
  readonly block: number;
  readonly group: string;
  readonly payload: Uint8Array;
}

export interface VersionRows<M extends VersionFacts> {
  readonly manifest: M;
  readonly entries: Iterable<VersionEntry>;
  /** Entries of the parent: then only changes are written, unless a full version is due. */
  readonly previous?: Iterable<VersionEntry>;
  readonly partials?: readonly PartialRow[];
}

const FULL_EVERY_MS = 86_400_000;
const ROWS_AN_INSERT = 20_000;
/** Base64 characters in one row. */
const PART_LENGTH = 4 << 20;

const keyOf = (entry: VersionEntry): string => `${entry.group}\u0000${entry.kind}\u0000${entry.key}`;

/** Writes a version: entries, partials, then the version itself. The same version twice changes nothing. */
export async function insertVersion<M extends VersionFacts>(
  clickhouse: ClickHouse,
  rows: VersionRows<M>,
): Promise<void> {
  const { manifest } = rows;
  const entries = [...rows.entries];
  const changes =
    rows.previous && (await mayChain(clickhouse, manifest)) ? changesSince(rows.previous, entries) : undefined;
  // A change as large as half of the whole saves little and costs a step when it is loaded.
  const full = changes === undefined || changes.length > entries.length / 2;
  const created = dateTime(manifest.createdMs);
  const written = full ? entries.map((entry) => ({ ...entry, deleted: false })) : changes;
  await insertEntries(clickhouse, manifest.version, created, written);
  for (const partial of rows.partials ?? []) await insertPartial(clickhouse, manifest.version, created, partial);
  await insertRows(clickhouse, 'baseline_versions', [
    {
      version: manifest.version,
      parent: manifest.parent,
      full,
      created,
      offsets: manifest.offsets,
      segments: manifest.segments,
      alerting: manifest.alerting,
      entries: entries.length,
      manifest: JSON.stringify(manifest),
      kind: manifest.kind ?? 'learned',
      source: manifest.source ?? '',
      held: manifest.held ?? false,
      counters: manifest.counters ?? '',
      quarantined: manifest.quarantined ?? 0,
      maturity: manifest.maturity ?? {},
      admitted: countEntries(entries),
    },
  ]);
  if (rows.partials !== undefined) await forgetPartials(clickhouse);
}

/** `created`: the same on every attempt to write them. */
export async function insertEntries(
  clickhouse: ClickHouse,
  version: string,
  created: string,
  entries: readonly (VersionEntry & { readonly deleted: boolean })[],
): Promise<void> {
  for (let at = 0; at < entries.length; at += ROWS_AN_INSERT)
    await insertRows(
      clickhouse,
      'baseline_entries',
      entries.slice(at, at + ROWS_AN_INSERT).map(({ group, kind, key, value, deleted }) => ({
        version,
        model_group: group,
        kind,
        key,
        value,
        deleted,
        created,
      })),
    );
}

/** Whether the parent is stored and the last full version is young. */
async function mayChain(clickhouse: ClickHouse, { parent, createdMs }: VersionFacts): Promise<boolean> {
  if (parent === '') return false;
  const [row] = await queryRows<{ parents: string; fullMs: string }>(
    clickhouse,
    'versions',
    `SELECT toString(countIf(version = {parent:String})) AS parents, toString(toUnixTimestamp64Milli(maxIf(created, full))) AS fullMs
     FROM ${table(clickhouse, 'baseline_versions')}`,
    { parent },
  );
  return row !== undefined && Number(row.parents) > 0 && createdMs - Number(row.fullMs) < FULL_EVERY_MS;
}

/** `structure edge` → how many. */
function countEntries(entries: readonly VersionEntry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { group, kind } of entries) counts[`${group} ${kind}`] = (counts[`${group} ${kind}`] ?? 0) + 1;
  return counts;
}

function changesSince(
  previous: Iterable<VersionEntry>,
  entries: readonly VersionEntry[],
): (VersionEntry & { deleted: boolean })[] {
  const before = new Map<string, VersionEntry>();
  for (const entry of previous) before.set(keyOf(entry), entry);
  const changes: (VersionEntry & { deleted: boolean })[] = [];
  for (const entry of entries) {
    const key = keyOf(entry);
    if (before.get(key)?.value !== entry.value) changes.push({ ...entry, deleted: false });
    before.delete(key);
  }
  for (const gone of before.values()) changes.push({ ...gone, value: '', deleted: true });
  return changes;
}

async function insertPartial(
  clickhouse: ClickHouse,
  version: string,
  created: string,
  partial: PartialRow,
): Promise<void> {
  const text = Buffer.from(partial.payload).toString('base64');
  for (let part = 0; part * PART_LENGTH < Math.max(1, text.length); part++)
    await insertRows(clickhouse, 'trainer_partials', [
      {
        version,
        partition: partial.partition,
        block: partial.block,
        model_group: partial.group,
        part,
        payload: text.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH),
        created,
      },
    ]);
}

/** A trainer resumes from the newest version's counters; those before stay for whoever reads them just now. */
const forgetPartials = (clickhouse: ClickHouse): Promise<void> =>
  runCommand(
    clickhouse,
    'removal of old partials',
    `DELETE FROM ${table(clickhouse, 'trainer_partials')} WHERE version NOT IN (
       SELECT if(counters = '', version, counters) AS owner FROM ${table(clickhouse, 'baseline_versions')}
       GROUP BY owner ORDER BY max(created) DESC LIMIT 2)
     AND created < (SELECT max(created) FROM ${table(clickhouse, 'baseline_versions')})`,
  );

interface VersionRow {
  version: string;
  parent: string;
  full: boolean;
  entries: string;
  manifest: string;
}

const VERSION_COLUMNS = 'version, parent, full, toString(entries) AS entries, manifest';

/** Manifests, newest first. */
export async function listVersions<M extends VersionFacts>(clickhouse: ClickHouse, limit = 100): Promise<M[]> {
  const rows = await queryRows<VersionRow>(
    clickhouse,
    'versions',
    `SELECT ${VERSION_COLUMNS} FROM (SELECT * FROM ${table(clickhouse, 'baseline_versions')} FINAL)
     ORDER BY created DESC, version LIMIT {limit:UInt32}`,
    { limit },
  );
  return rows.map((row) => JSON.parse(row.manifest) as M);
}

/** A version with all its entries. BASELINE_UNKNOWN when there is none of this name, BASELINE_DAMAGED when entries are missing. */
export async function loadVersion<M extends VersionFacts, E extends VersionEntry>(
  clickhouse: ClickHouse,
  version: string,
): Promise<StoredVersion<M, E>> {
  const entries: E[] = [];
  const manifest = await readVersion<M, E>(clickhouse, version, (entry) => void entries.push(entry));
  return { manifest, entries };
}

/** The same, each entry given to `take` as it comes: they are to be trusted only when this has ended. */
export async function readVersion<M extends VersionFacts, E extends VersionEntry>(
  clickhouse: ClickHouse,
  version: string,
  take: (entry: E) => void,
): Promise<M> {
  const chain = await readChain(clickhouse, version);
  // Oldest first: a later version's entry stands.
  const order = new Map(chain.toReversed().map((row, index) => [row.version, index]));
  const rows = streamRows<EntryRow>(
    clickhouse,
    'entries of a version',
    `SELECT version, model_group, kind, key, value, deleted FROM (SELECT * FROM ${table(clickhouse, 'baseline_entries')} FINAL)
     WHERE version IN {versions:Array(String)} ORDER BY model_group, kind, key`,
    { versions: chain.map((row) => row.version) },
  );
  let standing: EntryRow | undefined;
  let count = 0;
  const give = (): void => {
    if (standing === undefined || standing.deleted) return;
    count++;
    const { model_group: group, kind, key, value } = standing;
    take({ group, kind, key, value } as VersionEntry as E);
  };
  for await (const row of rows) {
    const same =
      standing !== undefined &&
      standing.key === row.key &&
      standing.kind === row.kind &&
      standing.model_group === row.model_group;
    if (same && order.get(row.version)! < order.get(standing!.version)!) continue;
    if (!same) give();
    standing = row;
  }
  give();
  const wanted = Number(chain[0]!.entries);
  if (count !== wanted)
    throw new SpanwardenError(
      'BASELINE_DAMAGED',
      `baseline version ${version} has ${count} entries in ClickHouse where ${wanted} were written`,
    );
  return JSON.parse(chain[0]!.manifest) as M;
}

interface EntryRow {
  readonly version: string;
  readonly model_group: string;
  readonly kind: string;
  readonly key: string;
  readonly value: string;
  readonly deleted: boolean;
}

/** Entries stored under an id that is no version of this system: those of a baseline that is to be imported. */
export async function loadImported<E extends VersionEntry>(clickhouse: ClickHouse, version: string): Promise<E[]> {
  const rows = await queryRows<{ model_group: string; kind: string; key: string; value: string }>(
    clickhouse,
    'entries of an import',
    `SELECT model_group, kind, key, value FROM (SELECT * FROM ${table(clickhouse, 'baseline_entries')} FINAL)
     WHERE version = {version:String} AND NOT deleted ORDER BY model_group, kind, key`,
    { version },
  );
  return rows.map(
    (row) => ({ group: row.model_group, kind: row.kind, key: row.key, value: row.value }) as VersionEntry as E,
  );
}

/** The version, its parent, and so on up to a full one. */
async function readChain(clickhouse: ClickHouse, version: string): Promise<VersionRow[]> {
  const rows = await queryRows<VersionRow>(
    clickhouse,
    'versions',
    `SELECT ${VERSION_COLUMNS.replace('manifest', `if(version = {version:String}, manifest, '') AS manifest`)}
     FROM (SELECT * FROM ${table(clickhouse, 'baseline_versions')} FINAL)`,
    { version },
  );
  const byVersion = new Map(rows.map((row) => [row.version, row]));
  const chain: VersionRow[] = [];
  for (let at = version; ; ) {
    const row = byVersion.get(at);
    if (row === undefined)
      throw chain.length === 0
        ? new SpanwardenError('BASELINE_UNKNOWN', `baseline version ${version} is not in ClickHouse`)
        : new SpanwardenError(
            'BASELINE_DAMAGED',
            `baseline version ${version} needs ${at}, which is not in ClickHouse`,
          );
    chain.push(row);
    if (row.full) return chain;
    at = row.parent;
    if (chain.length > rows.length)
      throw new SpanwardenError('BASELINE_DAMAGED', `baseline version ${version} is its own ancestor`);
  }
}

/** The newest version with the partials cut with it; null before the first. */
export async function latestVersion<M extends VersionFacts, E extends VersionEntry>(
  clickhouse: ClickHouse,
): Promise<(StoredVersion<M, E> & { readonly partials: readonly PartialRow[] }) | null> {
  const [newest] = await listVersions<M>(clickhouse, 1);
  if (newest === undefined) return null;
  const loaded = await loadVersion<M, E>(clickhouse, newest.version);
  const rows = await queryRows<{ partition: number; block: string; model_group: string; text: string }>(
    clickhouse,
    'partials',
    `SELECT partition, toString(block) AS block, model_group, arrayStringConcat(arrayMap(p -> p.2, arraySort(groupArray((part, payload))))) AS text
     FROM (SELECT * FROM ${table(clickhouse, 'trainer_partials')} FINAL) WHERE version = {version:String}
     GROUP BY partition, block, model_group ORDER BY partition, block, model_group`,
    // '' = its own
    { version: newest.counters || newest.version },
  );
  return {
    ...loaded,
    partials: rows.map((row) => ({
      partition: row.partition,
      block: Number(row.block),
      group: row.model_group,
      payload: Buffer.from(row.text, 'base64'),
    })),
  };
}
