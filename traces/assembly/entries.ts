/** Whether the first span of a segment is its entry: asked when its parent has not come in time. */
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import { createSpanHead, readSpanHead } from '../../schemas/otlp/read-span.ts';
import type { EdgeTest } from './contract.ts';
import type { Forms } from './forms.ts';
import { SegmentBits } from './segment-pool.ts';
import type { AssemblyStats } from './stats.ts';
import type { PartitionState, Store } from './store.ts';
import type { Telling } from './telling.ts';

export interface Entries {
  /** The top's parent did not come: false when the segment went past the cap of its trace and is gone. */
  decide(state: PartitionState, segment: number, nowMs: number): boolean;
  /** The top is an entry; false as above. */
  make(state: PartitionState, segment: number): boolean;
}

export function createEntries(
  config: AssemblyConfig,
  store: Store,
  forms: Forms,
  stats: AssemblyStats,
  telling: Telling,
  isEdge: EdgeTest | undefined,
): Entries {
  const { absenceGraceMs, maxAgeMs, maxSegmentsPerTrace } = config;
  const { spans, segments, records, traces } = store;
  const head = createSpanHead();

  function make(state: PartitionState, segment: number): boolean {
    const trace = segments.trace[segment]!;
    if (traces.entries[trace]! >= maxSegmentsPerTrace) {
      telling.overflow(state, segment);
      return false;
    }
    traces.undecided[trace]!--;
    traces.entries[trace]!++;
    segments.bits[segment]! |= SegmentBits.decided;
    const reason = forms.reasonOf(segment);
    if (reason === 'remote') stats.entriesRemote++;
    else if (reason === 'parent-missing') stats.entriesParentMissing++;
    else if (reason === 'consumer') stats.entriesConsumer++;
    else if (reason === 'orphan') stats.entriesOrphan++;
    return true;
  }

  /** Asked at the grace, before the parent is given up. */
  function isAtEdge(segment: number): boolean {
    segments.bits[segment]! |= SegmentBits.edgeAsked;
    const reason = forms.reasonOf(segment);
    if (reason !== 'remote' && reason !== 'parent-missing') return false;
    return isEdge!(forms.placeOf(segments.top[segment]!), segments.firstMs[segment]!);
  }

  /** In a ring of parents: makes the earliest member of the ring the top. */
  function chooseTop(segment: number): void {
    const trace = segments.trace[segment]!;
    const start = segments.top[segment]!;
    let best = start;
    const parentOf = (span: number): number => spans.find(trace, spans.parentHigh[span]!, spans.parentLow[span]!);
    for (let span = parentOf(start); span >= 0 && span !== start; span = parentOf(span)) {
      if (startsBefore(span, best)) best = span;
    }
    segments.top[segment] = best;
  }

  function startsBefore(a: number, b: number): boolean {
    const time = (span: number): [number, number] => {
      readSpanHead(records.bytes[spans.record[span]!]!, spans.spanStart[span]!, spans.spanEnd[span]!, head);
      return [head.startHigh, head.startLow];
    };
    const [aHigh, aLow] = time(a);
    const [bHigh, bLow] = time(b);
    if (aHigh !== bHigh) return aHigh < bHigh;
    if (aLow !== bLow) return aLow < bLow;
    return spans.idHigh[a] === spans.idHigh[b]
      ? spans.idLow[a]! < spans.idLow[b]!
      : spans.idHigh[a]! < spans.idHigh[b]!;
  }

  return {
    make,
    decide(state, segment, nowMs) {
      const aged = nowMs >= segments.topMs[segment]! + absenceGraceMs || nowMs >= segments.firstMs[segment]! + maxAgeMs;
      if (!aged) {
        if (!isAtEdge(segment)) return true;
        stats.entriesEdge++;
      }
      if ((segments.bits[segment]! & SegmentBits.cyclic) !== 0) chooseTop(segment);
      return make(state, segment);
    },
  };
}
