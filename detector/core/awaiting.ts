/**
 * Verdicts of asynchronous segments that wait for their origin: asked for when first judged, told without it when the wait is over,
 * amended when it becomes known, as long as the segment is held.
 */
import type { OriginAnswer, OriginAsk } from '../../schemas/log/origin.ts';
import type { OriginState, Verdict } from '../../schemas/log/verdict.ts';
import { isFinding, withOrigins } from './attributed.ts';
import { createGathering, type Gathering, type Producer } from './gathering.ts';
import type { OriginAnswerer } from './origins.ts';

export interface Awaiting {
  /** `pending` when it was never asked for. */
  stateOf(key: string): OriginState;
  /** The verdict judged now, with what was answered before; `producers` as they are now. */
  amended(key: string, verdict: Verdict, producers: readonly Producer[]): Verdict;
  /** It was judged, and is stored: asks for what was not asked for yet. Findings are told once the wait is over. */
  question(verdict: Verdict, asked: Asked): void;
  answered(answer: OriginAnswer): void;
  /** Its findings were told. */
  wasTold(key: string): boolean;
  advance(partition: number, streamMs: number): void;
  /** First offset of the partition's segments that still wait. */
  floor(partition: number): number;
  /** The assembler holds the segment no more. */
  forgotten(key: string): void;
  /** The segment became part of another. */
  drop(key: string): void;
  dropAll(partition: number): void;
}

export interface Asked {
  readonly segmentsPerDay: number;
  /** The verdict is worth telling. */
  readonly finding: boolean;
  readonly producers: readonly Producer[];
  /** Span ids of its own PRODUCER spans. */
  readonly producerSpans: readonly string[];
  /** Stream time, and append time of what is written now: the first lags behind while old records are read. */
  readonly streamMs: number;
  readonly logMs: number;
}

export interface AwaitingSink {
  ask(ask: OriginAsk): void;
  store(verdict: Verdict, spans: null, stored: 'all'): void;
  finding(verdict: Verdict, segmentsPerDay: number): void;
}

interface Waiting {
  verdict: Verdict;
  readonly segmentsPerDay: number;
  readonly producerSpans: readonly string[];
  /** Clients answered so far; they amend the verdict at once when all have answered, or when the wait is over. */
  readonly gathering: Gathering;
  /** Producers that came since it was judged last. */
  unasked: readonly Producer[];
  /** Stream time at which its findings are said whether or not the origin is known. */
  readonly dueMs: number;
  /** Stream time until which an answer may still come: the question stands at the end of the log. */
  readonly keepMs: number;
  /** Its findings were said, with or without an origin. */
  told: boolean;
  /** The assembler holds the segment no more: this ends with the wait. */
  forgotten: boolean;
}

/** Segments that wait for their origin; beyond it, while a backlog is read, the oldest go without. */
const MAX_WAITING = 20_000;

/** Of a segment, by its trace and entry span. */
export const keyOf = (traceId: string, entrySpanId: string): string => traceId + entrySpanId;

