/** Segments from plain nested objects, for unit tests of everything that reads a Segment. */
import { SpanKind } from '../../../schemas/otlp/fields.ts';
import {
  createSegment,
  NO_CLIENT,
  reserveParameters,
  reserveSpans,
  reserveValues,
} from '../../../traces/reading/columns.ts';
import { fillSelfTimes } from '../../../traces/reading/self-time.ts';
import { type EntryReason, Outcome, ParameterSource, type Segment, type Symbols } from '../../../traces/segment.ts';

export interface PlainParameter {
  readonly source: keyof typeof ParameterSource;
  readonly name: string;
  readonly value: string;
}

export interface PlainSpan {
  readonly service: string;
  readonly operation: string;
  /** service.version of its resource. */
  readonly version?: string;
  /** Default `server`. */
  readonly kind?: keyof typeof SpanKind;
  readonly peer?: string;
  /** Default `ok`. */
  readonly outcome?: keyof typeof Outcome;
  readonly httpStatus?: number;
  /** Its parent is not in the segment; give it as a child of the entry. */
  readonly orphan?: boolean;
  /** From the entry's start; default: after the sibling before, else at the parent's start. */
  readonly startMs?: number;
  /** Default: 1 ms, or as long as its children take. */
  readonly durationMs?: number;
  readonly parameters?: readonly PlainParameter[];
  readonly children?: readonly PlainSpan[];
}

export interface SegmentFacts {
  readonly traceId?: string;
  readonly entryReason?: EntryReason;
  readonly asynchronous?: boolean;
  readonly appendMs?: number;
  readonly startMs?: number;
  readonly truncated?: boolean;
  readonly serviceVersion?: string;
  readonly sampleWeight?: number;
  readonly client?: string;
  readonly user?: string;
  readonly into?: Segment;
}

interface Placed {
  readonly span: PlainSpan;
  readonly parent: number;
  readonly startMs: number;
  readonly durationMs: number;
}

function place(span: PlainSpan, parent: number, earliestMs: number, out: Placed[]): number {
  const startMs = span.startMs ?? earliestMs;
  const index = out.length;
  out.push({ span, parent, startMs, durationMs: 0 });
  let nextMs = startMs;
  for (const child of span.children ?? []) nextMs = place(child, index, nextMs, out);
  const durationMs = span.durationMs ?? Math.max(1, nextMs - startMs);
  out[index] = { span, parent, startMs, durationMs };
  return startMs + durationMs;
}

const encoder = new TextEncoder();

/** The segment of a tree: columns as the reader gives them (pre-order as written; give `startMs` in order). */
export function segmentOf(symbols: Symbols, tree: PlainSpan, facts: SegmentFacts = {}): Segment {
  const placed: Placed[] = [];
  place(tree, -1, 0, placed);
  const segment = facts.into ?? createSegment(symbols);
  const count = placed.length;
  reserveSpans(segment, count);
  segment.traceId = facts.traceId ?? '0af7651916cd43dd8448eb211c80319c';
  segment.entrySpanId = '0000000100000001';
  segment.entryReason = facts.entryReason ?? 'root';
  segment.asynchronous = facts.asynchronous ?? false;
  segment.startMs = facts.startMs ?? 1_750_000_000_000;
  segment.appendMs = facts.appendMs ?? segment.startMs + 1_000;
  segment.spanCount = count;
  segment.truncated = facts.truncated ?? false;
  segment.serviceVersion = symbols.intern(facts.serviceVersion ?? '');
  segment.sampleWeight = facts.sampleWeight ?? 1;
  segment.producers = [];
  segment.client =
    facts.client === undefined
      ? NO_CLIENT
      : {
          ...NO_CLIENT,
          address: facts.client,
          source: 'peer',
          confidence: 'high',
          reason: '',
          entrySpanId: segment.entrySpanId,
          entryTraceId: segment.traceId,
          user: facts.user ?? null,
        };

  const parameterCount = placed.reduce((sum, { span }) => sum + (span.parameters?.length ?? 0), 0);
  reserveParameters(segment, parameterCount);
  segment.parameterCount = parameterCount;
  let parameter = 0;
  let valueEnd = 0;
  const lastChild = new Int32Array(count).fill(-1);
  for (let i = 0; i < count; i++) {
    const { span, parent, startMs, durationMs } = placed[i]!;
    const kind = SpanKind[span.kind ?? 'server'];
    segment.spanIdHigh[i] = 1;
    segment.spanIdLow[i] = i + 1;
    segment.parent[i] = parent;
    segment.orphan[i] = span.orphan === true ? 1 : 0;
    segment.firstChild[i] = -1;
    segment.nextSibling[i] = -1;
    segment.childCount[i] = 0;
    segment.service[i] = symbols.intern(span.service);
    segment.version[i] = symbols.intern(span.version ?? '');
    segment.operation[i] = symbols.intern(span.operation);
    segment.kind[i] = kind;
    segment.label[i] = symbols.label(segment.service[i]!, kind, segment.operation[i]!, symbols.intern(span.peer ?? ''));
    segment.outcome[i] = Outcome[span.outcome ?? 'ok'];
    segment.httpStatus[i] = span.httpStatus ?? 0;
    segment.startNs[i] = startMs * 1e6;
    segment.durationNs[i] = durationMs * 1e6;
    if (parent >= 0) {
      if (lastChild[parent]! < 0) segment.firstChild[parent] = i;
      else segment.nextSibling[lastChild[parent]!] = i;
      lastChild[parent] = i;
      segment.childCount[parent]!++;
    }
    for (const { source, name, value } of span.parameters ?? []) {
      const bytes = encoder.encode(value);
      reserveValues(segment, valueEnd + bytes.length);
      segment.values.set(bytes, valueEnd);
      segment.parameterSpan[parameter] = i;
      segment.parameterSource[parameter] = ParameterSource[source];
      segment.parameterName[parameter] = symbols.intern(name);
      segment.parameterStart[parameter] = valueEnd;
      valueEnd += bytes.length;
      segment.parameterEnd[parameter] = valueEnd;
      parameter++;
    }
  }
  fillSelfTimes(segment);
  return segment;
}
