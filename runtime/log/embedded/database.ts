/** Opens one database file of the embedded log, creating it when missing; several processes may do so at once. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Raised with every change of the tables below. */
const FORMAT = 1;

/**
 * `partition.id` and a base offset make a frame's row id (frameId): one tree, in which each partition grows at its own
 * end. `partition.bytes` is kept so that retention by size needs no scan.
 */
const TABLES = `
CREATE TABLE topic (
  name TEXT PRIMARY KEY,
  partitions INTEGER NOT NULL,
  retention_ms INTEGER NOT NULL,
  retention_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE partition (
  id INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  number INTEGER NOT NULL,
  earliest INTEGER NOT NULL DEFAULT 0,
  latest INTEGER NOT NULL DEFAULT 0,
  append_ms INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, number)
) STRICT;
CREATE TABLE frame (
  id INTEGER PRIMARY KEY,
  count INTEGER NOT NULL,
  append_ms INTEGER NOT NULL,
  size INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE TABLE lease (
  topic TEXT NOT NULL,
  name TEXT NOT NULL,
  generation INTEGER NOT NULL,
  owner TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  PRIMARY KEY (topic, name)
) STRICT;
CREATE TABLE committed (
  topic TEXT NOT NULL,
  name TEXT NOT NULL,
  number INTEGER NOT NULL,
  next INTEGER NOT NULL,
  PRIMARY KEY (topic, name, number)
) STRICT;
PRAGMA user_version = ${FORMAT};
`;

/** Offsets of a partition lie below this: 2^40 records. */
export const OFFSETS = 2 ** 40;

export const frameId = (partitionId: number, baseOffset: number): number => partitionId * OFFSETS + baseOffset;

/** SQLite primary result codes (sqlite.org/rescode.html). */
export const SqliteCode = { busy: 5, locked: 6, ioError: 10, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

/** Primary result code of an error of node:sqlite; 0 for any other error. */
export function sqliteCode(error: unknown): number {
  if (typeof error !== 'object' || error === null) return 0;
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : 0;
}

export interface DatabaseOptions {
  readonly file: string;
  /** How long a transaction waits for another process's. */
  readonly busyMs: number;
  /** Pages the file may have; 0 = as many as fit on the disk. */
  readonly maxPages: number;
  /** Opened as it is, for a process that only looks: neither created nor changed. */
  readonly readOnly?: boolean;
}

const PAGE_BYTES = 8_192;

function create(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = database.prepare('PRAGMA user_version').get()?.user_version;
    if (version === 0) database.exec(TABLES);
    else if (version !== FORMAT) throw new Error(`written by another version of the log (format ${String(version)})`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

export function openDatabase(options: DatabaseOptions): DatabaseSync {
  if (options.readOnly) return openToRead(options);
  mkdirSync(dirname(options.file), { recursive: true });
  const database = new DatabaseSync(options.file, { timeout: options.busyMs });
  try {
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    enterWal(database, options.busyMs);
    // an acknowledged record survives a power cut: every commit syncs the WAL
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA journal_size_limit = 67108864');
    if (options.maxPages > 0) database.exec(`PRAGMA max_page_count = ${options.maxPages}`);
    create(database);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

function openToRead({ file, busyMs }: DatabaseOptions): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: busyMs, readOnly: true });
  try {
    const version = database.prepare('PRAGMA user_version').get()?.user_version;
    if (version !== FORMAT) throw new Error(`written by another version of the log (format ${String(version)})`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Changing to WAL needs the file alone for a moment and does not wait for it by itself (sqlite.org/wal.html). */
function enterWal(database: DatabaseSync, busyMs: number): void {
  const endAt = performance.now() + busyMs;
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (sqliteCode(error) !== SqliteCode.busy || performance.now() > endAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
