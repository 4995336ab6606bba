/** Actors with signals, capped in number: for one more than fit the weakest of some gives way, and is counted. */
import type { SubjectKind } from '../../../schemas/log/actor-record.ts';
import type { ActorsCoreConfig } from '../config.ts';
import { leftOf } from '../evidence/evidence.ts';
import { TESTS } from '../evidence/tests.ts';
import { fromJsonBytes, jsonBytes, type Part, type PartSource } from '../parts.ts';
import { alarmLastMs, hasAlarm } from './alarms.ts';
import { FullActor } from './full-actor.ts';
import { fullActorFromJson, fullActorToJson } from './full-actor-json.ts';
import { DOUBLES, ROW_BYTES, WORDS } from './full-row.ts';
import { pointsNow } from './risk.ts';

/** Places whose columns are one buffer, and that are copied together in a snapshot. */
const LOG2_GROUP = 6;
const GROUP = 1 << LOG2_GROUP;
/** Of so many the weakest gives way; where all of these are accused, of up to so many. */
const EVICTION_LOOKS = 24;
const MOST_LOOKS = 96;
const ACCUSED = 1_000;

/** Methods all of it: an object with accessors of its own is looked up as a hash table with every call. */
export interface FullTier {
  size(): number;
  evicted(): number;
  /** The actor in a place, to be changed. */
  at(place: number): FullActor;
  /** The same, only to be looked at. */
  peek(place: number): FullActor;
  /** Gives its place; who was there is not to be touched any more. */
  add(kind: SubjectKind, key: string, firstMs: number, nowMs: number): number;
  remove(place: number): void;
  places(): IterableIterator<number>;
  readonly parts: PartSource;
}

/** `quietMs`: an alarm without new evidence for so long is over. `onEvict`: whoever knows it by its place. */
export function createFullTier(
  { maxFull, quietMs }: Pick<ActorsCoreConfig, 'maxFull' | 'quietMs'>,
  onEvict: (actor: FullActor, place: number) => void,
): FullTier {
  const actors: (FullActor | undefined)[] = [];
  const columns: ArrayBuffer[] = [];
  const free: number[] = [];
  let size = 0;
  let evicted = 0;
  let hand = 0;
  let nowMs = 0;
  const pending: boolean[] = [];
  const dirty: boolean[] = [];
  let copies: Part[] = [];

  function copy(group: number): void {
    pending[group] = false;
    const members = actors
      .slice(group * GROUP, (group + 1) * GROUP)
      .map((actor) => (actor === undefined ? null : fullActorToJson(actor)));
    copies.push({ name: `full/${group}`, bytes: jsonBytes(members) });
  }

  function touch(place: number): void {
    const group = place >>> LOG2_GROUP;
    if (pending[group] === true) copy(group);
    dirty[group] = true;
  }

  function cellsOf(place: number): Float64Array {
    columns[place >>> LOG2_GROUP] ??= new ArrayBuffer(GROUP * ROW_BYTES);
    return new Float64Array(columns[place >>> LOG2_GROUP]!, (place % GROUP) * 8 * DOUBLES, DOUBLES);
  }

  /** After the doubles of all. */
  const setsOf = (place: number): Uint32Array =>
    new Uint32Array(columns[place >>> LOG2_GROUP]!, GROUP * 8 * DOUBLES + (place % GROUP) * 4 * WORDS, WORDS);

  /**
   * Evidence in decades, and what risk says, as much as is left of them by now: who was accused and never came back is not kept for that.
   * Of who is looked at, an alarm that stands gives way to none but another.
   */
  function strength(actor: FullActor): number {
    if (actor.kind === 'everyone') return Number.POSITIVE_INFINITY;
    let most = pointsNow(actor, nowMs);
    let accused = 0;
    for (let test = 0; test < TESTS; test++) {
      most = Math.max(most, leftOf(actor.cells, test, nowMs));
      if (hasAlarm(actor, test) && nowMs - alarmLastMs(actor, test) <= quietMs) accused = ACCUSED;
    }
    return most + accused;
  }

  function giveWay(): void {
    let weakest = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let looked = 0; looked < EVICTION_LOOKS || (least >= ACCUSED && looked < MOST_LOOKS); ) {
      const actor = actors[hand];
      if (actor !== undefined) {
        looked++;
        const strong = strength(actor);
        if (strong < least) {
          least = strong;
          weakest = hand;
        }
      }
      hand = (hand + 1) % actors.length;
    }
    const actor = actors[weakest]!;
    touch(weakest); // a snapshot under way has it as it was
    onEvict(actor, weakest);
    remove(weakest);
    evicted++;
  }

  function remove(place: number): void {
    touch(place);
    actors[place] = undefined;
    free.push(place);
    size--;
  }

  return {
    size: () => size,
    evicted: () => evicted,
    at(place) {
      touch(place);
      return actors[place]!;
    },
    peek: (place) => actors[place]!,
    add(kind, key, firstMs, atMs) {
      nowMs = Math.max(nowMs, atMs);
      if (size >= maxFull) giveWay();
      const place = free.pop() ?? actors.length;
      touch(place);
      const cells = cellsOf(place).fill(0);
      actors[place] = new FullActor(kind, key, cells, setsOf(place).fill(0), firstMs, atMs);
      size++;
      return place;
    },
    remove,
    *places() {
      for (let place = 0; place < actors.length; place++) if (actors[place] !== undefined) yield place;
    },
    parts: {
      begin() {
        const groups = Math.ceil(actors.length / GROUP);
        for (let group = 0; group < groups; group++) pending[group] = true;
        copies = [];
        return { length: actors.length, free: [...free], hand, evicted, nowMs };
      },
      *rest() {
        for (let group = 0; group < pending.length; group++) {
          if (pending[group] && dirty[group] === false) {
            pending[group] = false;
            yield { name: `full/${group}`, bytes: null };
            continue;
          }
          if (pending[group]) {
            copy(group);
            dirty[group] = false;
          }
          while (copies.length > 0) yield copies.pop()!;
        }
        while (copies.length > 0) yield copies.pop()!;
      },
      forget() {
        dirty.fill(true);
      },
      restoreMeta(meta) {
        const was = meta as { length: number; free: number[]; hand: number; evicted: number; nowMs: number };
        actors.length = was.length;
        free.push(...was.free);
        hand = was.hand;
        evicted = was.evicted;
        nowMs = was.nowMs;
        size = was.length - was.free.length;
      },
      restore(name, bytes) {
        const group = Number(name.slice('full/'.length));
        const members = fromJsonBytes(bytes) as unknown[];
        members.forEach((member, i) => {
          const place = group * GROUP + i;
          if (member !== null) actors[place] = fullActorFromJson(member, cellsOf(place), setsOf(place));
        });
        dirty[group] = true;
      },
    },
  };
}
