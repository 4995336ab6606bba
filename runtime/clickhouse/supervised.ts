/** Keeps the embedded server running: one that ends by itself (killed, out of memory) is started again on the same ports, under the same password, so that who is connected only sees it away for a moment. */
import type { Logger } from 'pino';
import type { EmbeddedClickHouse, EmbeddedExit } from './embedded.ts';

export interface Supervised {
  /** The running server, or the one that ended last. */
  readonly current: EmbeddedClickHouse;
  /** Times it was started again. */
  readonly restarts: number;
  stop(graceMs: number): Promise<void>;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;
/** One that ran this long starts the waits anew. */
const STEADY_MS = 60_000;

export function supervise(
  first: EmbeddedClickHouse,
  restart: (previous: EmbeddedClickHouse) => Promise<EmbeddedClickHouse>,
  log?: Logger,
): Supervised {
  let current = first;
  let restarts = 0;
  let wake = (): void => {};
  let stopping = false;

  const pause = (ms: number): Promise<void> =>
    new Promise((done) => {
      const timer = setTimeout(done, ms);
      wake = () => {
        clearTimeout(timer);
        done();
      };
    });

  const watch = async (): Promise<void> => {
    let waitMs = FIRST_WAIT_MS;
    for (;;) {
      const began = Date.now();
      const exit: EmbeddedExit = await current.exited;
      if (stopping) return;
      log?.error({ code: exit.code, signal: exit.signal, said: exit.message }, 'embedded ClickHouse ended by itself');
      if (Date.now() - began > STEADY_MS) waitMs = FIRST_WAIT_MS;
      for (let running = false; !running && !stopping; ) {
        await pause(waitMs);
        waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
        if (stopping) return;
        try {
          current = await restart(current);
          running = true;
          restarts++;
        } catch (error) {
          log?.error({ err: error }, 'embedded ClickHouse could not be started again');
        }
      }
    }
  };
  const watching = watch();

  return {
    get current() {
      return current;
    },
    get restarts() {
      return restarts;
    },
    async stop(graceMs) {
      stopping = true;
      wake();
      await current.stop(graceMs);
      await watching;
      await current.stop(graceMs); // a start that was under way
    },
  };
}
