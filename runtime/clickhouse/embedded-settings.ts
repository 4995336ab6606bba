/** Server and user configuration of the embedded ClickHouse: small, on loopback, closed to whoever has no password. */

type Xml = string | number | { readonly [name: string]: Xml } | readonly Xml[];

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escapeXml = (text: string): string => text.replace(/[&<>]/g, (c) => ESCAPES[c]!);

function elements(value: Xml): string {
  if (typeof value !== 'object') return escapeXml(String(value));
  return Object.entries(value as Readonly<Record<string, Xml>>)
    .map(([name, inner]) =>
      (Array.isArray(inner) ? inner : [inner]).map((one) => `<${name}>${elements(one as Xml)}</${name}>`).join('\n'),
    )
    .join('\n');
}

const document = (value: Xml): string => `<clickhouse>\n${elements(value)}\n</clickhouse>\n`;

export const ADMIN_USER = 'spanwarden';
export const READER_USER = 'reader';

export interface ServerSettings {
  readonly logFile: string;
  readonly usersFile: string;
  readonly maxMemoryBytes: number;
  readonly fsync: boolean;
}

/** Thread pools of a server take hundreds of threads by default; these keep it at 255 MB and half a percent of a core. */
export const serverDocument = (settings: ServerSettings): string =>
  document({
    logger: { log: settings.logFile, size: '10M', count: 2, console: 0 },
    users_config: settings.usersFile,
    max_server_memory_usage: settings.maxMemoryBytes,
    mark_cache_size: 64e6,
    index_mark_cache_size: 16e6,
    uncompressed_cache_size: 0,
    mmap_cache_size: 0,
    background_pool_size: 2,
    background_merges_mutations_concurrency_ratio: 2,
    background_common_pool_size: 2,
    background_move_pool_size: 1,
    background_fetches_pool_size: 1,
    background_schedule_pool_size: 8,
    background_message_broker_schedule_pool_size: 1,
    background_distributed_schedule_pool_size: 1,
    background_buffer_flush_schedule_pool_size: 1,
    max_thread_pool_size: 200,
    max_thread_pool_free_size: 8,
    shutdown_wait_unfinished: 1,
    merge_tree: {
      number_of_free_entries_in_pool_to_lower_max_size_of_merge: 1,
      number_of_free_entries_in_pool_to_execute_mutation: 1,
      number_of_free_entries_in_pool_to_execute_optimize_entire_partition: 1,
      fsync_after_insert: settings.fsync ? 1 : 0,
      fsync_part_directory: settings.fsync ? 1 : 0,
    },
  });

export interface UserSettings {
  readonly database: string;
  /** SHA-256 of the admin's password, hex: the file never holds the password. */
  readonly adminSha256: string;
  /** '' = the reader needs none. */
  readonly readerSha256: string;
  readonly maxMemoryBytes: number;
}

/**
 * The server's own first session can only be user `default` without a password, and comes from loopback like everybody
 * else. So `default` may do just what that session does, and its quota is the three counted statements of
 * START_STATEMENTS: once the server is up, nobody else gets anything out of it.
 */
export const usersDocument = (settings: UserSettings): string => {
  const loopback = { networks: { ip: ['127.0.0.1', '::1'] } };
  return document({
    profiles: {
      default: { max_threads: 2, max_memory_usage: Math.floor(settings.maxMemoryBytes / 2) },
      reader: {
        readonly: 2,
        max_threads: 2,
        max_memory_usage: Math.floor(settings.maxMemoryBytes / 4),
        max_execution_time: 30,
        max_result_rows: 1_000_000,
        constraints: {
          readonly: { const: '' },
          max_memory_usage: { max: Math.floor(settings.maxMemoryBytes / 4) },
          max_execution_time: { min: 1, max: 300 },
        },
      },
    },
    quotas: {
      default: '',
      start: { interval: { duration: 2_000_000_000, queries: 3 } },
    },
    users: {
      default: {
        password: '',
        ...loopback,
        profile: 'default',
        quota: 'start',
        grants: { query: ['GRANT SYSTEM LISTEN ON *.*', 'GRANT CREATE TEMPORARY TABLE ON *.*', 'GRANT READ ON FILE'] },
      },
      [ADMIN_USER]: {
        password_sha256_hex: settings.adminSha256,
        ...loopback,
        profile: 'default',
        quota: 'default',
        access_management: 1,
      },
      [READER_USER]: {
        ...(settings.readerSha256 === '' ? { no_password: '' } : { password_sha256_hex: settings.readerSha256 }),
        ...loopback,
        profile: 'reader',
        quota: 'default',
        grants: { query: `GRANT SELECT ON ${settings.database}.*` },
      },
    },
  });
};

/** Statement that blocks until our end of its stdin is closed; `system.processes` shows when it runs. */
const WAIT =
  "SELECT count() FROM file('-', 'LineAsString') SETTINGS max_execution_time = 0, max_threads = 1 FORMAT Null";

/** What the server's first session does. Three of the four count towards the quota; the ports' statement reads no table. */
export const startStatements = (portsFile: string): string =>
  [
    'SYSTEM START LISTEN HTTP',
    'SYSTEM START LISTEN TCP',
    `SELECT getServerPort('http_port'), getServerPort('tcp_port') INTO OUTFILE '${portsFile}' TRUNCATE FORMAT TSV`,
    WAIT,
  ].join(';\n');

/** 1 once the server's own session waits: it is up, and its quota is used up. */
export const READY_QUERY = `SELECT count() FROM system.processes WHERE startsWith(query, 'SELECT count() FROM file(') FORMAT TSV`;
