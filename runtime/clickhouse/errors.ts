/** Which failures of ClickHouse a later attempt can mend, and which are about what was sent. */
import { ClickHouseError } from '@clickhouse/client';
import { SpanwardenError } from '../errors.ts';

/** Server codes that pass by themselves or by an operator's hand: load, memory, disk, read-only replica, restart. */
const PASSING = new Set([
  '159', // TIMEOUT_EXCEEDED
  '201', // QUOTA_EXCEEDED
  '202', // TOO_MANY_SIMULTANEOUS_QUERIES
  '203', // NO_FREE_CONNECTION
  '209', // SOCKET_TIMEOUT
  '210', // NETWORK_ERROR
  '225', // NO_ZOOKEEPER
  '236', // ABORTED
  '241', // MEMORY_LIMIT_EXCEEDED
  '242', // TABLE_IS_READ_ONLY
  '243', // NOT_ENOUGH_SPACE
  '252', // TOO_MANY_PARTS
  '279', // ALL_CONNECTION_TRIES_FAILED
  '285', // TOO_FEW_LIVE_REPLICAS
  '286', // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  '319', // UNKNOWN_STATUS_OF_INSERT
  '394', // QUERY_WAS_CANCELLED
  '425', // SYSTEM_ERROR
  '439', // CANNOT_SCHEDULE_TASK
  '473', // DEADLOCK_AVOIDED
  '516', // AUTHENTICATION_FAILED: another server took the port while ours restarts
  '667', // NOT_INITIALIZED
  '692', // TOO_MANY_MUTATIONS
  '735', // QUERY_WAS_CANCELLED_BY_CLIENT
  '745', // SERVER_OVERLOADED
  '999', // KEEPER_EXCEPTION
]);

/** A failure of `what` as ours: CLICKHOUSE_UNAVAILABLE (retryable) or CLICKHOUSE_REJECTED. */
export function clickhouseError(error: unknown, what: string): SpanwardenError {
  if (error instanceof SpanwardenError) return error;
  if (error instanceof ClickHouseError && !PASSING.has(error.code))
    return new SpanwardenError(
      'CLICKHOUSE_REJECTED',
      `ClickHouse refused ${what}: ${error.type ?? ''} (${error.code}) ${firstLine(error.message)}`,
      {
        cause: error,
      },
    );
  const said = error instanceof Error ? firstLine(error.message) || error.name : String(error);
  return new SpanwardenError('CLICKHOUSE_UNAVAILABLE', `ClickHouse did not take ${what}: ${said}`, { cause: error });
}

/** Values of a rejected statement may follow: one line, bounded. */
const firstLine = (text: string): string => text.split('\n', 1)[0]!.slice(0, 500);
