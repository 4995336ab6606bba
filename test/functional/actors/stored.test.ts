/** Actors in ClickHouse: rows as they stand, and a state in parts that survives a save that ended half-way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actorLines } from '../../../cli/actors.ts';
import { type ActorStateStore, createActorState } from '../../../responder/actor-state.ts';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import { createStore } from '../../../runtime/clickhouse/store.ts';
import { insertActors, insertSnapshotParts, readActors } from '../../../runtime/clickhouse/stored-actors.ts';
import {
  insertManifest,
  partName,
  readManifests,
  removeStatesBefore,
} from '../../../runtime/clickhouse/stored-manifests.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { crowd, eventOf, findingEvent } from '../../unit/actors/events.ts';
import { noClickHouse, startTestServer, type TestServer } from '../clickhouse/server.ts';

const NOW = Date.now();
const CONFIG = {
  ...ACTORS_DEFAULTS,
  learnMs: 600_000,
  maxClients: 40_000,
  maxUsers: 5_000,
  maxObjects: 16_384,
  maxRecent: 8_192,
};
let server: TestServer;

const manifestsOf = (owner: string): Pick<ActorStateStore, 'saveManifest' | 'loadManifests' | 'removeBefore'> => ({
  saveManifest: (manifest) => insertManifest(server.clickhouse, manifest),
  loadManifests: () => readManifests(server.clickhouse),
  removeBefore: (generation) => removeStatesBefore(server.clickhouse, owner, generation),
});

/** A crowd, then somebody who reads the orders of others and sends an attack. */
function take(actors = createActors(CONFIG, 7)): { actors: typeof actors; records: ActorRecord[] } {
  const from = NOW - 4_000_000;
  const records: ActorRecord[] = [];
  const events = crowd(3, 4_000, from);
  for (let n = 0; n < 40; n++)
    events.push(
      eventOf({ atMs: NOW - 60_000 + n * 1_000, client: '203.0.113.5', user: 'mallory', orders: [1_000 + n * 7] }),
    );
  events.push(findingEvent({ atMs: NOW, client: '203.0.113.5', user: 'mallory' }, {}));
  for (const event of events) records.push(...actors.take(event, event.atMs));
  return { actors, records };
}

