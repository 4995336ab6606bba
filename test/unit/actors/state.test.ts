/** The state of the owner of the actors over hand-overs: clocks that differ, owners that still write, and parts that are damaged. */
import { describe, expect, test } from 'vitest';
import { type ActorStateStore, createActorState } from '../../../responder/actor-state.ts';
import type { StoredPart } from '../../../runtime/clickhouse/stored-actors.ts';
import type { StoredManifest } from '../../../runtime/clickhouse/stored-manifests.ts';

const isOwner = () => true;

/** Rows as ReplacingMergeTree keeps them: of parts the one written last by its writer's clock, of manifests the highest offset. */
function shared() {
  const parts = new Map<string, { part: StoredPart; written: number }>();
  const manifests = new Map<string, StoredManifest>();
  let clock = 0;
  let removals = 0;
  const world = {
    parts,
    failRemovals: 0,
    /** What is done while an owner waits for its parts to be kept. */
    between: async (): Promise<void> => {},
    get removals() {
      return removals;
    },
    owner(aheadMs: number) {
      const store: ActorStateStore = {
        async saveManifest(manifest) {
          manifests.set(`${manifest.generation} ${manifest.writer} ${manifest.place}`, manifest);
        },
        async loadManifests() {
          return [...manifests.values()].sort((a, b) => b.generation - a.generation || b.nextOffset - a.nextOffset);
        },
        async saveParts(given) {
          for (const part of given) {
            const key = `${part.name} ${part.place}`;
            const written = ++clock + aheadMs;
            if (written >= (parts.get(key)?.written ?? 0)) parts.set(key, { part, written });
          }
          const { between } = world;
          world.between = async () => {};
          await between();
        },
        async loadParts(names) {
          return [...parts.values()].map(({ part }) => part).filter(({ name }) => names.includes(name));
        },
        async removeBefore(generation) {
          removals++;
          if (world.failRemovals-- > 0) throw new Error('away');
          for (const [key, manifest] of manifests) if (manifest.generation < generation) manifests.delete(key);
          for (const [key, { part }] of parts) if (Number.parseInt(part.name, 10) < generation) parts.delete(key);
        },
      };
      return createActorState(store, () => 0);
    },
  };
  return world;
}

const encoder = new TextEncoder();
const stateOf = (meta: string, users: string, clients = 'the same') => [
  { name: 'clients/0', bytes: encoder.encode(clients) },
  { name: 'users/0', bytes: encoder.encode(users) },
  { name: 'meta', bytes: encoder.encode(meta) },
];

async function read(world: ReturnType<typeof shared>) {
  const damaged: string[] = [];
  let found: Record<string, string> = {};
  const offset = await world.owner(0).load(
    () => {
      found = {};
      return ({ name, bytes }) => {
        found[name] = new TextDecoder().decode(bytes);
      };
    },
    (error) => damaged.push(error.code),
  );
  return { offset, found, damaged };
}

describe('the state of actors', () => {
  test('is that of the new owner, however far the clock of the one before was ahead', async () => {
    const world = shared();
    const before = world.owner(120_000);
    for (let n = 1; n <= 6; n++) await before.save(n, stateOf(`a${n}`, `a${n}`), isOwner);
    const after = world.owner(0);
    expect(await after.load(() => () => {})).toBe(6);
    // users change at first and then not any more, so that an early part is named by every later state
    for (let n = 7; n <= 20; n++) await after.save(n, stateOf(`b${n}`, `b${Math.min(n, 9)}`), isOwner);
    expect(await read(world)).toEqual({
      offset: 20,
      found: { meta: 'b20', 'users/0': 'b9', 'clients/0': 'the same' },
      damaged: [],
    });
  });

  test('is not spoiled by a former owner that still writes, nor by one that took over at the same time', async () => {
    for (const progressed of [9, 30]) {
      const world = shared();
      const former = world.owner(60_000);
      await former.save(5, stateOf('a5', 'a5'), isOwner);
      const [one, other] = [world.owner(0), world.owner(0)];
      expect(await one.load(() => () => {})).toBe(5);
      expect(await other.load(() => () => {})).toBe(5);
      for (let n = 6; n <= 8; n++) {
        // every save of the new owner meets one of the others half-way
        world.between = async () => {
          await other.save(n, stateOf(`o${n}`, `o${n}`), isOwner);
          await former.save(progressed + n, stateOf(`f${n}`, `f${n}`), isOwner).catch(() => {});
        };
        await one.save(n, stateOf(`b${n}`, `b${n}`), isOwner);
      }
      await one.save(9, stateOf('b9', 'b9'), isOwner);
      expect(await read(world)).toMatchObject({ offset: 9, found: { meta: 'b9', 'users/0': 'b9' }, damaged: [] });
    }
  });

  test('goes on from the last complete one where a part is damaged or a save ended half-way', async () => {
    const world = shared();
    const owner = world.owner(0);
    for (let n = 1; n <= 4; n++) await owner.save(n, stateOf(`m${n}`, `u${n}`), isOwner);
    world.between = async () => Promise.reject(new Error('ended half-way'));
    await expect(owner.save(5, stateOf('m5', 'u5'), isOwner)).rejects.toThrow('half-way');
    expect(await read(world)).toMatchObject({ offset: 4, found: { meta: 'm4', 'users/0': 'u4' }, damaged: [] });

    // one after the other, until the newest state is hit: what is read then is the whole state before it, and nothing of another
    let result = await read(world);
    for (const name of [...world.parts.keys()].filter((one) => one.includes('users/0'))) {
      const kept = world.parts.get(name)!;
      world.parts.delete(name);
      result = await read(world);
      if (result.damaged.length > 0) break;
      world.parts.set(name, kept);
    }
    expect(result).toEqual({
      offset: 3,
      found: { meta: 'm3', 'users/0': 'u3', 'clients/0': 'the same' },
      damaged: ['SCHEMA_MISMATCH'],
    });
    // where none is complete it says so, and what is kept from then on stands
    for (const [key, { part, written }] of world.parts)
      if (key.includes('clients/0')) world.parts.set(key, { part: { ...part, bytes: 'KLUv/QAAAQAA' }, written });
    const anew = world.owner(0);
    await expect(anew.load(() => () => {})).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' });
    await anew.save(1, stateOf('new', 'new'), isOwner);
    expect(await read(world)).toMatchObject({ offset: 1, found: { meta: 'new' } });
  });

  test('of owners before is removed when two own ones stand, and again when that failed', async () => {
    const world = shared();
    await world.owner(0).save(1, stateOf('a', 'a'), isOwner);
    const owner = world.owner(0);
    await owner.load(() => () => {});
    world.failRemovals = 1;
    await owner.save(2, stateOf('b', 'b'), isOwner);
    expect(world.removals).toBe(0);
    for (let n = 3; n <= 6; n++) await owner.save(n, stateOf(`b${n}`, 'b'), isOwner);
    expect(world.removals).toBe(2);
    expect([...world.parts.keys()].filter((key) => !key.startsWith('1.'))).toEqual([]);
    expect([...world.parts.keys()].filter((key) => key.includes('meta'))).toHaveLength(3);
    // a state that nobody owns any more is not kept
    await expect(owner.save(7, stateOf('late', 'late'), () => false)).rejects.toMatchObject({ code: 'STOPPED' });
    expect((await read(world)).offset).toBe(6);
  });
});
