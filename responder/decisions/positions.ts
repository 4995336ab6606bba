/**
 * What each bouncer was told, so that it hears once of every decision and once of its end. One that is not known any more (a restart
 * of ours) is told everything again, and everything that ended lately. Bounded.
 */
import type { Decision } from '../../schemas/alerts/decision.ts';

export interface Position {
  /** What is to be told now; the bouncer's position moves on with `told`, when it has the answer. */
  readonly fresh: readonly Decision[];
  readonly gone: readonly Decision[];
  told(): void;
}

export interface Positions {
  /** `startup`: everything from the beginning. `bouncer` is whoever asks, with what it asks for. */
  next(bouncer: string, startup: boolean, shown: readonly Decision[], endedLately: readonly Decision[]): Position;
}

const MOST_BOUNCERS = 512;
const keyOf = ({ scope, type, value }: Decision): string => `${scope} ${type} ${value}`;

export function createPositions(): Positions {
  const positions = new Map<string, ReadonlyMap<string, Decision>>();
  return {
    next(bouncer, startup, shown, endedLately) {
      const before = startup ? undefined : positions.get(bouncer);
      const now = new Map(shown.map((decision) => [keyOf(decision), decision]));
      const fresh = shown.filter((decision) => before?.get(keyOf(decision))?.id !== decision.id);
      const candidates = before === undefined ? endedLately : [...before.values()];
      const gone = new Map<string, Decision>();
      for (const decision of candidates) if (!now.has(keyOf(decision))) gone.set(keyOf(decision), decision);
      return {
        fresh,
        gone: [...gone.values()],
        told() {
          positions.delete(bouncer);
          positions.set(bouncer, now);
          if (positions.size > MOST_BOUNCERS) positions.delete(positions.keys().next().value!);
        },
      };
    },
  };
}
