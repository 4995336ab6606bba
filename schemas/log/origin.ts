/** Question and answer across a link (ARCHITECTURE decision 6): who caused the work of an asynchronous segment? JSON. */
import type { ClientRecord } from './verdict.ts';

export interface OriginAsk {
  /** The asynchronous segment that asks. */
  readonly traceId: string;
  readonly entrySpanId: string;
  /** Hops so far, at most 16: a ring of links ends. */
  readonly depth: number;
  /** The producer span the segment links to or continues. */
  readonly producerTraceId: string;
  readonly producerSpanId: string;
}

export interface OriginAnswer {
  /** The asynchronous segment that asked. */
  readonly traceId: string;
  readonly entrySpanId: string;
  readonly producerTraceId: string;
  readonly producerSpanId: string;
  /** Distinct clients, at most 64; empty when unknown. */
  readonly clients: readonly ClientRecord[];
  /** `unknown`: nobody is known, or others than these may have caused it too. */
  readonly state: 'known' | 'unknown';
}
