/**
 * Who caused asynchronous work (ARCHITECTURE decision 6)? The detector that closes an asynchronous segment asks, through
 * the spans log, the owner of the producer's trace; the owner answers from what it closed, parks the question while the
 * trace is open or its own origin is unknown, and gives up after a wait. Pure: time is stream time, effects go to a sink.
 */
import type { OriginAnswer, OriginAsk } from '../../schemas/log/origin.ts';
import type { ClientRecord, OriginState } from '../../schemas/log/verdict.ts';
import { MAX_ORIGINS } from './gathering.ts';

const MAX_DEPTH = 16;

/** A closed segment as the answerer remembers it. */
export interface OriginSegment {
  readonly entrySpanId: string;
  /** Span ids of its PRODUCER spans, hex. */
  readonly producerSpans: readonly string[];
  clients: readonly ClientRecord[];
  /** `pending` while it waits for its own origin. */
  state: OriginState;
}

export interface OriginSink {
  /** Sends the answer to the asker's partition. */
  answer(answer: OriginAnswer): void;
  /** Looks the trace up among stored verdicts; the result comes back through `found`. */
  lookUp(ask: OriginAsk): void;
}

interface Parked {
  readonly ask: OriginAsk;
  readonly partition: number;
  /** Offset of the ask's record, or of the asking segment when it never went through the log. */
  readonly offset: number;
  dueMs: number;
  /** The store was asked. */
  looked: boolean;
}

export interface OriginAnswerer {
  /** A segment of `traceId` closed, or its origin became known: it may answer parked questions. */
  remember(partition: number, traceId: string, segment: OriginSegment): void;
  /** A question arrived. `open`: the trace has open segments here. */
  ask(ask: OriginAsk, partition: number, offset: number, streamMs: number, open: boolean): void;
  /** The store's answer to `lookUp`: clients of the producer's segment, empty when it has none. */
  found(ask: OriginAsk, clients: readonly ClientRecord[]): void;
  /** Gives up on what waited too long. */
  advance(partition: number, streamMs: number): void;
  /** Smallest offset of an unanswered question of the partition; Infinity without one. */
  floor(partition: number): number;
  drop(partition: number): void;
  readonly parked: number;
}

export interface OriginConfig {
  readonly waitMs: number;
  /** Closed segments remembered. */
  readonly maxRemembered: number;
}

const isKnown = ({ address, user }: ClientRecord): boolean => address !== null || user !== null;

export function createOriginAnswerer(config: OriginConfig, sink: OriginSink): OriginAnswerer {
  const closed = new Map<string, { partition: number; segments: OriginSegment[] }>();
  const parked = new Map<string, Parked[]>();
  let parkedCount = 0;

  function segmentFor(ask: OriginAsk): OriginSegment | undefined {
    const segments = closed.get(ask.producerTraceId)?.segments;
    if (segments === undefined) return undefined;
    const named = segments.find((segment) => segment.producerSpans.includes(ask.producerSpanId));
    // a link may name any span of the trace; with one segment there is no doubt which it is in
    const only = segments.filter(
      ({ entrySpanId }) => entrySpanId !== ask.entrySpanId || ask.traceId !== ask.producerTraceId,
    );
    return named ?? (only.length === 1 ? only[0] : (only.find((segment) => segment.state === 'none') ?? only[0]));
  }

  function tryAnswer(ask: OriginAsk): boolean {
    const segment = segmentFor(ask);
    if (segment === undefined || segment.state === 'pending') return false;
    send(ask, segment);
    return true;
  }

  function send(ask: OriginAsk, segment: Pick<OriginSegment, 'clients' | 'state'> | undefined): void {
    const clients = segment?.clients ?? [];
    const known = clients.filter(isKnown).slice(0, MAX_ORIGINS);
    sink.answer({
      traceId: ask.traceId,
      entrySpanId: ask.entrySpanId,
      producerTraceId: ask.producerTraceId,
      producerSpanId: ask.producerSpanId,
      clients: known,
      state: known.length > 0 && (segment?.state === 'none' || segment?.state === 'known') ? 'known' : 'unknown',
    });
  }

  function park(entry: Parked): void {
    const list = parked.get(entry.ask.producerTraceId) ?? [];
    list.push(entry);
    parked.set(entry.ask.producerTraceId, list);
    parkedCount++;
  }

  function settleParked(traceId: string, keep: (entry: Parked) => boolean): void {
    const list = parked.get(traceId);
    if (list === undefined) return;
    const kept = list.filter(keep);
    parkedCount -= list.length - kept.length;
    if (kept.length > 0) parked.set(traceId, kept);
    else parked.delete(traceId);
  }

  return {
    remember(partition, traceId, segment) {
      const known = closed.get(traceId) ?? { partition, segments: [] };
      const at = known.segments.findIndex(({ entrySpanId }) => entrySpanId === segment.entrySpanId);
      if (at >= 0) known.segments[at] = segment;
      else if (known.segments.length < MAX_ORIGINS) known.segments.push(segment);
      closed.delete(traceId); // the map's order is the order of use
      closed.set(traceId, known);
      if (closed.size > config.maxRemembered) closed.delete(closed.keys().next().value!);
      settleParked(traceId, ({ ask }) => !tryAnswer(ask));
    },
    ask(ask, partition, offset, streamMs, open) {
      if (ask.depth > MAX_DEPTH) return send(ask, undefined);
      if (!open && tryAnswer(ask)) return;
      const looked = !open && segmentFor(ask) === undefined;
      park({ ask, partition, offset, dueMs: streamMs + config.waitMs, looked });
      if (looked) sink.lookUp(ask);
    },
    found(ask, clients) {
      if (!clients.some(isKnown)) return; // it may still come, or be amended: the wait decides
      settleParked(ask.producerTraceId, (entry) => {
        if (entry.ask !== ask) return true;
        send(ask, { clients, state: 'known' });
        return false;
      });
    },
    advance(partition, streamMs) {
      for (const [traceId, list] of [...parked]) {
        if (!list.some((entry) => entry.partition === partition && entry.dueMs <= streamMs)) continue;
        settleParked(traceId, (entry) => {
          if (entry.partition !== partition || entry.dueMs > streamMs) return true;
          const segment = segmentFor(entry.ask);
          if (segment === undefined && !entry.looked) {
            // the open segment was one that an earlier owner judged: the store has its verdict
            entry.looked = true;
            entry.dueMs = streamMs + config.waitMs;
            sink.lookUp(entry.ask);
            return true;
          }
          send(entry.ask, segment);
          return false;
        });
      }
    },
    floor(partition) {
      let lowest = Infinity;
      for (const list of parked.values()) {
        for (const entry of list) if (entry.partition === partition && entry.offset < lowest) lowest = entry.offset;
      }
      return lowest;
    },
    drop(partition) {
      for (const traceId of [...parked.keys()]) settleParked(traceId, (entry) => entry.partition !== partition);
      for (const [traceId, known] of closed) if (known.partition === partition) closed.delete(traceId);
    },
    get parked() {
      return parkedCount;
    },
  };
}
