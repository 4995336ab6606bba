/**
 * Who caused asynchronous work (ARCHITECTURE decision 6)? The detector that closes an asynchronous segment asks, through
 * the spans log, the owner of the producer's trace; the owner answers from what it closed, from stored verdicts, or, after a
 * wait, that it does not know, and answers again when it learns more. So chains of any depth end at the client who began
 * them, however late each link closes. Pure: time is stream time, effects go to a sink.
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
  /** Looks the producer's segment up among stored verdicts; the result comes back through `found`. */
  lookUp(ask: OriginAsk): void;
}

interface Parked {
  readonly ask: OriginAsk;
  readonly partition: number;
  /** Offset of the ask's record, or of the asking segment when it never went through the log. */
  readonly offset: number;
  dueMs: number;
  /** Stream time at which the store is asked (again); Infinity: no more. */
  lookMs: number;
  looks: number;
}

export interface OriginAnswerer {
  /** A segment of `traceId` closed, or its origin became known: it may answer parked questions. */
  remember(partition: number, traceId: string, segment: OriginSegment): void;
  /** A question arrived. `open`: the trace has open segments here. */
  ask(ask: OriginAsk, partition: number, offset: number, streamMs: number, open: boolean): void;
  /** The store's answer to `lookUp`: clients of the producer's segment, empty when it has none. One of them unknown: not all are. */
  found(ask: OriginAsk, clients: readonly ClientRecord[]): void;
  /** Nobody waits for this answer any longer: it is given with what is known. */
  hurry(ask: Pick<OriginAsk, 'traceId' | 'entrySpanId' | 'producerTraceId'>): void;
  /** Gives up on what waited too long. */
  advance(partition: number, streamMs: number): void;
  /** Smallest offset of an unanswered question of the partition; Infinity without one. */
  floor(partition: number): number;
  drop(partition: number): void;
  readonly parked: number;
  /** Questions answered without knowing: answered again when more is known. */
  readonly unsettled: number;
}

export interface OriginConfig {
  readonly waitMs: number;
  /** Closed segments remembered. */
  readonly maxRemembered: number;
  /** There is no store that could tell which segment a span is in: of several that might be it, the likeliest is taken. */
  readonly guesses?: boolean;
}

/** How long an asker can still be told more: its segment is held no longer (max age and late spans, by default a minute each). */
const UNSETTLED_MS = 120_000;
const MAX_UNSETTLED = 20_000;
/** What was closed a moment ago is not stored yet: asked for again after this. */
const LOOK_AGAIN_MS = 2_000;
const MAX_LOOKS = 2;

/** One without PRODUCER spans may have queued work too, where context is handed on by hand: it is thought of last. */
const queues = ({ producerSpans }: OriginSegment): boolean => producerSpans.length > 0;

const isKnown = ({ address, user }: ClientRecord): boolean => address !== null || user !== null;

type Question = Pick<Parked, 'ask' | 'partition'>;

interface Unsettled extends Question {
  readonly untilMs: number;
  /** Clients said so far: an answer that says no more is not given again. */
  said: number;
}

