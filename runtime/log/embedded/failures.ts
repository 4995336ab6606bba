/** What SQLite's errors mean to users of the log. */
import { SqliteCode, sqliteCode } from './database.ts';
import type { ThreadFailure } from './messages.ts';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const systemCode = (error: unknown): string => {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
};

const isFull = (error: unknown): boolean =>
  sqliteCode(error) === SqliteCode.full || systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT';

/** While running: a full disk is LOG_FULL, as senders may try again when somebody made room. */
export function writeFailure(error: unknown, directory: string): ThreadFailure {
  if (isFull(error))
    return {
      code: 'LOG_FULL',
      message: `no room on the disk of ${directory}: free some, or lower log.spansRetentionBytes`,
    };
  const code = sqliteCode(error);
  if (code === SqliteCode.busy || code === SqliteCode.locked)
    return { code: 'LOG_UNAVAILABLE', message: `another process keeps the log in ${directory} busy` };
  return { code: 'LOG_UNAVAILABLE', message: `the log in ${directory} cannot be used: ${messageOf(error)}` };
}

/** At start of a process that only looks: there may be no log yet. */
export function openToReadFailure(error: unknown, directory: string): ThreadFailure {
  if (sqliteCode(error) === SqliteCode.cannotOpen)
    return {
      code: 'CONFIG_INVALID',
      message: `there is no log to read in ${directory} (log.directory): 'spanwarden run' makes one`,
    };
  return openFailure(error, directory);
}

/** At start: a full disk or a wrong directory will not go away by trying again. */
export function openFailure(error: unknown, directory: string): ThreadFailure {
  if (isFull(error)) return { code: 'DISK_FULL', message: `no room on the disk of ${directory} (log.directory)` };
  const system = systemCode(error);
  if (system === 'EACCES' || system === 'EROFS' || system === 'EPERM' || system === 'ENOTDIR' || system === 'EEXIST')
    return { code: 'CONFIG_INVALID', message: `cannot write to ${directory} (log.directory): ${system}` };
  const code = sqliteCode(error);
  if (code === SqliteCode.cannotOpen)
    return { code: 'CONFIG_INVALID', message: `cannot write to ${directory} (log.directory)` };
  if (code === SqliteCode.notADatabase || code === 11)
    return {
      code: 'SCHEMA_MISMATCH',
      message: `the files in ${directory} are not a log, or damaged: ${messageOf(error)}`,
    };
  if (code === 0 && messageOf(error).includes('another version'))
    return { code: 'SCHEMA_MISMATCH', message: `the log in ${directory} was ${messageOf(error)}` };
  return writeFailure(error, directory);
}
