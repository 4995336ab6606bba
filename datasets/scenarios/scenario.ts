/** What a scenario gets, and what it is. */
import type { Load } from '../load/generator.ts';
import type { Persona } from '../load/population.ts';
import type { Random } from '../load/random.ts';
import type { Queue } from '../shop/jobs/settings.ts';
import type { Actor } from './actor.ts';
import type { Expected, Named } from './truth.ts';

export interface Stage {
  readonly random: Random;
  readonly load: Load;
  /** A client never seen before, under a forged leftmost X-Forwarded-For. */
  stranger(): Actor;
  /** A client never seen before that forges nothing. */
  newcomer(): Actor;
  /** A client at this address, which nobody in the population has. */
  at(address: string, userAgent?: string): Actor;
  /** Addresses nobody has, of one IPv4 network of 256. */
  network(count: number): readonly string[];
  /** A client of the population, on a connection of its own. */
  regular(persona: Persona): Actor;
  /** Account numbers nobody in the population has. */
  customer(): number;
  staff(): number;
  /** A loopback port on which nothing listens. */
  unusedPort(): Promise<number>;
  /** Addresses of everybody whose jobs of a queue were taken in one batch with one of this account's, once so many of its were. */
  inBatchesOf(queue: Queue, account: number, jobs: number): Promise<readonly string[]>;
  wait(ms: number): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  readonly kind: 'attack' | 'oddity';
  readonly title: string;
  readonly expected: Expected;
  /** Takes its time: runs beside the others, which come one after the other. */
  readonly beside?: boolean;
  /** Throws when an attack did not have its effect on the shop. */
  run(stage: Stage): Promise<Outcome>;
}

export interface Outcome {
  /** The clients that took part. */
  readonly actors: readonly Actor[];
  /** The client that acted first unless said otherwise. */
  readonly named?: Named;
  readonly companions?: readonly string[];
  readonly never?: readonly string[];
}

/** Requests of an attack: a few, as people try, a second or so apart. */
export const TRIES = 3;
const PAUSE_MS = [500, 1_300] as const;

export async function repeat(stage: Stage, times: number, act: (turn: number) => Promise<void>): Promise<void> {
  for (let turn = 0; turn < times; turn++) {
    if (turn > 0) await stage.wait(stage.random.between(...PAUSE_MS));
    await act(turn);
  }
}

/** The attack must have worked, else the ground truth would be wrong. */
export function mustHold(effect: boolean, what: string): void {
  if (!effect) throw new Error(`a scenario had no effect on the shop: ${what}`);
}

/** Distinct clients of the population that buy. */
export function buyers(stage: Stage, count: number): Persona[] {
  const all = stage.load.personas.filter(({ role }) => role === 'buyer' || role === 'mobile');
  const from = stage.random.below(all.length);
  return Array.from({ length: Math.min(count, all.length) }, (_, i) => all[(from + i) % all.length]!);
}
