/**
 * Times that say which of an owner's rows stands: they only grow, over hand-overs too. By wall clocks alone what a machine wrote whose
 * clock is ahead would stand until the clock of the next owner has come so far.
 */
export interface WriteClock {
  /** The owner's newest row is of this time. */
  seen(owner: string, atMs: number): void;
  next(owner: string): number;
}

export function createWriteClock(now: () => number): WriteClock {
  const newest = new Map<string, number>();
  return {
    seen(owner, atMs) {
      newest.set(owner, Math.max(atMs, newest.get(owner) ?? 0));
    },
    next(owner) {
      const atMs = Math.max(now(), (newest.get(owner) ?? 0) + 1);
      newest.set(owner, atMs);
      return atMs;
    },
  };
}
