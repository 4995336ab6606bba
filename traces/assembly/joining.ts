/** A span that comes: it joins its parent's segment, or opens one; segments whose top waited for it join it. */
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import { SpanFlags, SpanKind } from '../../schemas/otlp/fields.ts';
import { pairToMs } from '../../schemas/otlp/read-span.ts';
import { hexOfPair } from '../../schemas/otlp/text.ts';
import { isPlausible } from '../reading/times.ts';
import type { ForeignTest, SpanPlace } from './contract.ts';
import type { Deadlines } from './deadlines.ts';
import type { Entries } from './entries.ts';
import type { Forms } from './forms.ts';
import type { SpanAt } from './record-walk.ts';
import { SegmentBits } from './segment-pool.ts';
import { SpanBits } from './span-pool.ts';
import type { AssemblyStats } from './stats.ts';
import type { PartitionState, Store } from './store.ts';
import type { Telling } from './telling.ts';
import { TraceFlags } from './trace-table.ts';

export interface Joining {
  /** A record of `at.bytes` is read now. */
  begin(state: PartitionState, offset: number, appendMs: number): void;
  /** The span in `at`. */
  take(): void;
  /** The record is read: the segments that it opened are scheduled, as most have merged before. */
  end(): void;
}

export interface JoiningDeps {
  readonly at: SpanAt;
  readonly store: Store;
  readonly forms: Forms;
  readonly stats: AssemblyStats;
  readonly deadlines: Deadlines;
  readonly telling: Telling;
  readonly entries: Entries;
  readonly isForeign: ForeignTest | undefined;
}

/** No row yet: the span that is being read. */
const IN_HEAD = -1;

