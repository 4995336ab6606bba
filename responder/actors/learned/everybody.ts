/**
 * What happens to everybody at the same time is nobody's doing: sign-ins that fail for known clients too, paths and objects that known
 * actors miss too. Only those with a history are asked, of whom no attacker has many. Bounded.
 */
import { linearCount, setBit } from '../bits.ts';
import { arraySource, type PartSource } from '../parts.ts';

/** Windows of both lengths, so that a busy site is not asked for minutes and a quiet one is asked at all. */
const LENGTHS_MS = [60_000, 300_000] as const;
/** Words of a set of clients. */
const WORDS = 32;
/** Fewer known clients that fail are no outage; nor is a smaller share of them, nor one that is usual here. */
const FEWEST_FAILING = 8;
const LEAST_SHARE = 0.25;
const TIMES_USUAL = 3;
const LEARN = 0.1;
/** So long after it was seen last an outage may go on. */
const LINGER_MS = 300_000;
/** Things missed, and who missed them last. */
const SLOTS = 1 << 12;
const GONE_S = 3_600;
/** So many other known actors. */
const OTHERS = 3;
const RING = 1 << 11;

export interface Everybody {
  /** A sign-in of a known client. */
  signIn(client: number, succeeded: boolean, nowMs: number): void;
  /** Whether sign-ins fail for known clients now. */
  isDown(nowMs: number): boolean;
  /** Somebody missed a thing, by its hash. */
  missed(thing: number, actor: number, isKnown: boolean, nowS: number): void;
  /** Whether most of what this one missed since then is missed by known others by now. */
  isCommon(actor: number, sinceS: number, nowS: number): boolean;
  readonly parts: PartSource;
}

export function createEverybody(): Everybody {
  /** By length: this window and the one before; failed and succeeded. */
  const sets = new Uint32Array(LENGTHS_MS.length * 4 * WORDS);
  /** By length: when its window began, usual share of those that fail; then when an outage was seen last. */
  const times = new Float64Array(2 * LENGTHS_MS.length + 1);
  const things = new Uint32Array(SLOTS);
  const whoMissed = new Uint32Array(SLOTS);
  const whenS = new Uint32Array(SLOTS);
  /** Last misses: actor, thing, time. */
  const ring = new Uint32Array(3 * RING + 1);
  const DOWN = 2 * LENGTHS_MS.length;

  const setAt = (length: number, before: number, failed: number): number => (length * 4 + before * 2 + failed) * WORDS;

  function turn(length: number, nowMs: number): void {
    const lasts = LENGTHS_MS[length]!;
    const passed = nowMs - times[2 * length]!;
    if (passed < lasts) return;
    const { failed, all } = counts(length);
    const usual = times[2 * length + 1]!;
    if (all >= FEWEST_FAILING && !isOver(length)) times[2 * length + 1] = usual + LEARN * (failed / all - usual);
    times[2 * length] = nowMs;
    if (passed < 2 * lasts) sets.copyWithin(setAt(length, 1, 0), setAt(length, 0, 0), setAt(length, 0, 0) + 2 * WORDS);
    else sets.fill(0, setAt(length, 1, 0), setAt(length, 1, 0) + 2 * WORDS);
    sets.fill(0, setAt(length, 0, 0), setAt(length, 0, 0) + 2 * WORDS);
  }

  function counts(length: number): { failed: number; all: number } {
    const of = (failed: number): number =>
      linearCount(sets, setAt(length, 0, failed), WORDS) + linearCount(sets, setAt(length, 1, failed), WORDS);
    const failed = of(1);
    return { failed, all: failed + of(0) };
  }

  function isOver(length: number): boolean {
    const { failed, all } = counts(length);
    const usual = times[2 * length + 1]!;
    return failed >= FEWEST_FAILING && failed >= all * Math.min(0.9, Math.max(LEAST_SHARE, TIMES_USUAL * usual));
  }

  function isShared(thing: number, actor: number, nowS: number): boolean {
    const slot = thing & (SLOTS - 1);
    if (things[slot] !== thing || nowS - whenS[slot]! > GONE_S) return false;
    let bits = whoMissed[slot]! & ~(1 << (actor >>> 27));
    let others = 0;
    for (; bits !== 0; bits &= bits - 1) others++;
    return others >= OTHERS;
  }

  return {
    signIn(client, succeeded, nowMs) {
      for (let length = 0; length < LENGTHS_MS.length; length++) {
        turn(length, nowMs);
        setBit(sets, setAt(length, 0, succeeded ? 0 : 1), 5, client);
        if (!succeeded && isOver(length)) times[DOWN] = nowMs;
      }
    },
    isDown: (nowMs) => times[DOWN] !== 0 && nowMs - times[DOWN]! <= LINGER_MS,
    missed(thing, actor, isKnown, nowS) {
      if (isKnown) {
        const slot = thing & (SLOTS - 1);
        if (things[slot] !== thing || nowS - whenS[slot]! > GONE_S) whoMissed[slot] = 0;
        things[slot] = thing;
        whoMissed[slot] = whoMissed[slot]! | (1 << (actor >>> 27));
        whenS[slot] = nowS;
      }
      const at = 3 * (ring[3 * RING]! % RING);
      ring[at] = actor;
      ring[at + 1] = thing;
      ring[at + 2] = nowS;
      ring[3 * RING] = (ring[3 * RING]! + 1) % RING;
    },
    isCommon(actor, sinceS, nowS) {
      let all = 0;
      let common = 0;
      for (let at = 0; at < 3 * RING; at += 3) {
        if (ring[at] !== actor || ring[at + 2]! < sinceS) continue;
        all++;
        if (isShared(ring[at + 1]!, actor, nowS)) common++;
      }
      return common > 0 && 2 * common >= all;
    },
    parts: arraySource('everybody', { sets, times, things, whoMissed, whenS, ring }),
  };
}
