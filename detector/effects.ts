/** Where what the core says goes: rows, the log, the inventory, look-ups, counters. */
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import { encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { Verdict } from '../schemas/log/verdict.ts';
import type { Segment } from '../traces/segment.ts';
import type { ActorEvents } from './core/actor-events.ts';
import type { CoreEffects } from './core/core.ts';
import type { LookUps } from './look-ups.ts';
import type { Owned } from './owned.ts';
import type { Rows } from './rows.ts';
import type { Saying } from './saying.ts';

export interface Inventory {
  /** Facts of the segment just judged; `counted` is false when a former owner counted its calls. */
  see(segment: Segment, verdict: Verdict, counted: boolean): void;
  /** Writes what is new; may fail, and is then tried again. */
  flush(): Promise<void>;
  /** The partition was taken away, or is read again: what was not written yet is forgotten. */
  drop(partition: number): void;
}

export interface EffectsDeps {
  readonly rows: Rows;
  readonly saying: Saying;
  readonly lookUps: LookUps;
  readonly inventory: Inventory;
  readonly partitions: ReadonlyMap<number, Owned>;
  /** Nothing is kept now: it will be read again. */
  isAlertOnly(): boolean;
  /** Removes secrets from a verdict before it leaves (CONVENTIONS "Redaction"). */
  redact(verdict: Verdict): Verdict;
  /** What requests say about who made them, redacted. */
  readonly actorEvents: ActorEvents;
  readonly metrics: Metrics;
}

export interface Judged {
  readonly segments: number;
  readonly spans: number;
  /** Share of requests whose client is known with more than low confidence; work behind queues does not count. */
  readonly clientsResolved: number;
}

/** `keepsAll`: the spans of every trace are stored; if not, what a later verdict makes worth keeping is looked up. */
export function createEffects(keepsAll: boolean, deps: EffectsDeps): { effects: CoreEffects; judged(): Judged } {
  const { rows, saying, lookUps, inventory, partitions, actorEvents, metrics } = deps;
  const segmentsJudged = metrics.counter(
    'detector_segments_total',
    'Segments judged for the first time, by whether the client is known: for sure, as a guess, not at all, across a queue',
  );
  const resolved = segmentsJudged.with({ client: 'known' });
  const unsure = segmentsJudged.with({ client: 'unsure' });
  const unresolved = segmentsJudged.with({ client: 'unknown' });
  /** Asked for across a queue: not a matter of what the edge sends. */
  const queued = segmentsJudged.with({ client: 'queued' });
  const spansJudged = metrics.counter('detector_spans_total', 'Spans of segments judged for the first time');
  const findingsSaid = metrics.counter('detector_findings_total', 'Verdicts written to the findings topic');

  const effects: CoreEffects = {
    store(verdict, spans, stored) {
      if (deps.isAlertOnly()) return;
      rows.add(verdict, spans, keepsAll || stored !== 'all' ? stored : 'some');
    },
    finding(verdict, segmentsPerDay) {
      findingsSaid.add(1);
      const redacted = deps.redact(verdict);
      saying.finding({
        kind: RecordKind.verdict,
        key: verdict.id,
        value: encodeJson({ verdict: redacted, segmentsPerDay }),
      });
      const event = actorEvents.findings(redacted);
      if (event !== null) saying.event(verdict.partition, event);
    },
    collective(counts) {
      saying.finding({ kind: RecordKind.collective, key: `${counts.partition}`, value: encodeJson(counts) });
    },
    judged(counts) {
      saying.finding({ kind: RecordKind.judged, key: `${counts.partition}`, value: encodeJson(counts) });
    },
    ask(ask) {
      saying.question({ kind: RecordKind.originAsk, key: ask.producerTraceId, value: encodeJson(ask) });
    },
    answer(answer) {
      saying.question({ kind: RecordKind.originAnswer, key: answer.traceId, value: encodeJson(answer) });
    },
    lookUp(ask) {
      lookUps.add(ask);
    },
    seen(segment, verdict) {
      if (partitions.get(verdict.partition)?.repeats === null)
        saying.event(verdict.partition, actorEvents.request(segment, verdict));
      if (deps.isAlertOnly()) return; // it will be read again
      const { address, confidence } = verdict.client;
      if (verdict.asynchronous) queued.add(1);
      else if (address === null) unresolved.add(1);
      else (confidence === 'high' || confidence === 'medium' ? resolved : unsure).add(1);
      spansJudged.add(segment.spanCount);
      inventory.see(segment, verdict, !rows.isReplay(verdict));
    },
  };

  return {
    effects,
    judged() {
      const segments = segmentsJudged.value();
      const asked = segments - segmentsJudged.value({ client: 'queued' });
      const known = segmentsJudged.value({ client: 'known' });
      return { segments, spans: spansJudged.value(), clientsResolved: asked === 0 ? 0 : known / asked };
    },
  };
}