export function createJoining(config: AssemblyConfig, deps: JoiningDeps): Joining {
  const { at, store, forms, stats, telling, entries, isForeign } = deps;
  const { schedule } = deps.deadlines;
  const { maxSpansPerSegment, maxSegmentsPerTrace } = config;
  const { spans, segments, records, traces } = store;
  const { head } = at;
  /** Segments opened by the record being read, with their generations. */
  const fresh: number[] = [];

  // Of the record being read.
  let current: PartitionState;
  let recordRow = -1;
  let recordOffset = 0;
  let recordMs = 0;

  function take(): void {
    const trace = traces.take(current.partition, at.bytes, head.traceIdStart);
    if (spans.find(trace, head.spanIdHigh, head.spanIdLow) >= 0) {
      stats.duplicateSpans++;
      return;
    }
    const bits = bitsOf();
    const local = (bits & (SpanBits.remoteKnown | SpanBits.remote)) === SpanBits.remoteKnown;
    // A CONSUMER span opens a segment, unless it is known to hang in its own process: a message of a batch.
    let isEntry = (bits & SpanBits.root) !== 0 || (head.kind === SpanKind.consumer && !local);
    let parent = isEntry ? -1 : spans.find(trace, head.parentHigh, head.parentLow);
    if (parent >= 0 && isForeignAt(bits, IN_HEAD, parent, recordMs)) {
      stats.entriesForeign++;
      isEntry = true;
      parent = -1;
    }
    if (parent >= 0) addTo(spans.segment[parent]!, trace, bits);
    else open(trace, bits, isEntry);
  }

  function bitsOf(): number {
    let bits: number = head.kind;
    if ((head.flags & SpanFlags.hasIsRemote) !== 0) {
      bits |= SpanBits.remoteKnown;
      if ((head.flags & SpanFlags.isRemote) !== 0) bits |= SpanBits.remote;
    }
    if (head.linkCount > 0) bits |= SpanBits.links;
    if (head.parentHigh === 0 && head.parentLow === 0) bits |= SpanBits.root;
    return bits;
  }

  function addTo(segment: number, trace: number, bits: number): void {
    if (segments.count[segment]! >= maxSpansPerSegment) {
      turnAway(trace, segment);
      return;
    }
    const span = takeRow(trace, bits);
    store.addMember(segment, span);
    touch(segment);
    adopt(span);
  }

  function open(trace: number, bits: number, isEntry: boolean): void {
    const full = (traces.flags[trace]! & TraceFlags.full) !== 0;
    const tooMany = isEntry
      ? traces.entries[trace]! >= maxSegmentsPerTrace
      : traces.undecided[trace]! >= maxSpansPerSegment;
    if (tooMany || (full && !isEntry && (bits & SpanBits.remote) === 0)) {
      if (tooMany) {
        stats.overflowSpans++;
        telling.reused(current, trace, recordOffset, recordMs);
      } else stats.truncatedSpans++;
      tellSpanAlone(trace);
      if (traces.held[trace] === 0) traces.give(trace);
      return;
    }
    const span = takeRow(trace, bits);
    const endMs = isPlausible(head.endHigh) ? pairToMs(head.endHigh, head.endLow) : 0;
    const segment = store.open(current, span, recordOffset, recordMs, endMs);
    fresh.push(segment, segments.generation[segment]!);
    if (isEntry) entries.make(current, segment);
    else if (head.parentHigh === head.spanIdHigh && head.parentLow === head.spanIdLow) {
      segments.bits[segment]! |= SegmentBits.cyclic;
      stats.cyclicSegments++;
    } else spans.wait(span);
    adopt(span);
  }

  function takeRow(trace: number, bits: number): number {
    if (recordRow < 0) recordRow = records.take(at.bytes, recordOffset, recordMs);
    records.references[recordRow]!++;
    const span = spans.take();
    spans.idHigh[span] = head.spanIdHigh;
    spans.idLow[span] = head.spanIdLow;
    spans.parentHigh[span] = head.parentHigh;
    spans.parentLow[span] = head.parentLow;
    spans.trace[span] = trace;
    spans.record[span] = recordRow;
    spans.resourceStart[span] = at.resourceStart;
    spans.resourceEnd[span] = at.resourceEnd;
    spans.scopeStart[span] = at.scopeStart;
    spans.scopeEnd[span] = at.scopeEnd;
    spans.spanStart[span] = head.start;
    spans.spanEnd[span] = head.end;
    spans.bits[span] = bits;
    spans.index(span);
    stats.spans++;
    return span;
  }

  function touch(segment: number): void {
    segments.lastMs[segment] = recordMs;
    if (recordOffset >= current.silentBelow) segments.heard[segment] = 1;
    segments.bits[segment]! |= SegmentBits.dirty;
    if ((segments.bits[segment]! & SegmentBits.closed) !== 0) stats.lateSpans++;
    // Without a timer it is in `fresh` and gets one when the record is done.
    if (segments.scheduledMs[segment] !== Number.POSITIVE_INFINITY) schedule(current, segment);
  }

  // ——— segments that waited ———

  /** Segments whose top waits for `span` join its segment. */
  function adopt(span: number): void {
    const trace = spans.trace[span]!;
    const high = spans.idHigh[span]!;
    const low = spans.idLow[span]!;
    for (let top = spans.waiting(trace, high, low); top >= 0; top = spans.waiting(trace, high, low)) {
      spans.unwait(top);
      const parent = spans.segment[span]!;
      const child = spans.segment[top]!;
      if (parent === child) {
        segments.bits[parent]! |= SegmentBits.cyclic;
        stats.cyclicSegments++;
      } else if (isForeignAt(spans.bits[top]!, top, span, segments.firstMs[child]!)) {
        stats.entriesForeign++; // a segment of its own: decided when its time comes
      } else if (segments.count[parent]! + segments.count[child]! > maxSpansPerSegment) {
        stats.splitSegments++;
        markTruncated(parent);
        markTruncated(child);
        traces.flags[trace]! |= TraceFlags.full;
        // It stays a segment of its own: decided when its time comes.
      } else join(parent, child);
    }
  }

  function join(parent: number, child: number): void {
    telling.withdrawn(current, child);
    const kept = store.merge(current, parent, child);
    if (recordOffset >= current.silentBelow) segments.heard[kept] = 1;
    segments.bits[kept]! |= SegmentBits.dirty;
    segments.lastMs[kept] = recordMs;
    segments.scheduledMs[kept] = Number.POSITIVE_INFINITY;
    if (fresh.length === 0) schedule(current, kept);
    else fresh.push(kept, segments.generation[kept]!);
  }

  // ——— requests of others ———

  /** Of a SERVER span, not known to be of its parent's process, right under a SERVER or a CLIENT span. */
  function isForeignAt(bits: number, span: number, parent: number, appendMs: number): boolean {
    if (isForeign === undefined || (bits & SpanBits.kind) !== SpanKind.server) return false;
    if ((bits & (SpanBits.remoteKnown | SpanBits.remote)) === SpanBits.remoteKnown) return false;
    const above = spans.bits[parent]! & SpanBits.kind;
    if (above !== SpanKind.server && above !== SpanKind.client) return false;
    const place = span === IN_HEAD ? placeInHead() : forms.placeOf(span);
    return isForeign(place, forms.placeOf(parent), above === SpanKind.client, appendMs);
  }

  const placeInHead = (): SpanPlace => ({
    bytes: at.bytes,
    resourceStart: at.resourceStart,
    resourceEnd: at.resourceEnd,
    spanStart: head.start,
    spanEnd: head.end,
  });

  // ——— caps ———

  /** A span of a full segment. Its own children will miss it: they are given one by one too. */
  function turnAway(trace: number, segment: number): void {
    stats.truncatedSpans++;
    markTruncated(segment);
    traces.flags[trace]! |= TraceFlags.full;
    tellSpanAlone(trace);
  }

  function markTruncated(segment: number): void {
    const bits = segments.bits[segment]!;
    if ((bits & SegmentBits.truncated) !== 0) return;
    segments.bits[segment] = bits | SegmentBits.truncated | SegmentBits.dirty;
  }

  function tellSpanAlone(trace: number): void {
    if (recordOffset < current.silentBelow) return;
    const kind = head.kind;
    const root = head.parentHigh === 0 && head.parentLow === 0;
    telling.alone({
      traceId: traces.hex(trace),
      entrySpanId: hexOfPair(head.spanIdHigh, head.spanIdLow),
      entryReason: root
        ? 'root'
        : kind === SpanKind.consumer
          ? 'consumer'
          : kind === SpanKind.server
            ? 'remote'
            : 'orphan',
      asynchronous: kind === SpanKind.consumer,
      partition: current.partition,
      firstOffset: recordOffset,
      appendMs: recordMs,
      records: [at.bytes],
      spanCount: 1,
      places: Int32Array.of(0, at.resourceStart, at.resourceEnd, at.scopeStart, at.scopeEnd, head.start, head.end),
      truncated: true,
    });
  }

  return {
    begin(state, offset, appendMs) {
      current = state;
      recordRow = -1;
      recordOffset = offset;
      recordMs = appendMs;
    },
    take,
    end() {
      for (let i = 0; i < fresh.length; i += 2) {
        if (segments.generation[fresh[i]!] === fresh[i + 1]) schedule(current, fresh[i]!);
      }
      fresh.length = 0;
    },
  };
}
