/**
 * The owner of `actor-events`: takes what requests say about who made them, in the order of their one partition, and writes records of
 * actors to `findings` before anything is committed. Its state is kept with the offset it includes, and read on from there.
 */

import { SpanwardenError } from '../runtime/errors.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import { createUntilReached } from '../runtime/lifecycle/until-reached.ts';
import type { Assignment, Consumer, Log, LogRecord, NewRecord } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import { decodeActorEvents } from '../schemas/log/actor-events-codec.ts';
import type { ActorRecord } from '../schemas/log/actor-record.ts';
import { encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import { type ActorStateStore, createActorState } from './actor-state.ts';
import { type Actors, type ActorsCoreConfig, createActors } from './actors/actors.ts';

export interface ActorsStore extends ActorStateStore {
  insertActors(records: readonly ActorRecord[]): Promise<void>;
}

export interface ActorsServiceConfig extends ActorsCoreConfig {
  /** Hash seed of the installation. */
  readonly seed: number;
}

export interface ActorsDeps {
  readonly log: Log;
  readonly store: ActorsStore;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
}

export interface ActorsService extends Service {
  /** Resolves after stop(); rejects when it fails by itself. */
  readonly ended: Promise<void>;
}

const ROWS_MS = 1_000;
/** A snapshot is kept so long after the last, and a second later for each megabyte of it. */
const SNAPSHOT_MS = 5_000;
const LONGEST_SNAPSHOT_MS = 60_000;
/** Events taken before others may run. */
const EVENTS_A_TURN = 2_000;
/** Rows that wait while ClickHouse is away; the newest of each actor. */
const MOST_ROWS = 50_000;

export function createActorsService(config: ActorsServiceConfig, deps: ActorsDeps): ActorsService {
  const { log, store, logger, metrics } = deps;
  const events = metrics.counter('actors_events_total', 'Parts of events about actors taken');
  const unreadable = metrics.counter('actors_unreadable_total', 'Records of events that could not be read');
  const told = metrics.counter('actors_records_total', 'Records of actors written, by kind of abuse');
  const saves = metrics.counter('actors_snapshots_total', 'Snapshots of the actors kept, by result');
  const seconds = metrics.histogram('actors_snapshot_seconds', 'How long a snapshot took, beside the events');
  const held = metrics.histogram('actors_snapshot_held_seconds', 'Longest time a snapshot held the event loop');
  const untilReached = createUntilReached({ role: 'actors', logger, isStopping: () => stopping });
  const state = createActorState(store, deps.now);
  let actors: Actors | undefined;
  let assignment: Assignment | undefined;
  let nextOffset = 0;
  let rows = new Map<string, ActorRecord>();
  let lastRowsMs = 0;
  let lastSnapshotMs = 0;
  let snapshotEveryMs = SNAPSHOT_MS;
  let dirty = false;
  let stopping = false;
  let storeAway = false;
  let saving: Promise<void> | undefined;
  let consumer: Consumer | undefined;

  const status = () => actors?.status();
  const stops = [
    metrics.gauge('actors_full', 'Actors with signals, whose state is kept in full', () => status()?.full ?? []),
    metrics.gauge('actors_quiet', 'Actors known, by kind', () => {
      const now = status();
      if (now === undefined) return [];
      return [
        [now.clients, { kind: 'client' }],
        [now.users, { kind: 'user' }],
      ];
    }),
    metrics.gauge(
      'actors_tests_unreachable',
      'Tests of a peer class that nobody could fail, however much they did: too little is known, or it is too usual',
      () => status()?.unreachable ?? [],
    ),
    metrics.observedCounter(
      'actors_spared_total',
      'Alarms that were not told, since the same happened to others with a history',
      () => status()?.spared ?? 0,
    ),
    metrics.gauge('actors_sign_ins_down', '1 while sign-ins fail for known clients too: none is judged', () => {
      const now = status();
      return now === undefined ? [] : Number(now.signInsDown);
    }),
    metrics.observedCounter('actors_evicted_total', 'Actors given up for others, by tier', () => [
      [status()?.fullEvicted ?? 0, { tier: 'full' }],
      [status()?.quietEvicted ?? 0, { tier: 'quiet' }],
    ]),
    metrics.observedCounter(
      'actors_repeated_total',
      'Parts of events taken before: replays',
      () => status()?.repeated ?? 0,
    ),
    metrics.observedCounter(
      'actors_unknown_clients_total',
      'Requests whose client nobody can tell: neither counted as one nor blamed',
      () => status()?.unknownClients ?? 0,
    ),
  ];

  async function assigned(given: Assignment): Promise<number> {
    const fresh = () => createActors(config, config.seed);
    let from: number | null = null;
    let owned = fresh();
    try {
      from = await untilReached(() =>
        state.load(
          () => {
            owned = fresh();
            return owned.restore;
          },
          (error) => logger.error({ err: error }, 'a state of the actors is not complete: the one before it is tried'),
        ),
      );
    } catch (error) {
      if (!(error instanceof SpanwardenError) || error.code !== 'SCHEMA_MISMATCH') throw error;
      logger.error({ err: error }, 'the state of actors cannot be used: what is usual is learned again');
      state.forget();
      owned = fresh();
    }
    const { latest, earliest } = await untilReached(() => log.offsets('actor-events'));
    if (from !== null && from > latest[given.partition]!) {
      logger.error(
        { offset: from, end: latest[given.partition] },
        'the state of actors was kept beside another log: events are read from the commit in this one',
      );
      from = given.committed;
    }
    if (from !== null && from < earliest[given.partition]!)
      logger.warn(
        { offset: from, earliest: earliest[given.partition] },
        'events about actors expired before they were read',
      );
    owned.forgetKept(); // what others kept is theirs
    actors = owned;
    assignment = given;
    nextOffset = from ?? given.committed;
    dirty = false;
    rows = new Map();
    lastSnapshotMs = deps.now();
    return nextOffset;
  }

  async function take(owned: Actors, records: readonly LogRecord[]): Promise<void> {
    const found: ActorRecord[] = [];
    let since = 0;
    for (const { value, appendMs, kind } of records) {
      if (kind !== RecordKind.actorEvents) continue;
      const said = decodeActorEvents(value);
      if (said === null) {
        unreadable.add(1);
        continue;
      }
      events.add(said.length);
      for (const event of said) for (const record of owned.take(event, appendMs)) found.push(record);
      since += said.length;
      if (since < EVENTS_A_TURN) continue;
      since = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (found.length === 0) return;
    // that an alarm is over is for whoever reads rows: nobody acts on it
    const toAct = found.filter(({ endedMs }) => endedMs === undefined);
    if (toAct.length > 0) await untilReached(() => log.produce('findings', toAct.map(toLogRecord)));
    for (const record of found) {
      if (record.endedMs === undefined) told.add(1, { abuse: record.abuse === '' ? 'none' : record.abuse });
      if (rows.size < MOST_ROWS || rows.has(record.id)) rows.set(record.id, record);
      if (record.abuse !== '' && record.revision === 1)
        logger.info(
          { subject: record.subject.kind, abuse: record.abuse, evidence: record.evidence },
          'an actor is over its bound',
        );
    }
  }

  async function storeRows(): Promise<void> {
    if (rows.size === 0) return;
    const waiting = rows;
    rows = new Map();
    try {
      await store.insertActors([...waiting.values()]);
    } catch (error) {
      rows = new Map([...waiting, ...rows]);
      throw error;
    }
  }

  /** Rows every second; the state, with its offset, when it is due. Events go on meanwhile. */
  function save(force: boolean): Promise<void> {
    const nowMs = deps.now();
    const due = dirty && (force || nowMs - lastSnapshotMs >= snapshotEveryMs);
    if (saving !== undefined || !(due || force || nowMs - lastRowsMs >= ROWS_MS)) return saving ?? Promise.resolve();
    lastRowsMs = nowMs;
    saving = keep(due)
      .then(() => {
        storeAway = false;
      })
      .catch((error: unknown) => {
        if (due) saves.add(1, { result: 'failed' });
        if (!storeAway && !stopping) logger.warn({ err: error }, 'actors cannot be stored now; events are still taken');
        storeAway = true;
      })
      .finally(() => {
        saving = undefined;
      });
    return saving;
  }

  async function keep(withState: boolean): Promise<void> {
    const owner = assignment;
    if (!withState || actors === undefined || owner === undefined) return storeRows();
    const owned = actors;
    const offset = nextOffset;
    const beganMs = deps.now();
    dirty = false;
    lastSnapshotMs = beganMs;
    // the moment is now, before anything is waited for
    const parts = owned.snapshot();
    try {
      await storeRows();
      const saved = await state.save(offset, parts, () => assignment === owner && consumer?.confirmed() === true);
      snapshotEveryMs = Math.min(LONGEST_SNAPSHOT_MS, SNAPSHOT_MS + Math.floor(saved.bytes / 1_000));
      seconds.add((deps.now() - beganMs) / 1000);
      held.add(saved.longestMs / 1000);
      saves.add(1, { result: 'kept' });
      await consumer?.commit(owner, offset);
    } catch (error) {
      dirty = true;
      owned.forgetKept();
      throw error;
    }
  }

  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  ended.catch(() => {}); // whoever waits for it hears of it

  return {
    name: 'actors',
    ended,
    async start() {
      consumer = log.consumer({
        topic: 'actor-events',
        group: 'actors',
        exclusive: true,
        idleMs: 500,
        handler: {
          assigned,
          revoked() {
            assignment = undefined;
            actors = undefined;
            rows.clear();
            state.forget();
          },
          async batch(_partition, records) {
            const owned = actors;
            if (owned === undefined) return;
            await take(owned, records);
            if (actors !== owned) return; // taken away meanwhile
            nextOffset = records.at(-1)!.offset + 1;
            dirty = true;
            void save(false);
          },
          async idle() {
            if (actors !== undefined) void save(false);
          },
        },
      });
      await consumer.start();
      consumer.ended.then(end, (error: unknown) => (stopping ? end() : fail(error)));
    },
    async stop(deadlineMs) {
      if (stopping) return ended.catch(() => {});
      const endMs = deps.now() + deadlineMs;
      if (assignment !== undefined) consumer?.pause(assignment.partition);
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, Math.max(0, deadlineMs / 2));
      await Promise.race([
        (async () => {
          await saving;
          await save(true);
        })(),
        late.promise,
      ]); // what is not kept is taken again
      clearTimeout(timer);
      stopping = true;
      for (const one of stops) one();
      await consumer?.stop(Math.max(0, endMs - deps.now()));
      if (consumer === undefined) end();
    },
  };
}

const toLogRecord = (record: ActorRecord): NewRecord => ({
  kind: RecordKind.actor,
  key: record.subject.key.slice(0, 256),
  value: encodeJson(record),
  partition: 0,
});
