/** What is held, as it is given out: a span's place, why a segment's first span is its entry, a segment with all its spans. */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import { hexOfPair } from '../../schemas/otlp/text.ts';
import { type EntryReason, PLACE_STRIDE, type SegmentSpans } from '../segment.ts';
import type { SpanPlace } from './contract.ts';
import { SegmentBits } from './segment-pool.ts';
import { SpanBits } from './span-pool.ts';
import type { PartitionState, Store } from './store.ts';

export interface Forms {
  placeOf(span: number): SpanPlace;
  reasonOf(segment: number): EntryReason;
  toSpans(segment: number, partition: number): SegmentSpans;
  /** The top of each held segment of the trace, the oldest first, by itself; at most 1,024. */
  topsOf(state: PartitionState, trace: number): SegmentSpans[];
}

const MAX_TOPS = 1_024;

export function createForms({ spans, segments, records, traces }: Store): Forms {
  let stamp = 0;

  function isAsynchronous(segment: number): boolean {
    const bits = spans.bits[segments.top[segment]!]!;
    const kind = bits & SpanBits.kind;
    if (kind === SpanKind.consumer) return true;
    if ((bits & SpanBits.root) === 0 || kind === SpanKind.server) return false;
    if ((bits & SpanBits.links) !== 0) return true;
    // A batch: the root receives, and its CONSUMER children link to where each message came from.
    for (let span = segments.first[segment]!; span >= 0; span = spans.nextMember[span]!) {
      if ((spans.bits[span]! & SpanBits.kind) === SpanKind.consumer) return true;
    }
    return false;
  }

  const forms: Forms = {
    placeOf: (span) => ({
      bytes: records.bytes[spans.record[span]!]!,
      resourceStart: spans.resourceStart[span]!,
      resourceEnd: spans.resourceEnd[span]!,
      spanStart: spans.spanStart[span]!,
      spanEnd: spans.spanEnd[span]!,
    }),
    reasonOf(segment) {
      const bits = spans.bits[segments.top[segment]!]!;
      const kind = bits & SpanBits.kind;
      if ((bits & SpanBits.root) !== 0) return 'root';
      const local = (bits & SpanBits.remoteKnown) !== 0 && (bits & SpanBits.remote) === 0;
      if (kind === SpanKind.consumer && !local) return 'consumer';
      if ((segments.bits[segment]! & SegmentBits.cyclic) !== 0) return 'orphan';
      if ((bits & SpanBits.remote) !== 0) return 'remote';
      if (!local && (kind === SpanKind.server || kind === SpanKind.unspecified)) return 'parent-missing';
      return 'orphan';
    },
    toSpans(segment, partition) {
      const count = segments.count[segment]!;
      const places = new Int32Array(count * PLACE_STRIDE);
      const own: Uint8Array[] = [];
      stamp++;
      const top = segments.top[segment]!;
      let at = PLACE_STRIDE;
      for (let span = segments.first[segment]!; span >= 0; span = spans.nextMember[span]!) {
        const record = spans.record[span]!;
        if (records.stamp[record] !== stamp) {
          records.stamp[record] = stamp;
          records.index[record] = own.length;
          own.push(records.bytes[record]!);
        }
        const to = span === top ? 0 : at;
        places[to] = records.index[record]!;
        places[to + 1] = spans.resourceStart[span]!;
        places[to + 2] = spans.resourceEnd[span]!;
        places[to + 3] = spans.scopeStart[span]!;
        places[to + 4] = spans.scopeEnd[span]!;
        places[to + 5] = spans.spanStart[span]!;
        places[to + 6] = spans.spanEnd[span]!;
        if (span !== top) at += PLACE_STRIDE;
      }
      return {
        traceId: traces.hex(segments.trace[segment]!),
        entrySpanId: hexOfPair(spans.idHigh[top]!, spans.idLow[top]!),
        entryReason: forms.reasonOf(segment),
        asynchronous: isAsynchronous(segment),
        partition,
        firstOffset: segments.firstOffset[segment]!,
        appendMs: segments.firstMs[segment]!,
        records: own,
        spanCount: count,
        places,
        truncated: (segments.bits[segment]! & SegmentBits.truncated) !== 0,
      };
    },
    topsOf(state, trace) {
      const tops: SegmentSpans[] = [];
      for (let segment = state.held.head; segment >= 0 && tops.length < MAX_TOPS; segment = segments.after[segment]!) {
        if (segments.trace[segment] !== trace) continue;
        const top = segments.top[segment]!;
        tops.push({
          traceId: traces.hex(trace),
          entrySpanId: hexOfPair(spans.idHigh[top]!, spans.idLow[top]!),
          entryReason: forms.reasonOf(segment),
          asynchronous: isAsynchronous(segment),
          partition: state.partition,
          firstOffset: segments.firstOffset[segment]!,
          appendMs: segments.firstMs[segment]!,
          records: [records.bytes[spans.record[top]!]!],
          spanCount: 1,
          places: Int32Array.of(
            0,
            spans.resourceStart[top]!,
            spans.resourceEnd[top]!,
            spans.scopeStart[top]!,
            spans.scopeEnd[top]!,
            spans.spanStart[top]!,
            spans.spanEnd[top]!,
          ),
          truncated: true,
        });
      }
      return tops;
    },
  };
  return forms;
}
