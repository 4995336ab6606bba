/** Logs: pino JSON lines on stderr (stdout belongs to commands' results). A fixed sentence and fields; nothing per span. */
import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerConfig {
  /** What logs: a role or a command. */
  readonly name: string;
  readonly level: LogLevel;
}

/**
 * A logger writing one JSON line a record: `level` as a word, `time` in ISO 8601. Writes are synchronous: what was
 * logged before a crash is there. `deps.stream` replaces stderr (tests).
 */
export function createLogger(config: LoggerConfig, deps: { stream?: DestinationStream } = {}): Logger {
  return pino(
    {
      name: config.name,
      level: config.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    },
    deps.stream ?? destination({ dest: 2, sync: true }),
  );
}

/** A logger that says nothing. */
export const createSilentLogger = (): Logger => pino({ level: 'silent' });
