/**
 * Origins across queues inside one run of offline scoring: the live detector's questions and answers without a log between
 * them. An asynchronous segment may be judged before the request that queued its work, as services export apart.
 */
import type { ClientRecord, Verdict } from '../schemas/log/verdict.ts';
import { SpanKind } from '../schemas/otlp/fields.ts';
import { type Segment, spanIdHex } from '../traces/segment.ts';
import { withOrigins } from './core/attributed.ts';
import { createGathering, type Gathering } from './core/gathering.ts';
import { createOriginAnswerer } from './core/origins.ts';

export interface OfflineOrigins {
  /** A segment of known origin was judged: others may have been caused by it. */
  remember(segment: Segment, clients: readonly ClientRecord[]): void;
  /** Asks who caused the segment at hand; `settled` hears of its verdict once: when all is known, or the wait is over. */
  ask(segment: Segment, verdict: Verdict): void;
  advance(streamMs: number): void;
  /** The segment can no longer change: its wait is over. */
  forgotten(traceId: string, entrySpanId: string): void;
  end(): void;
}

interface Waiting {
  readonly verdict: Verdict;
  readonly producerSpans: readonly string[];
  /** Whom it asks about. */
  readonly producers: Segment['producers'];
  readonly gathering: Gathering;
}

const PARTITION = 0;
const MOST_REMEMBERED = 200_000;
/** Stream time moves with every record; who waited too long is looked for this often. */
const STEP_MS = 1_000;

export function createOfflineOrigins(waitMs: number, settled: (verdict: Verdict) => void): OfflineOrigins {
  const waiting = new Map<string, Waiting>();
  /** Its wait is over. */
  function give(key: string, { verdict, producers }: Waiting): void {
    const { traceId, entrySpanId } = verdict;
    for (const producerTraceId of new Set(producers.map((one) => one.traceId)))
      answerer.hurry({ traceId, entrySpanId, producerTraceId });
    const entry = waiting.get(key); // settled, where all is known now
    if (entry !== undefined) settle(key, entry);
  }
  const answerer = createOriginAnswerer(
    { waitMs, maxRemembered: MOST_REMEMBERED, guesses: true },
    {
      answer(answer) {
        const key = answer.traceId + answer.entrySpanId;
        const entry = waiting.get(key);
        if (entry === undefined) return;
        entry.gathering.take(answer);
        if (entry.gathering.awaited === 0) settle(key, entry);
      },
      lookUp: () => undefined, // there is no store: what was not read yet may still come
    },
  );
  let streamMs = Number.NEGATIVE_INFINITY;

  function settle(key: string, { verdict, producerSpans, gathering }: Waiting): void {
    waiting.delete(key);
    const amended = withOrigins(verdict, gathering.clients, gathering.complete);
    settled(amended);
    keep(amended, producerSpans);
  }

  function keep(
    { traceId, entrySpanId, originState: state, origins, client }: Verdict,
    producerSpans: readonly string[],
  ) {
    if (producerSpans.length === 0) return;
    const clients = origins.length > 0 ? origins : [client];
    answerer.remember(PARTITION, traceId, { entrySpanId, producerSpans, clients, state });
  }

  return {
    remember(segment, clients) {
      const { traceId, entrySpanId } = segment;
      // also one without PRODUCER spans: a link may name any span, as where context is handed on by hand
      const producerSpans = producersOf(segment);
      answerer.remember(PARTITION, traceId, { entrySpanId, producerSpans, clients, state: 'none' });
    },
    ask(segment, verdict) {
      const { traceId, entrySpanId } = verdict;
      const gathering = createGathering();
      const producers = gathering.add(segment.producers);
      const entry = { verdict, producerSpans: producersOf(segment), producers, gathering };
      waiting.set(traceId + entrySpanId, entry);
      keep(verdict, entry.producerSpans);
      for (const { traceId: producerTraceId, spanId: producerSpanId } of producers) {
        const ask = { traceId, entrySpanId, depth: 1, producerTraceId, producerSpanId };
        answerer.ask(ask, PARTITION, 0, streamMs, false);
      }
    },
    advance(now) {
      if (now < streamMs + STEP_MS) return;
      streamMs = now;
      answerer.advance(PARTITION, now);
    },
    forgotten(traceId, entrySpanId) {
      const key = traceId + entrySpanId;
      const entry = waiting.get(key);
      if (entry !== undefined) give(key, entry);
    },
    end() {
      for (const [key, entry] of [...waiting]) give(key, entry);
    },
  };
}

function producersOf(segment: Segment): string[] {
  const ids: string[] = [];
  for (let i = 0; i < segment.spanCount; i++) {
    if (segment.kind[i] === SpanKind.producer) ids.push(spanIdHex(segment, i));
  }
  return ids;
}
