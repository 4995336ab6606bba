/**
 * Brings spans together by trace, and traces in order of time, as far as a bounded window reaches: Jaeger's and Zipkin's
 * answers come newest first, a list of Zipkin spans in any order, and stream time never goes back. Pure.
 */

export interface TraceGroup<T> {
  readonly traceId: string;
  readonly spans: readonly T[];
  readonly bytes: number;
}

export interface TraceWindow<T> {
  /** `bytes`: about what the span takes. */
  add(traceId: string, span: T, bytes: number): void;
  /** When more is held than may be: the earlier half of what is held, earliest trace first. */
  overflow(): TraceGroup<T>[];
  /** All that is held. */
  end(): TraceGroup<T>[];
}

interface Open<T> {
  readonly spans: T[];
  bytes: number;
  start: bigint | undefined;
}

/** `startOf` in nanoseconds; undefined = unknown: such a trace goes first, as nothing says that it is late. */
export function createTraceWindow<T>(maxBytes: number, startOf: (span: T) => bigint | undefined): TraceWindow<T> {
  const traces = new Map<string, Open<T>>();
  let held = 0;

  function take(most: number): TraceGroup<T>[] {
    const ordered = [...traces].sort(([, a], [, b]) => compare(a.start, b.start));
    const groups: TraceGroup<T>[] = [];
    for (let taken = 0; groups.length < ordered.length && taken < most; ) {
      const [traceId, { spans, bytes }] = ordered[groups.length]!;
      groups.push({ traceId, spans, bytes });
      traces.delete(traceId);
      taken += bytes;
      held -= bytes;
    }
    return groups;
  }

  return {
    add(traceId, span, bytes) {
      let trace = traces.get(traceId);
      if (trace === undefined) {
        trace = { spans: [], bytes: 0, start: undefined };
        traces.set(traceId, trace);
      }
      trace.spans.push(span);
      const start = startOf(span);
      if (start !== undefined && (trace.start === undefined || start < trace.start)) trace.start = start;
      trace.bytes += bytes;
      held += bytes;
    },
    overflow: () => (held > maxBytes ? take(held / 2) : []),
    end: () => take(Number.POSITIVE_INFINITY),
  };
}

function compare(a: bigint | undefined, b: bigint | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  return b === undefined || a > b ? 1 : -1;
}
