/** The one error class: a closed list of codes, each with whether trying again can help. */

const RETRYABLE = {
  CONFIG_INVALID: false,
  PORT_TAKEN: false,
  DISK_FULL: false,
  LOG_UNAVAILABLE: true,
  LOG_FULL: true,
  LOG_FENCED: false,
  RECORD_TOO_LARGE: false,
  CLICKHOUSE_UNAVAILABLE: true,
  CLICKHOUSE_REJECTED: false,
  CLICKHOUSE_MISSING: false,
  CLICKHOUSE_LOCKED: false,
  SCHEMA_MISMATCH: false,
  BASELINE_UNKNOWN: true,
  BASELINE_DAMAGED: false,
  BASELINE_SCHEMA: false,
  OTLP_MALFORMED: false,
  OTLP_TOO_LARGE: false,
  OTLP_ENCODING: false,
  INPUT_UNREADABLE: false,
  DEPENDENCY_MISSING: false,
  DELIVERY_FAILED: true,
  TARGET_FORBIDDEN: false,
  STOPPED: false,
} as const;

export type ErrorCode = keyof typeof RETRYABLE;

export class SpanwardenError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  constructor(code: ErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'SpanwardenError';
    this.code = code;
    this.retryable = RETRYABLE[code];
  }
}

/** True when `error` is ours and a later attempt may succeed. */
export const isRetryable = (error: unknown): boolean => error instanceof SpanwardenError && error.retryable;
