/** What assembly takes in and gives out (ARCHITECTURE decision 5); the detector and the trainer are written against it. */
import type { SegmentSpans } from '../segment.ts';
import type { AssemblyStats } from './stats.ts';

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

/** What is held now. */
export interface AssemblyGauges {
  readonly spans: number;
  readonly segments: number;
  readonly bytes: number;
}

export interface SegmentAssembler extends Assembler {
  /**
   * A partition was handed over with this offset committed. Reading may start earlier, by `warmUpMs`: segments that begin
   * below `committed` are assembled silently, as an earlier owner has judged them; so those that straddle it are whole. One
   * that gets a span at or above `committed` is judged again: the earlier owner may not have come so far.
   */
  resume(partition: number, committed: number): void;
  /** How long before a record its segment can have begun: reading on from so much earlier makes a replay exact. */
  readonly warmUpMs: number;
  readonly stats: AssemblyStats;
  gauges(): AssemblyGauges;
}

/** Where a span lies; ranges as in `SegmentSpans.places`. */
export interface SpanPlace {
  readonly bytes: Uint8Array;
  readonly resourceStart: number;
  readonly resourceEnd: number;
  readonly spanStart: number;
  readonly spanEnd: number;
}

/**
 * Whether the version lists this span's operation as an edge, where requests enter from outside with a parent that never
 * comes. `appendMs` of the segment's first record says which version. Asked once for
 * a top whose parent is missing after the grace.
 */
export type EdgeTest = (span: SpanPlace, appendMs: number) => boolean;

/**
 * Whether a SERVER span is another client's request than the span it names as its parent: what an outsider writes into
 * `traceparent` must not put his request under somebody else's. Asked of a SERVER span that is not known to be of its
 * parent's process; `underCall`: the parent is the CLIENT span of a call, else a SERVER span.
 */
export type ForeignTest = (span: SpanPlace, parent: SpanPlace, underCall: boolean, appendMs: number) => boolean;

export interface AssemblerDeps {
  readonly sink: AssemblerSink;
  readonly isEdge?: EdgeTest;
  readonly isForeign?: ForeignTest;
}
