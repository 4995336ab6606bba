/** What assembly takes in and gives out (ARCHITECTURE decision 5); the detector and the trainer are written against it. */
import type { SegmentSpans } from '../segment.ts';

/** Why `closed` is called: the same segment may close more than once, each time with all its spans. */
export type CloseStage = 'closed' | 'absence' | 'late';

export interface AssemblerSink {
  /**
   * A segment is ready to be judged. `closed`: entry end + grace, idle, max age or max spans. `absence`: the absence grace
   * is over and nothing came since. `late`: spans came after it closed; `absent` tells whether the absence grace is over.
   */
  closed(spans: SegmentSpans, stage: CloseStage, absent: boolean): void;
  /** A segment that was closed before is now part of another: its verdict is withdrawn. `spans` as they were last closed. */
  withdrawn(spans: SegmentSpans): void;
  /** Exactly once, after the absence grace: what the trainer learns. Spans that come later are counted, not learned. */
  settled(spans: SegmentSpans): void;
  /** A trace has more segments than allowed; told once a trace. `entries`: the entry span of each that is held, alone. */
  reused(partition: number, offset: number, appendMs: number, traceId: string, entries: readonly SegmentSpans[]): void;
  /** A closed segment is forgotten: spans that come now would open a new one. */
  forgotten(partition: number, traceId: string, entrySpanId: string): void;
}

export interface Assembler {
  /** Spans of one record (TracesData bytes; usually of one trace). False when the bytes are no TracesData: counted. */
  add(partition: number, offset: number, appendMs: number, value: Uint8Array): boolean;
  /** Stream time moved on: closes what is due. */
  advance(partition: number, streamMs: number): void;
  /** Whether the trace has a segment here that has not closed yet. */
  isOpen(traceId: string): boolean;
  /** Smallest offset whose segment is open, or closed less than `lateMs` ago; Infinity when there is none. */
  commitFloor(partition: number): number;
  /** Smallest first offset among segments that have not settled; Infinity when there is none. */
  unsettledFloor(partition: number): number;
  /** The partition was taken away: everything held for it is dropped, without a word to the sink. */
  drop(partition: number): void;
  /** Offline, at the end of the input: closes and settles everything, in order of stream time. */
  end(): void;
}