export function createAwaiting(
  originWaitMs: number,
  sink: AwaitingSink,
  origins: Pick<OriginAnswerer, 'remember'>,
): Awaiting {
  const waiting = new Map<string, Waiting>();
  const pending = new Set<Waiting>();

  function askFor({ traceId, entrySpanId }: Verdict, producers: readonly Producer[]): void {
    for (const { traceId: producerTraceId, spanId: producerSpanId } of producers)
      sink.ask({ traceId, entrySpanId, depth: 1, producerTraceId, producerSpanId });
  }

  function amend(entry: Waiting): void {
    entry.verdict = withOrigins(entry.verdict, entry.gathering.clients, entry.gathering.complete);
    tellAmended(entry);
    rememberOrigin(entry);
  }

  function rememberOrigin({ verdict, producerSpans }: Waiting): void {
    if (producerSpans.length === 0) return;
    origins.remember(verdict.partition, verdict.traceId, {
      entrySpanId: verdict.entrySpanId,
      producerSpans,
      clients: verdict.origins,
      state: verdict.originState,
    });
  }

  function tellAmended(entry: Waiting): void {
    sink.store(entry.verdict, null, 'all');
    if (!entry.told && !isFinding(entry.verdict)) return;
    entry.told = true;
    sink.finding(entry.verdict, entry.segmentsPerDay);
  }

  /** Nothing is awaited for it any more; an answer that comes nevertheless counts while the segment is held. */
  function leave(entry: Waiting): void {
    pending.delete(entry);
    if (entry.verdict.originState === 'pending') amend(entry);
    if (entry.forgotten) waiting.delete(keyOf(entry.verdict.traceId, entry.verdict.entrySpanId));
  }

  function drop(key: string): void {
    const entry = waiting.get(key);
    if (entry === undefined) return;
    waiting.delete(key);
    pending.delete(entry);
  }

  return {
    stateOf: (key) => waiting.get(key)?.verdict.originState ?? 'pending',
    amended(key, verdict, producers) {
      const entry = waiting.get(key);
      if (entry === undefined) return verdict;
      const { gathering } = entry;
      entry.unasked = gathering.add(producers);
      if (entry.verdict.originState === 'pending') return verdict;
      return withOrigins(verdict, gathering.clients, gathering.complete);
    },
    question(verdict, { segmentsPerDay, finding, producers, producerSpans, streamMs, logMs }) {
      const key = keyOf(verdict.traceId, verdict.entrySpanId);
      const before = waiting.get(key);
      if (before !== undefined) {
        before.verdict = verdict;
        askFor(verdict, before.unasked);
        if (before.told || (finding && verdict.originState !== 'pending')) {
          before.told = true;
          sink.finding(verdict, segmentsPerDay);
        }
        return;
      }
      const entry: Waiting = {
        verdict,
        segmentsPerDay,
        producerSpans,
        gathering: createGathering(),
        unasked: [],
        dueMs: streamMs + originWaitMs,
        keepMs: Math.max(streamMs, logMs) + originWaitMs,
        told: false,
        forgotten: false,
      };
      waiting.set(key, entry);
      pending.add(entry);
      askFor(verdict, entry.gathering.add(producers));
      if (pending.size > MAX_WAITING) leave(pending.values().next().value!);
    },
    /** One amendment for all producers of a batch: its revision says that the origin is known, not how much of it. */
    answered(answer) {
      const entry = waiting.get(keyOf(answer.traceId, answer.entrySpanId));
      if (entry === undefined) return;
      const { gathering } = entry;
      const fresh = gathering.take(answer);
      if (gathering.clients.length === 0) return; // unknown so far: the wait says so
      const { originState } = entry.verdict;
      const answeredAll = gathering.awaited === 0 || originState !== 'pending';
      if (answeredAll && (fresh || originState === 'pending')) amend(entry);
      if (gathering.awaited === 0) leave(entry);
    },
    wasTold: (key) => waiting.get(key)?.told === true,
    advance(partition, streamMs) {
      for (const entry of pending) {
        if (entry.verdict.partition !== partition || entry.dueMs > streamMs) continue;
        if (entry.verdict.originState === 'pending') amend(entry);
        if (entry.keepMs <= streamMs) leave(entry);
      }
    },
    floor(partition) {
      let lowest = Number.POSITIVE_INFINITY;
      for (const { verdict } of pending) {
        if (verdict.partition === partition && verdict.firstOffset < lowest) lowest = verdict.firstOffset;
      }
      return lowest;
    },
    forgotten(key) {
      const entry = waiting.get(key);
      if (entry === undefined) return;
      if (pending.has(entry)) entry.forgotten = true;
      else waiting.delete(key);
    },
    drop,
    dropAll(partition) {
      for (const [key, { verdict }] of waiting) if (verdict.partition === partition) drop(key);
    },
  };
}