export function createOriginAnswerer(config: OriginConfig, sink: OriginSink): OriginAnswerer {
  const closed = new Map<string, { partition: number; segments: OriginSegment[] }>();
  const parked = new Map<string, Parked[]>();
  const unsettled = new Map<string, Unsettled[]>();
  const streams = new Map<number, number>();
  let parkedCount = 0;
  let unsettledCount = 0;

  const isAsker = (ask: OriginAsk, { entrySpanId }: OriginSegment): boolean =>
    ask.traceId === ask.producerTraceId && ask.entrySpanId === entrySpanId;

  const segmentsFor = (ask: OriginAsk): OriginSegment[] =>
    (closed.get(ask.producerTraceId)?.segments ?? []).filter((segment) => !isAsker(ask, segment));

  /** The segment that holds the producer span. */
  const namedBy = (ask: OriginAsk): OriginSegment | undefined =>
    segmentsFor(ask).find(({ producerSpans }) => producerSpans.includes(ask.producerSpanId));

  /**
   * A link may name any span of a trace, and an outsider may have opened further segments of the same trace: which one it
   * is in, the store tells; without one, the only segment, or the only one that nobody queued.
   */
  function guessed(ask: OriginAsk, segments = segmentsFor(ask).filter(queues)): OriginSegment | undefined {
    if (segments.length === 1) return segments[0];
    const begun = segments.filter(({ state }) => state === 'none');
    return begun.length === 1 ? begun[0] : undefined;
  }

  function tryAnswer(question: Question, open: boolean): boolean {
    const { ask } = question;
    const segment = namedBy(ask) ?? (config.guesses === true && !open ? guessed(ask) : undefined);
    if (segment === undefined || segment.state === 'pending') return false;
    // its own origin may still become known
    if (!send(ask, segment.clients, segment.state !== 'unknown') && segment.state === 'unknown')
      stayUnsettled(question, segment.clients.filter(isKnown).length);
    return true;
  }

  /** True when somebody is known behind it, and nobody else can be. */
  function send(ask: OriginAsk, clients: readonly ClientRecord[], complete: boolean): boolean {
    const known = clients.filter(isKnown).slice(0, MAX_ORIGINS);
    const settled = complete && known.length > 0 && clients.every(isKnown);
    sink.answer({
      traceId: ask.traceId,
      entrySpanId: ask.entrySpanId,
      producerTraceId: ask.producerTraceId,
      producerSpanId: ask.producerSpanId,
      clients: known,
      state: settled ? 'known' : 'unknown',
    });
    return settled;
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

  // ——— questions answered without knowing ———

  function stayUnsettled({ ask, partition }: Question, said: number): void {
    const list = unsettled.get(ask.producerTraceId) ?? [];
    list.push({ ask, partition, untilMs: (streams.get(partition) ?? 0) + UNSETTLED_MS, said });
    unsettled.delete(ask.producerTraceId); // the map's order is that of the latest question
    unsettled.set(ask.producerTraceId, list);
    unsettledCount++;
    while (unsettledCount > MAX_UNSETTLED) dropUnsettled(unsettled.keys().next().value!, () => false);
  }

  function dropUnsettled(traceId: string, keep: (entry: Unsettled) => boolean): void {
    const list = unsettled.get(traceId);
    if (list === undefined) return;
    const kept = list.filter(keep);
    unsettledCount -= list.length - kept.length;
    if (kept.length > 0) unsettled.set(traceId, kept);
    else unsettled.delete(traceId);
  }

  /** More is known of the trace than when the questions were answered. */
  function answerAgain(traceId: string): void {
    dropUnsettled(traceId, (entry) => {
      const segment = namedBy(entry.ask);
      if (segment === undefined || segment.state === 'pending') return true;
      return !tellMore(entry, segment.clients, segment.state !== 'unknown');
    });
  }

  /** True when all is said now. */
  function tellMore(entry: Unsettled, clients: readonly ClientRecord[], complete: boolean): boolean {
    const known = clients.filter(isKnown).length;
    if (known === 0 || (known <= entry.said && !complete)) return false;
    entry.said = known;
    return send(entry.ask, clients, complete);
  }

  function giveUp(entry: Parked): void {
    const named = namedBy(entry.ask);
    const likely =
      named ??
      (config.guesses === true ? (guessed(entry.ask) ?? guessed(entry.ask, segmentsFor(entry.ask))) : undefined);
    // nobody is blamed for what may be another's: those who may be behind it are listed
    const clients = likely?.clients ?? segmentsFor(entry.ask).flatMap((segment) => segment.clients);
    const complete = likely !== undefined && (likely.state === 'none' || likely.state === 'known');
    if (!send(entry.ask, clients, complete)) stayUnsettled(entry, clients.filter(isKnown).length);
  }

  return {
    remember(partition, traceId, segment) {
      const known = closed.get(traceId) ?? { partition, segments: [] };
      // what was judged by itself while its parent had not come is part of this one now
      if (known.segments.length > 0) {
        const own = new Set(segment.producerSpans);
        known.segments = known.segments.filter(
          ({ entrySpanId, producerSpans }) =>
            entrySpanId === segment.entrySpanId || !producerSpans.some((spanId) => own.has(spanId)),
        );
      }
      const at = known.segments.findIndex(({ entrySpanId }) => entrySpanId === segment.entrySpanId);
      if (at >= 0) known.segments[at] = segment;
      else if (known.segments.length < MAX_ORIGINS) known.segments.push(segment);
      closed.delete(traceId); // the map's order is the order of use
      closed.set(traceId, known);
      if (closed.size > config.maxRemembered) closed.delete(closed.keys().next().value!);
      if (parkedCount > 0) settleParked(traceId, (entry) => !tryAnswer(entry, false));
      if (unsettledCount > 0) answerAgain(traceId);
    },
    ask(ask, partition, offset, streamMs, open) {
      if (ask.depth > MAX_DEPTH) {
        send(ask, [], false);
        return;
      }
      streams.set(partition, Math.max(streamMs, streams.get(partition) ?? streamMs));
      if (tryAnswer({ ask, partition }, open)) return;
      const looks = !open && namedBy(ask) === undefined ? 1 : 0;
      const lookMs = looks > 0 && LOOK_AGAIN_MS < config.waitMs ? streamMs + LOOK_AGAIN_MS : Number.POSITIVE_INFINITY;
      park({ ask, partition, offset, dueMs: streamMs + config.waitMs, lookMs, looks });
      if (looks > 0) sink.lookUp(ask);
    },
    found(ask, clients) {
      if (!clients.some(isKnown)) return; // it may still come, or be amended: the wait decides
      settleParked(ask.producerTraceId, (entry) => {
        if (entry.ask !== ask) return true;
        send(ask, clients, true);
        return false;
      });
      // a store that took longer than the wait
      dropUnsettled(ask.producerTraceId, (entry) => entry.ask !== ask || !tellMore(entry, clients, true));
    },
    hurry({ traceId, entrySpanId, producerTraceId }) {
      settleParked(producerTraceId, (entry) => {
        if (entry.ask.traceId !== traceId || entry.ask.entrySpanId !== entrySpanId) return true;
        giveUp(entry);
        return false;
      });
    },
    advance(partition, streamMs) {
      streams.set(partition, streamMs);
      if (parkedCount > 0) {
        for (const [traceId, list] of [...parked]) {
          if (!list.some((one) => one.partition === partition && Math.min(one.dueMs, one.lookMs) <= streamMs)) continue;
          settleParked(traceId, (entry) => {
            if (entry.partition !== partition) return true;
            const due = entry.dueMs <= streamMs;
            if (!due && entry.lookMs > streamMs) return true;
            entry.lookMs = Number.POSITIVE_INFINITY;
            if (namedBy(entry.ask) === undefined && entry.looks < MAX_LOOKS && (!due || entry.looks === 0)) {
              // stored meanwhile; or the open segment was one that an earlier owner judged
              if (due) entry.dueMs = streamMs + config.waitMs;
              entry.looks++;
              sink.lookUp(entry.ask);
              return true;
            }
            if (!due) return true;
            giveUp(entry);
            return false;
          });
        }
      }
      for (const [traceId, list] of unsettled) {
        if (list.at(-1)!.untilMs > streamMs) break;
        dropUnsettled(traceId, (entry) => entry.partition !== partition || entry.untilMs > streamMs);
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
      for (const traceId of [...unsettled.keys()]) dropUnsettled(traceId, (entry) => entry.partition !== partition);
      for (const [traceId, known] of closed) if (known.partition === partition) closed.delete(traceId);
      streams.delete(partition);
    },
    get parked() {
      return parkedCount;
    },
    get unsettled() {
      return unsettledCount;
    },
  };
}
