/** Jaeger and Zipkin as the window sees them: what a value of theirs holds, and what becomes of a trace that is together. */
import { readJaegerTrace } from './jaeger.ts';
import type { ImportedSpan } from './otlp-shape.ts';
import { splitShared } from './shared-spans.ts';
import { isObject } from './values.ts';
import { zipkinToOtlp } from './zipkin.ts';
import { joinParts, readZipkinSpan, type ZipkinSpan } from './zipkin-span.ts';

/** Spans of one value of an input. */
export interface ReadValue<T> {
  readonly spans: readonly T[];
  readonly rejected: number;
  /** Each with its place inside the value. */
  readonly problems: readonly string[];
}

export interface TraceFormat<T> {
  /** Whether a value is what the format's list holds. */
  wanted(value: unknown): boolean;
  read(value: unknown): ReadValue<T>;
  traceIdOf(span: T): string;
  /** Nanoseconds; undefined = unknown. */
  startOf(span: T): bigint | undefined;
  /** The spans of one trace, as far as the window brought them together. */
  toOtlp(spans: readonly T[]): readonly ImportedSpan[];
}

const nothing = (problem: string): ReadValue<never> => ({ spans: [], rejected: 0, problems: [problem] });

/** Values one after another, each problem with the value's place. */
function readAll<T>(values: readonly unknown[], what: string, read: (value: unknown) => ReadValue<T>): ReadValue<T> {
  const spans: T[] = [];
  const problems: string[] = [];
  let rejected = 0;
  for (let i = 0; i < values.length; i++) {
    const one = read(values[i]);
    for (const span of one.spans) spans.push(span);
    for (const problem of one.problems) problems.push(`${what} ${i + 1}: ${problem}`);
    rejected += one.rejected;
  }
  return { spans, rejected, problems };
}

export const jaegerFormat: TraceFormat<ImportedSpan> = {
  wanted: (value) => isObject(value) && (Array.isArray(value.spans) || 'spanID' in value),
  read(value) {
    if (Array.isArray(value)) return readAll(value, 'trace', jaegerFormat.read);
    if (!isObject(value)) return nothing('no trace');
    if (Array.isArray(value.data)) return readAll(value.data, 'trace', jaegerFormat.read);
    const errors = Array.isArray(value.errors) ? value.errors : [];
    if (errors.length > 0) return nothing(`an answer with errors: ${JSON.stringify(errors)}`);
    return readJaegerTrace(value) ?? nothing('no trace: it has no spans');
  },
  traceIdOf: ({ span }) => span.traceId,
  startOf: ({ span }) => (span.startTimeUnixNano === undefined ? undefined : BigInt(span.startTimeUnixNano)),
  toOtlp(spans) {
    splitShared(spans);
    return spans;
  },
};

export const zipkinFormat: TraceFormat<ZipkinSpan> = {
  wanted: (value) => isObject(value) && 'traceId' in value && 'id' in value,
  read(value) {
    if (Array.isArray(value)) return readAll(value, 'span', zipkinFormat.read);
    const span = readZipkinSpan(value);
    return typeof span === 'string' ? { ...nothing(span), rejected: 1 } : { spans: [span], rejected: 0, problems: [] };
  },
  traceIdOf: ({ traceId }) => traceId,
  startOf: ({ start }) => start,
  toOtlp(parts) {
    const spans = joinParts(parts).map(zipkinToOtlp);
    splitShared(spans);
    return spans;
  },
};
