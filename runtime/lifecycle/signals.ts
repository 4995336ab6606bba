/** SIGTERM and SIGINT: the first drains within a deadline, a second exits at once. */
import type { Logger } from '../telemetry/logger.ts';

export const EXIT_STOP_FAILED = 1;
/** Shells give 128 + signal number for a process ended by a signal: SIGINT 2. */
export const EXIT_SECOND_SIGNAL = 130;

/** The part of `process` that this file needs; tests bring their own. */
export interface SignalSource {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  off(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): void;
}

export interface DrainOptions {
  readonly stop: (deadlineMs: number) => Promise<void>;
  readonly deadlineMs: number;
  readonly logger?: Logger;
  readonly source?: SignalSource;
}

export interface Drain {
  /** Settles when a signal came and stop() ended: resolved with the exit code to use. */
  readonly drained: Promise<number>;
  /** Ends listening without stopping anything. */
  release(): void;
}

/**
 * Listens for SIGTERM and SIGINT. On the first, `stop(deadlineMs)` is called and `drained` resolves with 0, or 1 when
 * it failed; the caller sets the exit code. On the second the process exits with 130 without waiting: everything
 * durable is durable already, the rest is replayed.
 */
export function drainOnSignal(options: DrainOptions): Drain {
  const { stop, deadlineMs, logger, source = process } = options;
  const { promise, resolve } = Promise.withResolvers<number>();
  let stopping = false;
  const release = () => {
    source.off('SIGTERM', onTerm);
    source.off('SIGINT', onInt);
  };
  const onSignal = (signal: string) => {
    if (stopping) {
      logger?.warn({ signal }, 'second signal: exiting without draining');
      source.exit(EXIT_SECOND_SIGNAL);
      return;
    }
    stopping = true;
    logger?.info({ signal, deadlineMs }, 'draining');
    stop(deadlineMs).then(
      () => {
        release();
        resolve(0);
      },
      (error: unknown) => {
        logger?.error({ err: error }, 'draining failed');
        release();
        resolve(EXIT_STOP_FAILED);
      },
    );
  };
  const onTerm = () => onSignal('SIGTERM');
  const onInt = () => onSignal('SIGINT');
  source.on('SIGTERM', onTerm);
  source.on('SIGINT', onInt);
  return { drained: promise, release };
}

/**
 * The signals of a process that another one started: the end of its input, which also comes when that process dies, is
 * SIGTERM; SIGINT is left to the parent, as a terminal sends it to both.
 */
export function parentOf(input: NodeJS.ReadableStream): SignalSource {
  const ignore = (): void => {};
  return {
    on(signal, listener) {
      if (signal === 'SIGINT') process.on('SIGINT', ignore);
      else {
        process.on('SIGTERM', listener);
        input.on('end', listener).resume();
      }
    },
    off(signal, listener) {
      if (signal === 'SIGINT') process.off('SIGINT', ignore);
      else {
        process.off('SIGTERM', listener);
        input.off('end', listener).pause();
      }
    },
    exit: (code) => process.exit(code),
  };
}
