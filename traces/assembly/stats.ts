/** Counters of assembly: every early close, late span, duplicate, truncation (ARCHITECTURE decision 5). */

export interface AssemblyStats {
  records: number;
  /** Records that are no TracesData. */
  malformedRecords: number;
  /** Spans taken into segments, without the next four. */
  spans: number;
  invalidSpans: number;
  duplicateSpans: number;
  /** Spans past a full segment, judged one by one. */
  truncatedSpans: number;
  /** Spans of segments past their trace's cap, judged one by one. */
  overflowSpans: number;
  /** Spans that came after their segment had closed. */
  lateSpans: number;
  /** Segments closed the first time, by why. */
  closedGrace: number;
  closedIdle: number;
  closedAge: number;
  closedFull: number;
  /** Closed, or forgotten before their time, because of `maxOpenBytes`. */
  closedMemory: number;
  forgottenMemory: number;
  /** Segments closed again with late spans. */
  closedLate: number;
  settled: number;
  withdrawn: number;
  forgotten: number;
  /** Entries that are no roots. */
  entriesRemote: number;
  entriesParentMissing: number;
  entriesEdge: number;
  entriesConsumer: number;
  entriesOrphan: number;
  /** Requests of another client that name a span of this one's as their parent. */
  entriesForeign: number;
  /** Segments whose parents form a ring. */
  cyclicSegments: number;
  /** Segments kept apart because together they would be too large. */
  splitSegments: number;
  reusedTraces: number;
}

export const createAssemblyStats = (): AssemblyStats => ({
  records: 0,
  malformedRecords: 0,
  spans: 0,
  invalidSpans: 0,
  duplicateSpans: 0,
  truncatedSpans: 0,
  overflowSpans: 0,
  lateSpans: 0,
  closedGrace: 0,
  closedIdle: 0,
  closedAge: 0,
  closedFull: 0,
  closedMemory: 0,
  forgottenMemory: 0,
  closedLate: 0,
  settled: 0,
  withdrawn: 0,
  forgotten: 0,
  entriesRemote: 0,
  entriesParentMissing: 0,
  entriesEdge: 0,
  entriesConsumer: 0,
  entriesOrphan: 0,
  entriesForeign: 0,
  cyclicSegments: 0,
  splitSegments: 0,
  reusedTraces: 0,
});
