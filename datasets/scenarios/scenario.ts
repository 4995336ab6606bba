/** What a scenario gets, and what it is. */
import type { Load } from '../load/generator.ts';
import type { Persona } from '../load/population.ts';
import type { Random } from '../load/random.ts';
import type { Actor } from './actor.ts';
import type { Expected } from './truth.ts';

export interface Stage {
  readonly random: Random;
  readonly load: Load;
  /** A client never seen before, under a forged leftmost X-Forwarded-For. */
  stranger(): Actor;
  /** A client of the population, on a connection of its own. */
  regular(persona: Persona): Actor;
  /** Account numbers nobody in the population has. */
  customer(): number;
  staff(): number;
  /** A loopback port on which nothing listens. */
  unusedPort(): Promise<number>;
  wait(ms: number): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  readonly kind: 'attack' | 'oddity';
  readonly title: string;
  readonly expected: Expected;
  /** Resolves with the clients that took part; throws when an attack did not have its effect on the shop. */
  run(stage: Stage): Promise<readonly Actor[]>;
}

/** Requests of an attack: a few, as people try, a second or so apart. */
export const TRIES = 3;

/** The attack must have worked, else the ground truth would be wrong. */
export function mustHold(effect: boolean, what: string): void {
  if (!effect) throw new Error(`a scenario had no effect on the shop: ${what}`);
}
