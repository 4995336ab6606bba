/** What the core says, on its way into the log: kept until it is there, before anything else goes on. */
import { isRetryable } from '../runtime/errors.ts';
import type { Log, NewRecord } from '../runtime/log/port.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { ActorEvent } from '../schemas/log/actor-event.ts';
import { encodeActorEvents, mostBytes } from '../schemas/log/actor-events-codec.ts';
import { RecordKind, type TopicName } from '../schemas/log/topics.ts';
import type { Owned } from './owned.ts';
import { pause } from './waits.ts';

export interface Saying {
  /** A record for `findings`. */
  finding(record: NewRecord): void;
  /** A question about an origin, or an answer to one: a record for `spans`. */
  question(record: NewRecord): void;
  /** What was said before is not said again; of findings only what its own process does not know to have told. */
  event(partition: number, event: ActorEvent): void;
  /** Resolves when all of it is in the log. */
  say(owned: Owned): Promise<void>;
  /** The partition was taken away, or is read again. */
  drop(partition: number): void;
}

export interface SayingDeps {
  readonly log: Log;
  readonly partitions: ReadonlyMap<number, Owned>;
  /** No offset of the partition from here on may be committed: the core is not done with it. */
  floor(partition: number): number;
  isStopping(): boolean;
  readonly metrics: Metrics;
}

const RETRY_MS = 100;
/** Actor events in a record, and their bytes at most: brokers refuse records of a megabyte. */
const MAX_EVENTS = 1_000;
const MAX_EVENT_BYTES = 524_288;

export function createSaying(deps: SayingDeps): Saying {
  const { log, partitions } = deps;
  const eventsSaid = deps.metrics.counter(
    'detector_actor_events_total',
    'Events written for actors: what was asked and answered, and what was found in it',
  );
  let findings: NewRecord[] = [];
  let questions: NewRecord[] = [];
  /** By partition. */
  const events = new Map<number, ActorEvent[]>();

  async function untilLogged(topic: TopicName, records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return;
    for (;;) {
      try {
        return await log.produce(topic, records);
      } catch (error) {
        if (deps.isStopping() || !isRetryable(error)) throw error;
        await pause(RETRY_MS);
      }
    }
  }

  /** The last record says how far the partition is read now: only then all of them are in the log. */
  function actorRecords(owned: Owned): NewRecord[] {
    const { partition } = owned.assignment;
    const said = events.get(partition) ?? [];
    if (said.length === 0) return [];
    events.delete(partition);
    for (const { part } of said) eventsSaid.add(1, { part });
    const before = owned.eventsSaid ?? { partition, position: 0, step: 0 };
    if (owned.repeats === null) owned.eventsSaid = { partition, position: owned.position, step: owned.step };
    const records: NewRecord[] = [];
    for (let from = 0; from < said.length; ) {
      let to = from;
      for (let bytes = 0; to < said.length && to - from < MAX_EVENTS; to++) {
        bytes += mostBytes(said[to]!);
        if (bytes > MAX_EVENT_BYTES && to > from) break;
      }
      const reached = to < said.length ? before : (owned.eventsSaid ?? before);
      const value = encodeActorEvents(reached, said.slice(from, to));
      records.push({ kind: RecordKind.actorEvents, key: '', value, partition: 0 });
      from = to;
    }
    return records;
  }

  return {
    finding: (record) => void findings.push(record),
    question: (record) => void questions.push(record),
    event(partition, event) {
      const owned = partitions.get(partition);
      if (owned === undefined || owned.repeats?.own === false) return;
      const kept = events.get(partition);
      if (kept === undefined) events.set(partition, [event]);
      else kept.push(event);
    },
    async say(owned) {
      const { partition } = owned.assignment;
      while (findings.length > 0 || questions.length > 0 || events.has(partition)) {
        const newEvents = actorRecords(owned);
        const saidFindings = findings;
        const saidQuestions = questions;
        findings = [];
        questions = [];
        // one by one: what is in the log is not written again because the next cannot be
        await untilLogged('actor-events', newEvents);
        await untilLogged('findings', saidFindings);
        await untilLogged('spans', saidQuestions);
      }
      owned.said = Math.min(deps.floor(partition), owned.position);
    },
    drop: (partition) => void events.delete(partition),
  };
}
