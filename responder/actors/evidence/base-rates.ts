/**
 * How often it happens with the others: base rates by peer class, test and kind of object, learned online as upper bounds; how much
 * actors of a class differ; and how many observations a day there are, which the bound of each test comes from.
 */

import { arraySource, type PartSource } from '../parts.ts';
import { boundOf, mayAlarm } from './budget.ts';
import { byKind, CLASSES, STAND_INS, TESTS, Test } from './tests.ts';

/** Kinds of objects told apart, by class and test; further ones share the last. */
export const MAX_KINDS = 512;
const PAIRS = CLASSES * TESTS;
/**
 * Shapes of the gamma distribution of how often one actor's rate is its class's: the smaller, the more actors differ, and the more
 * an actor has to do before that can no longer be how it is (negative binomial, Greenwood & Yule 1920).
 */
export const SHAPES = [0.05, 0.1, 0.2, 0.35, 0.55, 0.8, 1.1, 1.5, 2.2, 3.5, 10] as const;
const START_SHAPE = 5;

const DAY_MS = 86_400_000;
const PUBLISH_MS = 300_000;
/** Counts are forgotten by half in so long. */
const HALF_LIFE_MS = 7 * DAY_MS;
/** A learned shape moves by one step in so long, so that no attack makes the next one look usual. */
const SHAPE_MS = 12 * 3_600_000;
/** Share of what was counted while learning that is kept where it is much. */
const SETTLED = 0.1;
/** Steps of shapes are as small as what weeks tell apart; days tell less, and what stands would come and go with chance. */
const LOSS_HALF_LIFE_MS = 7 * DAY_MS;
/** A learned rate rises by no more than this in an hour, so that no flood becomes what is usual. */
const RISE_AN_HOUR = 1.1;
/** Fewer observations than these are no learned rate: it follows what is seen. */
const MATURE = 2_000;
/** How much actors differ is learned from so many different ones that it happened with; fewer say nothing of it. */
const ENOUGH_ACTORS = 20;
/** A test that one who does nothing else, so many times in a row, does not bring to its bound finds nobody. */
const REACHED_WITHIN = 30;
/** What somebody who does nothing else is taken for (evidence.ts). */
const SURELY = 0.95;
/** From so many observations on a class is known by itself. */
const KNOWN = 1_000;
/** With fewer even what is usual is not known. */
const FEW = 100;
/** Standard errors added to a rate: 97.7 % of the time it is above the true one. */
const ERRORS = 2;

export interface BaseRates {
  /** Upper bound of how often it happens. Of what never happens the rate itself: nothing bounds it in less than a hundred days. */
  rate(peers: number, test: number, kind: number): number;
  /** The rate itself; −1 = too few observations. */
  usual(peers: number, test: number, kind: number): number;
  shape(peers: number, test: number): number;
  /** Decades of evidence that chance passes as often as the budget allows. */
  bound(peers: number, test: number): number;
  /** Observations the rate rests on. */
  support(peers: number, test: number, kind: number): number;
  /** An observation counts for the volume of tests; `weight` 0 = for nothing else. */
  add(peers: number, test: number, kind: number, hit: boolean, weight: number): void;
  /** What is no evidence but shows what is usual: an observation that does not count for the volume of tests. */
  learn(peers: number, test: number, kind: number, hit: boolean, weight: number): void;
  /** What each shape would have predicted: logarithms, −∞ never. `isFirst`: it happened with an actor with whom it did not lately. */
  addShape(peers: number, test: number, losses: Float64Array, isFirst: boolean): void;
  /** Pairs of class and test that are asked, but whose bound nobody could reach. */
  unreachable(): number;
  /** Nothing is known of this kind any more: its number is another's. */
  forgetKind(kind: number): void;
  advance(nowMs: number, learning: boolean): void;
  readonly parts: PartSource;
}

