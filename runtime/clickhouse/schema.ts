/**
 * Applies `schemas/clickhouse/NNN_name.sql`, one object a file, in order. Idempotent; several roles may start at once:
 * one applies under a lock while the others wait. A table's file never changes once it was applied. A view, and comments,
 * hold no rows: their files may change and are then applied again.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { SpanwardenError } from '../errors.ts';
import type { ClickHouse } from './client.ts';
import { clickhouseError } from './errors.ts';

export interface SchemaFile {
  /** `010_verdicts` */
  readonly name: string;
  /** With its placeholders. */
  readonly sql: string;
  /** SHA-256 of `sql`, hex. */
  readonly checksum: string;
  /** A view or comments: nothing is lost when it is applied again. */
  readonly replaceable: boolean;
  /** Checksums of earlier texts that may stand: `-- also stands for <checksum>: why` in the file. */
  readonly also: readonly string[];
}

const DIRECTORY = new URL('../../schemas/clickhouse/', import.meta.url);
const LOCK = 'schema_lock';
/** A lock older than this was left by a process that died; applying takes about a second. */
const LOCK_STALE_S = 60;

export async function readSchemaFiles(): Promise<SchemaFile[]> {
  const names = (await readdir(DIRECTORY)).filter((name) => /^\d{3}_\w+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (file) => {
      const sql = await readFile(new URL(file, DIRECTORY), 'utf8');
      return {
        name: file.slice(0, -4),
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
        replaceable: /^(CREATE OR REPLACE VIEW |ALTER TABLE \S+\s+COMMENT COLUMN )/m.test(sql),
        also: [...sql.matchAll(/^-- also stands for ([0-9a-f]{64}):/gm)].map((found) => found[1]!),
      };
    }),
  );
}

/** Statement of a file: placeholders are names of settings of the `clickhouse` section that are identifiers or numbers. */
export function renderSchema(sql: string, config: ClickHouse['config']): string {
  return sql.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = (config as unknown as Readonly<Record<string, unknown>>)[name];
    if (name === 'database') return `\`${config.database}\``;
    if (typeof value !== 'number') throw new Error(`schema placeholder {${name}} is no number of the configuration`);
    return String(value);
  });
}

/**
 * Makes the database and every object that is missing, brings time-to-live up to the configuration, and records what it
 * applied. Throws SCHEMA_MISMATCH when a file changed since it was applied, CLICKHOUSE_UNAVAILABLE, CLICKHOUSE_REJECTED.
 */
export async function applySchema(
  clickhouse: ClickHouse,
  deps: { readonly log?: Logger; readonly staleLockSeconds?: number } = {},
): Promise<void> {
  const { database, config } = clickhouse;
  const files = await readSchemaFiles();
  try {
    await makeDatabase(clickhouse);
    await command(clickhouse, RECORD_TABLE.replace('{database}', `\`${database}\``));
    if (outdated(await appliedFiles(clickhouse), files).length === 0) {
      await alignTtl(clickhouse, files);
      return;
    }
    await withLock(clickhouse, deps.staleLockSeconds ?? LOCK_STALE_S, async () => {
      for (const file of outdated(await appliedFiles(clickhouse), files)) {
        await command(clickhouse, renderSchema(file.sql, config));
        await clickhouse.client.insert({
          table: `\`${database}\`.schema_files`,
          values: [{ name: file.name, checksum: file.checksum }],
          format: 'JSONEachRow',
        });
        deps.log?.debug({ file: file.name }, 'schema file applied');
      }
      await alignTtl(clickhouse, files);
      await inheritComments(clickhouse);
    });
    deps.log?.info({ database, files: files.length }, 'ClickHouse schema is up to date');
  } catch (error) {
    throw clickhouseError(error, 'the schema');
  }
}

/**
 * Whether every file was applied: what roles that don't apply wait for. A view may be that of another version, as while
 * roles are upgraded one by one. False also while ClickHouse is away.
 */
export async function schemaReady(clickhouse: ClickHouse): Promise<boolean> {
  try {
    const applied = await appliedFiles(clickhouse);
    return outdated(applied, await readSchemaFiles()).every((file) => applied.has(file.name));
  } catch (error) {
    if (error instanceof SpanwardenError && error.code === 'SCHEMA_MISMATCH') throw error;
    return false;
  }
}

const RECORD_TABLE = `CREATE TABLE IF NOT EXISTS {database}.schema_files (
  name String COMMENT 'File under schemas/clickhouse',
  checksum String COMMENT 'SHA-256 of its text, hex',
  applied DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When'
) ENGINE = ReplacingMergeTree ORDER BY name COMMENT 'Which schema files were applied'`;

/** A user without the right to create databases is fine when an operator made it. */
async function makeDatabase(clickhouse: ClickHouse): Promise<void> {
  const found = await rows<{ name: string }>(
    clickhouse,
    'SELECT name FROM system.databases WHERE name = {database:String}',
    { database: clickhouse.database },
  );
  if (found.length === 0)
    await command(
      clickhouse,
      `CREATE DATABASE IF NOT EXISTS \`${clickhouse.database}\` ENGINE = Atomic COMMENT 'Spanwarden'`,
    );
}

