/**
 * A log in memory with the same port, for tests and for trying things out. With a clock moved by hand it is
 * deterministic: nothing happens but what writes and `tick()` cause, and `settled()` tells when all of it has happened.
 */
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createManualClock, createWallClock, type LogClock, type ManualClock } from './clock.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import type { Log } from './port.ts';
import { createStoredLog } from './stored-log.ts';

export interface MemoryLogConfig {
  /**
   * The clock, in milliseconds since the epoch; timers then run only in tick(). Without it, wall clock and real timers.
   */
  readonly now?: () => number;
  /** Frames and groups of an earlier log: a new process on the same log. */
  readonly store?: MemoryStore;
  readonly queueBytes?: number;
  readonly leaseMs?: number;
  readonly pollMs?: number;
}

export interface MemoryLog extends Log {
  readonly store: MemoryStore;
  /** Wakes every loop whose time has come (polls, idle calls, leases), then waits until all is quiet. */
  tick(): Promise<void>;
  /** Resolves when every record that can be handed over was, and every consumer sleeps. */
  settled(): Promise<void>;
  /**
   * As `kill -9`: no handler is called again, pending calls never settle, later ones are refused, leases are free at
   * once. What was acknowledged stays in `store`.
   */
  crash(): void;
}

export function createMemoryLog(
  config: MemoryLogConfig = {},
  deps: { readonly logger?: Logger | undefined; readonly metrics?: Metrics | undefined } = {},
): MemoryLog {
  const manual: ManualClock | undefined = config.now ? createManualClock(config.now) : undefined;
  const clock: LogClock = manual ?? createWallClock();
  const store = config.store ?? createMemoryStore({ now: clock.now });
  const log = createStoredLog(
    { queueBytes: config.queueBytes ?? 67_108_864, leaseMs: config.leaseMs ?? 5_000, pollMs: config.pollMs ?? 50 },
    { store, clock, ...deps },
  );
  const settled = async (): Promise<void> => {
    await manual?.settled();
  };
  return {
    ...log,
    store,
    settled,
    async tick() {
      await settled();
      manual?.tick();
      await settled();
    },
    crash() {
      log.crash();
      store.expireLeases();
    },
  };
}
