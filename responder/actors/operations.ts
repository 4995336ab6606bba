/**
 * Operations as small numbers, and which of them few may use: those that configured patterns name, and those that a tiny group has
 * used again and again while everybody else never did.
 */
import { hasBit, linearCount, setBit } from './bits.ts';
import { arraySource, type PartSource } from './parts.ts';

/** Operations told apart; all further ones are one. */
export const MAX_OPERATIONS = 4_096;
const WORDS = 32;
/** Used at least so often, by at least two and at most so many actors and this share of them: restricted. */
const USES = 20;
const MOST_ACTORS = 60;
const MOST_SHARE = 0.01;

export interface Operations {
  /** Number of an operation from 0; `MAX_OPERATIONS − 1` for all that came after the table was full. */
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
  textOf(id: number): string;
  advance(nowMs: number): void;
  readonly parts: PartSource;
}

const REVIEW_MS = 60_000;

/** `patterns`: `[METHOD ]/path`, `*` stands for anything, case does not matter. */
export function createOperations(patterns: readonly string[]): Operations {
  const matchers = patterns.map(patternExpression);
  let ids = new Map<string, number>();
  const texts: string[] = [];
  const paths = new Uint8Array(MAX_OPERATIONS);
  const named = new Uint8Array(MAX_OPERATIONS);
  const restricted = new Uint8Array(MAX_OPERATIONS);
  const uses = new Uint32Array(MAX_OPERATIONS);
  const actors = new Uint32Array(MAX_OPERATIONS * WORDS);
  const everybody = new Uint32Array(2_048);
  const times = new Float64Array(1);
  const arrays = arraySource('operations', { restricted, uses, actors, everybody, times });
  const perService = new Map<string, Map<string, number>>();

  function add(text: string, operation: string): number {
    const known = ids.get(text);
    if (known !== undefined) return known;
    if (texts.length >= MAX_OPERATIONS - 1) return MAX_OPERATIONS - 1;
    const id = texts.length;
    ids.set(text, id);
    texts.push(text);
    describe(id, operation);
    return id;
  }

  function describe(id: number, operation: string): void {
    paths[id] = operation.includes('/') ? 1 : 0;
    named[id] = matchers.some((matcher) => matcher.test(operation)) ? 1 : 0;
  }

  function review(): void {
    const all = linearCount(everybody, 0, everybody.length);
    for (let id = 0; id < texts.length; id++) {
      const by = linearCount(actors, id * WORDS, WORDS);
      restricted[id] = uses[id]! >= USES && by >= 2 && by <= Math.min(MOST_ACTORS, all * MOST_SHARE) ? 1 : 0;
    }
  }

  return {
    idOf(service, operation) {
      let own = perService.get(service);
      if (own === undefined) {
        if (perService.size >= MAX_OPERATIONS) return MAX_OPERATIONS - 1;
        own = new Map();
        perService.set(service, own);
      }
      const known = own.get(operation);
      if (known !== undefined) return known;
      const id = add(`${service} ${operation}`, operation);
      if (id < MAX_OPERATIONS - 1) own.set(operation, id);
      return id;
    },
    namesPath: (id) => paths[id] === 1,
    isDeclared: (id) => named[id] === 1,
    isRestricted: (id) => named[id] === 1 || restricted[id] === 1,
    used(id, actor) {
      uses[id] = uses[id]! + 1;
      setBit(actors, id * WORDS, 5, actor);
      setBit(everybody, 0, 11, actor);
    },
    usedAgain(id) {
      uses[id] = uses[id]! + 1;
    },
    knows: (id, actor) => hasBit(actors, id * WORDS, 5, actor),
    textOf: (id) => texts[id] ?? 'other operations',
    advance(nowMs) {
      if (nowMs - times[0]! < REVIEW_MS) return;
      times[0] = nowMs;
      review();
    },
    parts: {
      begin: () => ({ texts: [...texts], arrays: arrays.begin() }),
      rest: arrays.rest,
      forget: arrays.forget,
      restoreMeta(meta) {
        ids = new Map();
        texts.length = 0;
        for (const text of (meta as { texts: string[] }).texts) {
          ids.set(text, texts.length);
          describe(texts.length, text.slice(text.indexOf(' ') + 1));
          texts.push(text);
        }
      },
      restore: arrays.restore,
    },
  };
}

function patternExpression(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*');
  return new RegExp(pattern.startsWith('/') ? `^(?:\\S+ )?${escaped}$` : `^${escaped}$`, 'i');
}
