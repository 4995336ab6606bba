import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorsStore } from '../../../responder/actor-events.ts';
import { createActorsService } from '../../../responder/actor-events.ts';
import { ACTORS_DEFAULTS } from '../../../responder/actors/actors.ts';
import type { StoredPart } from '../../../runtime/clickhouse/stored-actors.ts';
import type { StoredManifest } from '../../../runtime/clickhouse/stored-manifests.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createMemoryLog } from '../../../runtime/log/memory.ts';
import { createMemoryStore } from '../../../runtime/log/memory-store.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import { encodeActorEvents } from '../../../schemas/log/actor-events-codec.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { decodeActorRecord } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { crowd, DAY, eventOf, findingEvent, loginOf } from './events.ts';

const silent = { info() {}, warn() {}, error() {}, debug() {}, child: () => silent } as never;

const CONFIG = {
  ...ACTORS_DEFAULTS,
  learnMs: 20 * 60_000,
  maxClients: 5_000,
  maxUsers: 5_000,
  maxFull: 500,
  maxObjects: 16_384,
  maxRecent: 8_192,
  seed: 99,
};

/** How often a run went on from a state that was kept. */
let restored = 0;

/** What a store keeps, in memory; `fail` makes the next calls fail. */
function memoryState() {
  const parts = new Map<string, StoredPart>();
  const rows = new Map<string, ActorRecord>();
  let manifests: StoredManifest[] = [];
  const state = { fail: 0, saves: 0, parts, rows };
  const check = () => {
    if (state.fail-- > 0) throw new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'away');
    state.fail = Math.max(0, state.fail);
  };
  const store: ActorsStore = {
    async saveManifest(given) {
      check();
      manifests = [given, ...manifests.filter(({ writer, place }) => writer !== given.writer || place !== given.place)];
      state.saves++;
    },
    async loadManifests() {
      if (manifests.length > 0) restored++;
      return manifests;
    },
    async removeBefore(generation) {
      manifests = manifests.filter((manifest) => manifest.generation >= generation);
      for (const [key, { name }] of parts) if (Number(name.split('.')[0]) < generation) parts.delete(key);
    },
    async saveParts(given) {
      check();
      for (const part of given) parts.set(`${part.name} ${part.place}`, part);
    },
    async loadParts(names) {
      return [...parts.values()].filter(({ name }) => names.includes(name));
    },
    async insertActors(given) {
      check();
      for (const row of given) rows.set(`${row.id} ${row.revision}`, row);
    },
  };
  return { state, store };
}

/** Requests of people, an enumerating user, a stuffing network, findings, and a signal or two of everything. */
function story(): ActorEvent[] {
  const events = crowd(5, 4_000, DAY);
  const atMs = DAY + 4_000 * 500;
  for (let n = 0; n < 60; n++) {
    const at = { atMs: atMs + n * 2_000 };
    events.push(eventOf({ ...at, client: '203.0.113.5', user: 'mallory', orders: [1_000 + n * 7] }));
    events.push(loginOf(`leak${n}@mail.example`, n % 30 === 29, { ...at, client: `192.0.2.${n % 20}` }));
    if (n % 20 === 3)
      events.push(findingEvent({ ...at, client: '203.0.113.77' }, {}, { kind: 'statement', explanationKey: `s${n}` }));
    events.push(...crowd(100 + n, 3, at.atMs, 100));
  }
  return events;
}

interface Told {
  readonly id: string;
  readonly revision: number;
  readonly text: string;
}

/** Runs the service over the log, crashing after each of `crashes` records; gives what was told, each once. */
async function run(
  events: readonly ActorEvent[],
  crashes: readonly number[],
  failures = 0,
): Promise<Map<string, Told>> {
  let nowMs = DAY;
  const now = () => nowMs;
  const store = createMemoryStore({ now });
  const { state, store: clickhouse } = memoryState();
  state.fail = failures;
  const reached = { partition: 0, position: 1, step: 0 };
  const records = Array.from({ length: Math.ceil(events.length / 40) }, (_, i) => events.slice(i * 40, (i + 1) * 40));
  const start = async () => {
    const log = createMemoryLog({ now, store });
    const metrics = createMetrics();
    const service = createActorsService(CONFIG, { log, store: clickhouse, logger: silent, metrics, now });
    await log.start();
    await log.ensureTopic('actor-events', { partitions: 1, retentionMs: 864_000_000 });
    await log.ensureTopic('findings', { partitions: 1, retentionMs: 864_000_000 });
    await service.start();
    await log.settled();
    return { log, service };
  };
  let running = await start();
  for (let i = 0; i < records.length; i++) {
    const batch = records[i]!;
    nowMs = Math.max(nowMs, batch.at(-1)!.atMs);
    await running.log.produce('actor-events', [
      { kind: RecordKind.actorEvents, key: '', partition: 0, value: encodeActorEvents(reached, batch) },
    ]);
    await running.log.tick();
    if (!crashes.includes(i)) continue;
    // every other crash comes when a state was kept since the last, the others whatever is under way
    const before = state.saves;
    // compression is done by other threads, which may have to wait for a processor
    for (let turn = 0; i % 2 === 0 && state.saves === before && turn < 20_500; turn++)
      await new Promise((resolve) => (turn < 20_000 ? setImmediate(resolve) : setTimeout(resolve, 1)));
    running.log.crash();
    running = await start();
    for (let turn = 0; turn < 4; turn++) await running.log.tick();
  }
  nowMs += 120_000;
  for (let turn = 0; turn < 20; turn++) await running.log.tick();
  const told = new Map<string, Told>();
  const all = await running.log.read('findings', 0, 0, 100_000);
  for (const { value } of all) {
    const record = decodeActorRecord(value)!;
    const key = `${record.id} ${record.revision}`;
    const text = JSON.stringify(record);
    if (told.has(key)) expect(told.get(key)!.text).toBe(text); // said again word for word
    told.set(key, { id: record.id, revision: record.revision, text });
  }
  await running.service.stop(1_000);
  await running.log.stop(1_000);
  return told;
}

describe('the owner of the events about actors', () => {
  it('tells the same records whatever crashed in between, and nothing twice over', async () => {
    const events = story();
    const straight = await run(events, []);
    expect([...straight.values()].map(({ text }) => (JSON.parse(text) as ActorRecord).abuse)).toEqual(
      expect.arrayContaining(['object-enumeration', 'credential-stuffing', '']),
    );
    const records = Math.ceil(events.length / 40);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(records - 1), { minLength: 1, maxLength: 5 }),
        fc.nat(3),
        async (crashes, failures) => {
          const again = await run(events, crashes, failures);
          expect([...again.keys()].sort()).toEqual([...straight.keys()].sort());
          for (const [key, { text }] of again) expect(text).toBe(straight.get(key)!.text);
        },
      ),
      { numRuns: 3, seed: 3 },
    );
    expect(restored).toBeGreaterThan(0);
  });
});