describe.skipIf(noClickHouse)('actors in ClickHouse', () => {
  beforeAll(async () => {
    server = await startTestServer({});
  });
  afterAll(() => server?.stop());

  it('stand once a subject, however often their rows were written, with risk, stages and what they did', async () => {
    const { records } = take();
    for (let i = 0; i < 2; i++) await insertActors(server.clickhouse, records);
    const rows = await readActors(server.clickhouse, { minRisk: 20, limit: 10 });
    const user = rows.find(({ subject }) => subject === 'user')!;
    expect(user).toMatchObject({ key: 'mallory', abuses: ['object-enumeration'], client_address: '203.0.113.5' });
    expect(user.stages).toEqual(expect.arrayContaining(['access', 'probing']));
    expect(user.techniques).toContain('T1190');
    expect(user.seen.length).toBeGreaterThan(0);
    expect(user.risk).toBeGreaterThan(40);
    expect(rows.filter(({ subject, key }) => subject === 'user' && key === 'mallory')).toHaveLength(1);
    const text = actorLines(user).join('\n');
    expect(text).toContain('user mallory  object-enumeration');
    expect(text).toContain('users behind the address');
    expect(await readActors(server.clickhouse, { minRisk: 100, limit: 10 })).toEqual([]);
  });

  it('are over a bound no longer once their alarm ended', async () => {
    const { actors, records } = take();
    const last = NOW + 4_200_000;
    for (const event of crowd(5, 10, NOW + 30_000, 460_000)) records.push(...actors.take(event, event.atMs));
    const ended = records.filter(({ endedMs }) => endedMs !== undefined);
    expect(ended.map(({ subject }) => subject.key)).toContain('mallory');
    expect(ended[0]!.endedMs).toBeLessThanOrEqual(last);
    await insertActors(server.clickhouse, records);
    const [row] = await server.rows<{ abuses: string[]; abuses_ended: string[]; seen: string[] }>(
      "SELECT abuses, abuses_ended, seen FROM spanwarden.actors_latest WHERE key = 'mallory'",
    );
    expect(row).toMatchObject({ abuses: [], abuses_ended: ['object-enumeration'] });
    expect(row!.seen.length).toBeGreaterThan(0);
  });

  it('are over a bound no longer when nothing was told of it for a day, though no row says it ended', async () => {
    const base = take().records.find(({ subject, abuse }) => subject.kind === 'user' && abuse !== '')!;
    // as an earlier version left them, or an owner whose state was lost
    const hour = 3_600_000;
    const rows = [
      { ...base, id: 'long ago', subject: { kind: 'user', key: 'olga' }, atMs: NOW - 30 * 24 * hour },
      { ...base, id: 'today', subject: { kind: 'user', key: 'tom' }, atMs: NOW - 20 * hour },
    ] as const;
    await insertActors(server.clickhouse, rows);
    expect(
      await server.rows(
        "SELECT key, abuses, abuses_ended FROM spanwarden.actors_latest WHERE key IN ('olga', 'tom') ORDER BY key",
      ),
    ).toEqual([
      { key: 'olga', abuses: [], abuses_ended: ['object-enumeration'] },
      { key: 'tom', abuses: ['object-enumeration'], abuses_ended: [] },
    ]);
  });

  it('keep their state in parts; a save that ended half-way leaves the one before, damage is noticed', async () => {
    const { clickhouse } = server;
    let failing = false;
    const deps: ActorStateStore = {
      ...manifestsOf('actors'),
      saveParts: async (parts: Parameters<typeof insertSnapshotParts>[2]) => {
        await server.store.saveSnapshotParts('actors', parts);
        if (failing) throw new Error('ended half-way');
      },
      loadParts: (names: readonly string[]) => server.store.loadSnapshotParts('actors', names),
    };
    const { actors } = take();
    const state = createActorState(deps, Date.now);
    await state.save(41, actors.snapshot(), () => true);
    const first = actors.status();
    failing = true;
    const more = eventOf({ atMs: NOW + 5_000, client: '203.0.113.99' });
    actors.take(more, more.atMs);
    await expect(state.save(42, actors.snapshot(), () => true)).rejects.toThrow('half-way');
    failing = false;

    const again = createActors(CONFIG, 7);
    expect(await createActorState(deps, Date.now).load(() => again.restore)).toBe(41);
    expect(again.status()).toEqual(first);
    expect(again.take(more, more.atMs)).toEqual([]);
    expect(again.status()).toEqual(actors.status());

    // an unchanged state writes nothing but what changed
    actors.forgetKept();
    state.forget();
    await state.save(43, actors.snapshot(), () => true);
    const { writtenBytes } = await state.save(44, actors.snapshot(), () => true);
    expect(writtenBytes).toBe(0);

    // a damaged part: the state before it stands; and none where that is damaged too
    const [newest, before] = await readManifests(clickhouse);
    expect([newest!.nextOffset, before!.nextOffset]).toEqual([44, 43]);
    const manifest = JSON.parse(newest!.state) as { parts: { name: string; place: number }[] };
    const { name, place } = manifest.parts.find((part) => part.name.startsWith('full/'))!;
    const stored = partName(newest!.generation, newest!.writer, name);
    await insertSnapshotParts(
      clickhouse,
      'actors',
      [{ name: stored, place, bytes: 'KLUv/QAAAQAA' }],
      Date.now() + 1_000,
    );
    const damaged: string[] = [];
    await expect(
      createActorState(deps, Date.now).load(
        () => createActors(CONFIG, 7).restore,
        ({ code }) => damaged.push(code),
      ),
    ).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' });
    expect(damaged.length).toBeGreaterThan(1);
    await removeStatesBefore(clickhouse, 'actors', Number.MAX_SAFE_INTEGER);
    expect(await readManifests(clickhouse)).toEqual([]);
    expect(await deps.loadParts([stored])).toEqual([]);
  });

  it('go over to a machine whose clock is behind: what it keeps stands', async () => {
    const owner = 'handed over';
    const storeAt = (aheadMs: number) => {
      const store = createStore(server.clickhouse, {
        redactor: createRedactor(redactionSection.parse({})),
        redactVerdict: (verdict) => verdict,
        now: () => NOW + aheadMs,
      });
      return createActorState(
        {
          ...manifestsOf(owner),
          saveParts: (parts) => store.saveSnapshotParts(owner, parts),
          loadParts: (names) => store.loadSnapshotParts(owner, names),
        },
        Date.now,
      );
    };
    const part = (text: string) => [{ name: 'meta', bytes: Buffer.from(text) }];
    const ahead = storeAt(120_000);
    for (const [offset, text] of [
      [1, 'a'],
      [2, 'b'],
    ] as const)
      await ahead.save(offset, part(text), () => true);
    const behind = storeAt(0);
    expect(await behind.load(() => () => {})).toBe(2);
    for (const [offset, text] of [
      [3, 'c'],
      [4, 'd'],
      [5, 'd'],
    ] as const)
      await behind.save(offset, part(text), () => true);
    const restored: string[] = [];
    expect(
      await storeAt(-60_000).load(
        () =>
          ({ bytes }) =>
            restored.push(Buffer.from(bytes).toString()),
      ),
    ).toBe(5);
    expect(restored).toEqual(['d']);
    // of the machine before nothing is left
    const { clickhouse } = server;
    expect((await readManifests(clickhouse)).map(({ nextOffset }) => nextOffset)).toEqual([5, 4]);
  });
});
