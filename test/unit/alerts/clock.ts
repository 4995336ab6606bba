/** A clock moved by hand: what falls due is called in order, when the test says that time passes. */
export interface HandClock {
  readonly now: () => number;
  readonly after: (ms: number, call: () => void) => () => void;
  /** Moves on and calls what falls due, then lets what was begun come to rest. */
  pass(ms: number): Promise<void>;
  /** Time until the next call; Infinity when none waits. */
  next(): number;
}

export function createHandClock(startMs: number): HandClock {
  let nowMs = startMs;
  const calls = new Set<{ readonly atMs: number; readonly call: () => void }>();
  const earliest = () => [...calls].sort((a, b) => a.atMs - b.atMs)[0];
  return {
    now: () => nowMs,
    after(ms, call) {
      const one = { atMs: nowMs + ms, call };
      calls.add(one);
      return () => void calls.delete(one);
    },
    async pass(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        for (let i = 0; i < 20; i++) await Promise.resolve();
        const due = earliest();
        if (due === undefined || due.atMs > endMs) break;
        calls.delete(due);
        nowMs = Math.max(nowMs, due.atMs);
        due.call();
      }
      nowMs = endMs;
    },
    next: () => (earliest()?.atMs ?? Infinity) - nowMs,
  };
}
