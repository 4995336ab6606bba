/**
 * What each bouncer was told, so that it hears once of every decision and once of its end. One that is not known any more (a restart
 * of ours) is told everything again, and everything that ended lately. An end of which we learn only later, as ClickHouse or the owner was away
 * when the bouncer first asked, is told when we know it. Bounded.
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
  const positions = new Map<string, { readonly shown: ReadonlyMap<string, Decision>; readonly ended: Set<string> }>();
  return {
    next(bouncer, startup, shown, endedLately) {
      const before = startup ? undefined : positions.get(bouncer);
      const now = new Map(shown.map((decision) => [keyOf(decision), decision]));
      const fresh = shown.filter((decision) => before?.shown.get(keyOf(decision))?.id !== decision.id);
      const unheard = before === undefined ? endedLately : endedLately.filter(({ id }) => !before.ended.has(id));
      const gone = new Map<string, Decision>();
      for (const decision of [...unheard, ...(before?.shown.values() ?? [])])
        if (!now.has(keyOf(decision))) gone.set(keyOf(decision), decision);
      return {
        fresh,
        gone: [...gone.values()],
        told() {
          positions.delete(bouncer);
          positions.set(bouncer, { shown: now, ended: new Set(endedLately.map(({ id }) => id)) });
          if (positions.size > MOST_BOUNCERS) positions.delete(positions.keys().next().value!);
        },
      };
    },
  };
}