/** Checksum by name of what was applied. */
async function appliedFiles(clickhouse: ClickHouse): Promise<ReadonlyMap<string, string>> {
  const applied = await rows<{ name: string; checksum: string }>(
    clickhouse,
    `SELECT name, argMax(f.checksum, f.applied) AS checksum FROM \`${clickhouse.database}\`.schema_files AS f GROUP BY name`,
  );
  return new Map(applied.map((row) => [row.name, row.checksum]));
}

/** Files to apply: new ones, and changed ones where that is allowed. */
function outdated(applied: ReadonlyMap<string, string>, files: readonly SchemaFile[]): SchemaFile[] {
  return files.filter((file) => {
    const checksum = applied.get(file.name);
    if (checksum !== undefined && file.also.includes(checksum)) return false;
    if (checksum !== undefined && checksum !== file.checksum && !file.replaceable)
      throw new SpanwardenError(
        'SCHEMA_MISMATCH',
        `the database was made by another version of Spanwarden: ${file.name} differs from what was applied; use another database (clickhouse.database) or directory (clickhouse.embedded.directory)`,
      );
    return checksum !== file.checksum;
  });
}

/**
 * A column of a view without a comment of its own says what the column of that name says in the table it reads: the views of
 * newest revisions, and the one that feeds the look-up by trace id.
 */
async function inheritComments(clickhouse: ClickHouse): Promise<void> {
  const { database } = clickhouse;
  const silent = await rows<{ view: string; name: string; comment: string }>(
    clickhouse,
    `SELECT c.table AS view, c.name AS name, any(b.comment) AS comment
     FROM system.columns AS c
     INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
     INNER JOIN system.columns AS b ON b.database = c.database AND b.name = c.name
     WHERE c.database = {database:String} AND t.engine LIKE '%View' AND c.comment = '' AND b.comment != ''
       AND b.table IN (replaceRegexpOne(c.table, '_(latest|mv)$', ''))
     GROUP BY view, name ORDER BY view, name`,
    { database },
  );
  const byView = Map.groupBy(silent, (row) => row.view);
  for (const [view, columns] of byView) {
    const comments = columns.map(({ name, comment }) => `COMMENT COLUMN \`${name}\` '${escapeText(comment)}'`);
    await command(clickhouse, `ALTER TABLE \`${database}\`.\`${view}\` ${comments.join(', ')}`);
  }
}

const escapeText = (text: string): string => text.replace(/[\\']/g, (c) => `\\${c}`);

/** Retention is configuration: a changed value reaches tables that exist. */
async function alignTtl(clickhouse: ClickHouse, files: readonly SchemaFile[]): Promise<void> {
  const present = new Map(
    (
      await rows<{ name: string; query: string }>(
        clickhouse,
        'SELECT name, create_table_query AS query FROM system.tables WHERE database = {database:String}',
        { database: clickhouse.database },
      )
    ).map((row) => [row.name, row.query]),
  );
  for (const file of files) {
    const wanted = /\nTTL (.*toIntervalDay\((\d+)\))/.exec(renderSchema(file.sql, clickhouse.config));
    const table = /CREATE TABLE IF NOT EXISTS \{database\}\.(\w+)/.exec(file.sql)?.[1];
    if (!wanted || table === undefined) continue;
    const days = /\bTTL [^\n]*?toIntervalDay\((\d+)\)/.exec(present.get(table) ?? '')?.[1];
    if (days === undefined || days === wanted[2]) continue;
    await command(clickhouse, `ALTER TABLE \`${clickhouse.database}\`.\`${table}\` MODIFY TTL ${wanted[1]}`);
  }
}

/**
 * Creating a table is atomic, so a table is the lock. Every statement is idempotent besides: should a stale lock ever be
 * taken from a process that still lives, the two only do the same work.
 */
async function withLock(clickhouse: ClickHouse, staleSeconds: number, work: () => Promise<void>): Promise<void> {
  const lock = `\`${clickhouse.database}\`.${LOCK}`;
  const owner = randomUUID();
  for (;;) {
    try {
      await command(clickhouse, `CREATE TABLE ${lock} (owner String) ENGINE = Memory COMMENT '${owner}'`);
      break;
    } catch (error) {
      if ((error as { code?: unknown }).code !== '57') throw error; // TABLE_ALREADY_EXISTS
      const [held] = await rows<{ stale: number }>(
        clickhouse,
        `SELECT toUInt8(now() - metadata_modification_time > ${staleSeconds}) AS stale FROM system.tables WHERE database = {database:String} AND name = '${LOCK}'`,
        { database: clickhouse.database },
      );
      if (held?.stale === 1) await command(clickhouse, `DROP TABLE IF EXISTS ${lock} SYNC`);
      else await new Promise((done) => setTimeout(done, 50));
    }
  }
  try {
    await work();
  } finally {
    const [held] = await rows<{ owner: string }>(
      clickhouse,
      `SELECT comment AS owner FROM system.tables WHERE database = {database:String} AND name = '${LOCK}'`,
      { database: clickhouse.database },
    );
    if (held?.owner === owner) await command(clickhouse, `DROP TABLE IF EXISTS ${lock} SYNC`);
  }
}

const command = async (clickhouse: ClickHouse, query: string): Promise<void> => {
  await clickhouse.client.command({ query });
};

async function rows<T>(
  clickhouse: ClickHouse,
  query: string,
  query_params: Record<string, unknown> = {},
): Promise<T[]> {
  const result = await clickhouse.client.query({ query, query_params, format: 'JSONEachRow' });
  return result.json<T>();
}
