/**
 * Operations as small numbers, and which of them few may use: those that configured patterns name, and those that a tiny group has
 * used again and again while everybody else never did.
 */
import { hasBit, linearCount, setBit } from '../bits.ts';
import { mix } from '../hash.ts';
import { arraySource, type PartSource } from '../parts.ts';

/** Operations told apart. */
export const MAX_OPERATIONS = 4_096;
/** All that have no number of their own, and those of them that declared patterns name: what is declared holds for any number of paths. */
const OTHERS = MAX_OPERATIONS - 1;
const OTHER_DECLARED = MAX_OPERATIONS - 2;
const WORDS = 32;
/** Used at least so often, by at least two and at most so many actors and this share of them: restricted. */
const USES = 20;
const MOST_ACTORS = 60;
const MOST_SHARE = 0.01;
/** By so many different actors: established. Of the others, whose paths anybody can make up, the longest unused gives way. */
const ESTABLISHED_BY = 2;
/** Unused for so long, an established one is an old deployment's. */
const FORGOTTEN_S = 30 * 86_400;

export interface Operations {
  /** Number of an operation from 0; one for all those, or all declared ones, that no place is left for. */
  idOf(service: string, operation: string): number;
  /** Whether it names a path: what does not may be any. */
  namesPath(id: number): boolean;
  isRestricted(id: number): boolean;
  /** By the configuration. */
  isDeclared(id: number): boolean;
  /** Whether this actor, by hash, has used it before, as far as is remembered. */
  knows(id: number, actor: number): boolean;
  /** A successful use; the actor's first, or one more. */
  used(id: number, actor: number): void;
  usedAgain(id: number): void;
  advance(nowMs: number): void;
  readonly parts: PartSource;
}

const REVIEW_MS = 60_000;
/** Of each actor: by one alone one in thirty strangers would seem to be of a few dozen who use it. */
const BITS = 2;
const secondOf = (actor: number): number => mix(actor ^ 0x5bd1e995);

/** `patterns`: `[METHOD ]/path`, `*` stands for anything, case does not matter. */
export function createOperations(patterns: readonly string[]): Operations {
  const matchers = patterns.map(patternExpression);
  const perService = new Map<string, Map<string, number>>();
  const names: (readonly [service: string, operation: string])[] = [];
  const paths = new Uint8Array(MAX_OPERATIONS);
  const named = new Uint8Array(MAX_OPERATIONS);
  const restricted = new Uint8Array(MAX_OPERATIONS);
  const uses = new Uint32Array(MAX_OPERATIONS);
  /** Different actors that were answered, as far as told apart; at most 255. */
  const users = new Uint8Array(MAX_OPERATIONS);
  const lastS = new Uint32Array(MAX_OPERATIONS);
  const actors = new Uint32Array(MAX_OPERATIONS * WORDS);
  const everybody = new Uint32Array(2_048);
  const times = new Float64Array(2); // reviewed, now
  const arrays = arraySource('operations', { restricted, uses, users, lastS, actors, everybody, times });
  named[OTHER_DECLARED] = 1;

  const isNamed = (operation: string): boolean => matchers.some((matcher) => matcher.test(operation));
  const nowS = (): number => Math.floor(times[1]! / 1000);

  function add(service: string, operation: string): number {
    const id = names.length < OTHER_DECLARED ? names.length : displaced();
    if (id < 0) return isNamed(operation) ? OTHER_DECLARED : OTHERS;
    place(id, service, operation);
    return id;
  }

  function place(id: number, service: string, operation: string): void {
    names[id] = [service, operation];
    let own = perService.get(service);
    if (own === undefined) {
      own = new Map();
      perService.set(service, own);
    }
    own.set(operation, id);
    paths[id] = operation.includes('/') ? 1 : 0;
    named[id] = isNamed(operation) ? 1 : 0;
  }

  /** A place whose operation gives way: nobody's and forgotten ones first, of these and of the others the longest unused; −1 when all are established and in use. */
  function displaced(): number {
    let id = -1;
    let lowest = Number.POSITIVE_INFINITY;
    const forgottenS = nowS() - FORGOTTEN_S;
    for (let other = 0; other < OTHER_DECLARED; other++) {
      const isInUse = users[other]! > 0 && lastS[other]! > forgottenS;
      if (isInUse && users[other]! >= ESTABLISHED_BY) continue;
      const worth = (isInUse ? 4_294_967_296 : 0) + lastS[other]!;
      if (worth >= lowest) continue;
      lowest = worth;
      id = other;
    }
    if (id < 0) return -1;
    const [service, operation] = names[id]!;
    const own = perService.get(service)!;
    own.delete(operation);
    if (own.size === 0) perService.delete(service);
    uses[id] = users[id] = restricted[id] = 0;
    actors.fill(0, id * WORDS, (id + 1) * WORDS);
    return id;
  }

  function review(): void {
    const all = linearCount(everybody, 0, everybody.length);
    for (let id = 0; id < names.length; id++) {
      const by = linearCount(actors, id * WORDS, WORDS) / BITS;
      restricted[id] = uses[id]! >= USES && by >= 2 && by <= Math.min(MOST_ACTORS, all * MOST_SHARE) ? 1 : 0;
    }
  }

  return {
    idOf(service, operation) {
      const id = perService.get(service)?.get(operation) ?? add(service, operation);
      lastS[id] = nowS();
      return id;
    },
    namesPath: (id) => paths[id] === 1,
    isDeclared: (id) => named[id] === 1,
    isRestricted: (id) => named[id] === 1 || restricted[id] === 1,
    used(id, actor) {
      uses[id] = uses[id]! + 1;
      if (users[id]! < 255) users[id] = users[id]! + 1;
      setBit(actors, id * WORDS, 5, actor);
      setBit(actors, id * WORDS, 5, secondOf(actor));
      setBit(everybody, 0, 11, actor);
    },
    usedAgain(id) {
      uses[id] = uses[id]! + 1;
    },
    knows: (id, actor) => hasBit(actors, id * WORDS, 5, actor) && hasBit(actors, id * WORDS, 5, secondOf(actor)),
    advance(nowMs) {
      times[1] = nowMs;
      if (nowMs - times[0]! < REVIEW_MS) return;
      times[0] = nowMs;
      review();
    },
    parts: {
      begin: () => ({ names: [...names], arrays: arrays.begin() }),
      rest: arrays.rest,
      forget: arrays.forget,
      restoreMeta(meta) {
        perService.clear();
        names.length = 0;
        for (const [service, operation] of (meta as { names: typeof names }).names)
          place(names.length, service, operation);
      },
      restore: arrays.restore,
    },
  };
}

function patternExpression(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*');
  return new RegExp(pattern.startsWith('/') ? `^(?:\\S+ )?${escaped}$` : `^${escaped}$`, 'i');
}
