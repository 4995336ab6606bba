/** What every role that reads the log is built on: made once a process, shared by its roles. */
import type { Config } from '../schemas/config/index.ts';
import type { ClickHouse } from './clickhouse/client.ts';
import type { Log } from './log/port.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface Platform {
  readonly config: Config;
  readonly log: Log;
  readonly clickhouse: ClickHouse;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
