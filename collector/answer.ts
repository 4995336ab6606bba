/** What a sender is told: the outcome of a request, in the words of gRPC and of HTTP (opentelemetry-proto, specification.md). */
import { BackwardWriter } from '../schemas/otlp/backward-writer.ts';

/** Why a whole request was refused; also the label of the counter. */
export type Refusal =
  | 'malformed'
  | 'corrupt'
  | 'too_large'
  | 'encoding'
  | 'content_type'
  | 'timeout'
  | 'overload'
  | 'log_slow'
  | 'log_full'
  | 'log_unavailable'
  | 'stopping';

export type Answer =
  /** In the log. `problem` says why spans were rejected; '' when none was. */
  | { readonly accepted: true; readonly rejectedSpans: number; readonly problem: string }
  | { readonly accepted: false; readonly refusal: Refusal; readonly problem: string };

export const GrpcCode = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

interface Wording {
  readonly grpc: number;
  readonly http: number;
  /** Whether the sender may send it again: with RetryInfo or Retry-After. */
  readonly retry: boolean;
}

export const WORDING: Readonly<Record<Refusal, Wording>> = {
  malformed: { grpc: GrpcCode.invalidArgument, http: 400, retry: false },
  corrupt: { grpc: GrpcCode.invalidArgument, http: 400, retry: false },
  // RESOURCE_EXHAUSTED without RetryInfo: the same request will never fit
  too_large: { grpc: GrpcCode.resourceExhausted, http: 413, retry: false },
  encoding: { grpc: GrpcCode.unimplemented, http: 415, retry: false },
  content_type: { grpc: GrpcCode.invalidArgument, http: 415, retry: false },
  timeout: { grpc: GrpcCode.deadlineExceeded, http: 408, retry: false },
  overload: { grpc: GrpcCode.unavailable, http: 429, retry: true },
  log_slow: { grpc: GrpcCode.unavailable, http: 429, retry: true },
  log_full: { grpc: GrpcCode.unavailable, http: 429, retry: true },
  log_unavailable: { grpc: GrpcCode.unavailable, http: 503, retry: true },
  stopping: { grpc: GrpcCode.unavailable, http: 503, retry: true },
};

const EMPTY = Buffer.alloc(0);

/** ExportTraceServiceResponse: empty on full success, else partial_success {rejected_spans, error_message}. */
export function encodeResponse(rejectedSpans: number, problem: string): Buffer {
  if (rejectedSpans === 0) return EMPTY;
  const out = new BackwardWriter(problem.length + 32);
  out.text(2, problem);
  out.varint64(1, 0, rejectedSpans);
  out.message(1, 0);
  return Buffer.from(out.finish());
}

/** google.rpc.Status {code, message, details}; with `retryMs` a RetryInfo among the details. */
export function encodeStatus(code: number, message: string, retryMs?: number): Buffer {
  const out = new BackwardWriter(message.length + 128);
  if (retryMs !== undefined) {
    const nanos = (retryMs % 1_000) * 1_000_000;
    if (nanos > 0) out.uint32(2, nanos);
    if (retryMs >= 1_000) out.uint32(1, Math.floor(retryMs / 1_000));
    out.message(1, 0); // RetryInfo.retry_delay
    out.message(2, 0); // Any.value
    out.text(1, 'type.googleapis.com/google.rpc.RetryInfo');
    out.message(3, 0);
  }
  out.text(2, message);
  out.uint32(1, code);
  return Buffer.from(out.finish());
}
