/** Time for the log's loops: the wall clock, or one that a test moves by hand. */

export interface Sleep {
  /** Resolves when the time has passed or wake() was called. */
  readonly over: Promise<void>;
  wake(): void;
}

export interface LogClock {
  now(): number;
  sleep(ms: number): Sleep;
  /** The same for a deadline, which is no loop's rest. */
  timeout(ms: number): Sleep;
  /** A loop begins; call the result when it ends. A clock moved by hand waits for its loops to sleep. */
  enter(): () => void;
}

/** By the wall clock. */
export function sleepFor(ms: number): Sleep {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return {
    over: promise,
    wake() {
      clearTimeout(timer);
      resolve();
    },
  };
}

export const createWallClock = (): LogClock => ({
  now: () => Date.now(),
  sleep: sleepFor,
  timeout: sleepFor,
  enter: () => () => {},
});

export interface ManualClock extends LogClock {
  /** Wakes every sleeper whose time has come. */
  tick(): void;
  /** Resolves when every loop sleeps: nothing is left to do until time moves or something is written. */
  settled(): Promise<void>;
}

/** Time is what `now` says; sleepers wake only in tick(). */
export function createManualClock(now: () => number): ManualClock {
  interface Sleeper extends Sleep {
    readonly dueMs: number;
  }
  const resting = new Set<Sleeper>();
  const timeouts = new Set<Sleeper>();
  let loops = 0;
  let waiting: (() => void)[] = [];
  const announce = () => {
    if (resting.size < loops) return;
    const quiet = waiting;
    waiting = [];
    for (const resolve of quiet) resolve();
  };
  const sleepIn = (among: Set<Sleeper>, ms: number): Sleep => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const sleeper: Sleeper = {
      dueMs: now() + ms,
      over: promise,
      wake() {
        if (among.delete(sleeper)) resolve();
      },
    };
    among.add(sleeper);
    announce();
    return sleeper;
  };
  return {
    now,
    sleep: (ms) => sleepIn(resting, ms),
    timeout: (ms) => sleepIn(timeouts, ms),
    enter() {
      loops++;
      let left = false;
      return () => {
        if (left) return;
        left = true;
        loops--;
        announce();
      };
    },
    tick() {
      const time = now();
      for (const sleeper of [...resting, ...timeouts]) if (sleeper.dueMs <= time) sleeper.wake();
    },
    settled() {
      if (resting.size >= loops) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      return promise;
    },
  };
}