export function createBaseRates(budgetPerDay: number): BaseRates {
  const n = new Float64Array(PAIRS * MAX_KINDS);
  const k = new Float64Array(PAIRS * MAX_KINDS);
  /** What stands; 0 = as the counts say. */
  const published = new Float64Array(PAIRS * MAX_KINDS);
  const losses = new Float64Array(PAIRS * SHAPES.length);
  const shapes = new Float64Array(PAIRS).fill(START_SHAPE);
  /** Observations, forgotten by half in a day. */
  const daily = new Float64Array(PAIRS);
  /** Different actors that a shape's losses rest on; and whether the shape that stands rested on enough. */
  const differing = new Float64Array(PAIRS);
  const shapeKnown = new Uint8Array(PAIRS);
  const times = new Float64Array(5); // first, last published, now, shapes moved, learning ended
  const bounds = Float64Array.from({ length: PAIRS }, (_, pair) => boundOf(pair, 0, budgetPerDay));

  const cell = (peers: number, test: number, kind: number): number =>
    (peers * TESTS + test) * MAX_KINDS + (byKind(test) ? Math.min(kind, MAX_KINDS - 1) : 0);

  /** Of each pair, the cells that are in use: those of kinds only where it differs by them. */
  function eachCell(visit: (at: number) => void): void {
    for (let pair = 0; pair < PAIRS; pair++) {
      const end = pair * MAX_KINDS + (byKind(pair % TESTS) ? MAX_KINDS : 1);
      for (let at = pair * MAX_KINDS; at < end; at++) if (n[at] !== 0) visit(at);
    }
  }

  function backedOff(peers: number, test: number, kind: number): number {
    const at = cell(peers, test, kind);
    return isKnown(at) ? at : standIn(peers, test, kind);
  }

  /** After learning a class that becomes known is so from when its rate is published: nobody but an attack may have taught it. */
  const isKnown = (at: number): boolean => n[at]! >= KNOWN && (published[at] !== 0 || times[4] === 0);

  function standIn(peers: number, test: number, kind: number): number {
    for (const stand of STAND_INS[peers] ?? []) {
      const other = cell(stand, test, kind);
      if (isKnown(other)) return other;
    }
    return cell(peers, test, kind);
  }

  /** As for rates: how much the actors of a hardly known class differ is what it is with those that stand in, or in the middle. */
  function shapeOf(peers: number, test: number): number {
    const pair = peers * TESTS + test;
    if (shapeKnown[pair] === 1) return SHAPES[shapes[pair]!]!;
    for (const stand of STAND_INS[peers] ?? []) {
      const other = stand * TESTS + test;
      if (shapeKnown[other] === 1) return SHAPES[shapes[other]!]!;
    }
    return SHAPES[START_SHAPE];
  }

  function learn(peers: number, test: number, kind: number, hit: boolean, weight: number): void {
    if (weight === 0) return;
    const at = cell(peers, test, kind);
    n[at] = n[at]! + weight;
    if (hit) k[at] = k[at]! + weight;
  }

  /** Decades of evidence that somebody who does nothing else has after so many times. */
  function reach(rate: number, shape: number): number {
    let sum = 0;
    let lambda = 0;
    for (let k = 0; k < REACHED_WITHIN; k++) {
      sum += Math.max(0, Math.log10(SURELY / Math.min(1, rate * Math.max(1, (shape + k) / (shape + lambda)))));
      lambda += rate;
    }
    return sum;
  }

  function rateOf(peers: number, test: number, kind: number): number {
    const at = backedOff(peers, test, kind);
    if (test === Test.privileged) return (k[at]! + 1) / (n[at]! + 1);
    const stands = published[at]!;
    return stands === 0 ? upper(at) : stands;
  }

  /** Upper end of an interval around (k + 1) / (n + 1). */
  const upper = (at: number): number => Math.min(1, (k[at]! + 1 + ERRORS * Math.sqrt(k[at]! + 1)) / (n[at]! + 1));

  function publish(nowMs: number, learning: boolean): void {
    const sinceMs = nowMs - times[1]!;
    const sinceShapesMs = nowMs - times[3]!;
    times[1] = nowMs;
    const keep = 2 ** (-sinceMs / HALF_LIFE_MS);
    const rise = RISE_AN_HOUR ** Math.min(24, sinceMs / 3_600_000);
    eachCell((at) => {
      n[at] = n[at]! * keep;
      k[at] = k[at]! * keep;
      const now = upper(at);
      const before = published[at]!;
      published[at] = learning || n[at]! < KNOWN ? 0 : before === 0 ? startOf(at, now) : Math.min(now, before * rise);
    });
    const moves = learning || sinceShapesMs >= SHAPE_MS;
    if (moves) times[3] = nowMs;
    const keepLoss = 2 ** (-sinceMs / LOSS_HALF_LIFE_MS);
    const keepDaily = 2 ** (-sinceMs / DAY_MS);
    // a sum forgotten by half in a day is so many days' worth
    const days = (1 - 2 ** (-Math.max(nowMs - times[0]!, 60_000) / DAY_MS)) / Math.LN2;
    for (let pair = 0; pair < PAIRS; pair++) {
      let best = 0;
      for (let i = 0; i < SHAPES.length; i++) {
        const at = pair * SHAPES.length + i;
        losses[at] = losses[at]! * keepLoss;
        if (losses[at]! > losses[pair * SHAPES.length + best]!) best = i;
      }
      differing[pair] = differing[pair]! * keepLoss;
      if (moves && differing[pair]! >= ENOUGH_ACTORS) {
        shapes[pair] = learning ? best : toward(shapes[pair]!, best);
        shapeKnown[pair] = 1;
      }
      daily[pair] = daily[pair]! * keepDaily;
      bounds[pair] = boundOf(pair, daily[pair]! / days, budgetPerDay);
    }
  }

  /** A class that others stood in for begins where they are, and rises no faster than any; 0 = it follows its counts still. */
  function startOf(at: number, now: number): number {
    const pair = Math.floor(at / MAX_KINDS);
    const other = standIn(Math.floor(pair / TESTS), pair % TESTS, at % MAX_KINDS);
    if (other !== at) return Math.min(now, published[other] || upper(other));
    return n[at]! < MATURE ? 0 : now;
  }

  const toward = (from: number, to: number): number => from + Math.sign(to - from);

  /**
   * What came while it was learned counts less than what comes from now on: whoever has ways of their own was among it, and is held
   * against these from now on.
   */
  function settle(): void {
    eachCell((at) => {
      const keep = Math.min(1, Math.max(SETTLED, MATURE / Math.max(1, n[at]!)));
      n[at] = n[at]! * keep;
      k[at] = k[at]! * keep;
      if (n[at]! >= KNOWN) published[at] = upper(at);
    });
    differing.fill(0);
    losses.fill(0); // how much actors differ too is asked anew of those that are left
  }

  const parts = arraySource('rates', {
    n,
    k,
    published,
    losses,
    shapes,
    differing,
    shapeKnown,
    daily,
    times,
    bounds,
  });

  return {
    rate: rateOf,
    usual(peers, test, kind) {
      const at = cell(peers, test, kind);
      return n[at]! < FEW ? -1 : (k[at]! + 0.5) / (n[at]! + 1);
    },
    shape: shapeOf,
    bound: (peers, test) => bounds[peers * TESTS + test]!,
    support: (peers, test, kind) => Math.round(n[backedOff(peers, test, kind)]!),
    add(peers, test, kind, hit, weight) {
      const pair = peers * TESTS + test;
      daily[pair] = daily[pair]! + 1;
      learn(peers, test, kind, hit, weight);
    },
    learn,
    addShape(peers, test, by, isFirst) {
      if (isFirst) differing[peers * TESTS + test] = differing[peers * TESTS + test]! + 1;
      const from = (peers * TESTS + test) * SHAPES.length;
      for (let i = 0; i < SHAPES.length; i++) losses[from + i] = losses[from + i]! + by[i]!;
    },
    unreachable() {
      let count = 0;
      for (let pair = 0; pair < PAIRS; pair++) {
        const test = pair % TESTS;
        const peers = Math.floor(pair / TESTS);
        // a first use of a privileged operation comes once, not thirty times
        if (daily[pair]! < 1 || !mayAlarm(pair) || test === Test.privileged) continue;
        let least = 1;
        for (let kind = 0; kind < (byKind(test) ? MAX_KINDS : 1); kind++)
          if (n[cell(peers, test, kind)]! > 0) least = Math.min(least, rateOf(peers, test, kind));
        if (reach(least, shapeOf(peers, test)) < bounds[pair]!) count++;
      }
      return count;
    },
    forgetKind(kind) {
      for (let pair = 0; pair < PAIRS; pair++) {
        if (!byKind(pair % TESTS)) continue;
        const at = pair * MAX_KINDS + kind;
        n[at] = k[at] = published[at] = 0;
      }
    },
    advance(nowMs, learning) {
      if (times[0] === 0) {
        times[0] = nowMs;
        times[1] = nowMs;
      }
      times[2] = nowMs;
      if (!learning && times[4] === 0) {
        times[4] = nowMs;
        publish(nowMs, true);
        settle();
      }
      const everyMs = learning ? PUBLISH_MS / 30 : PUBLISH_MS;
      if (nowMs - times[1]! >= everyMs) publish(nowMs, learning);
    },
    parts,
  };
}
