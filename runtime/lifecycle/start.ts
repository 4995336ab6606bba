/** Starts services in order, stops them in reverse; a start that fails rolls back what had started. */
import { SpanwardenError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Service } from './service.ts';

/** The values that the services' start() gave, in their order. */
export type StartedValues<S extends readonly Service<unknown>[]> = {
  readonly [I in keyof S]: S[I] extends Service<infer T> ? T : never;
};

export interface Started<S extends readonly Service<unknown>[]> {
  readonly values: StartedValues<S>;
  /**
   * Stops all in reverse order, each with what is left of `deadlineMs`. One that fails or overruns does not keep the
   * others from stopping; rejects afterwards with the first failure. Safe to call twice: the same promise.
   */
  stop(deadlineMs: number): Promise<void>;
}

export interface StartDeps {
  readonly logger?: Logger;
  /** For rolling back a partial start. */
  readonly rollbackMs?: number;
}

/** Stops one service, but waits no longer than its deadline plus a little for timers to fire. */
async function stopWithin(service: Service<unknown>, deadlineMs: number): Promise<void> {
  const grace = 250;
  let timer: NodeJS.Timeout | undefined;
  const overrun = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SpanwardenError('STOPPED', `${service.name} did not stop within ${deadlineMs} ms`)),
      deadlineMs + grace,
    );
  });
  try {
    await Promise.race([service.stop(deadlineMs), overrun]);
  } finally {
    clearTimeout(timer);
  }
}

async function stopInReverse(
  services: readonly Service<unknown>[],
  deadlineMs: number,
  logger: Logger | undefined,
): Promise<unknown[]> {
  const endAt = performance.now() + deadlineMs;
  const failures: unknown[] = [];
  for (let i = services.length - 1; i >= 0; i--) {
    const service = services[i]!;
    try {
      await stopWithin(service, Math.max(0, Math.round(endAt - performance.now())));
      logger?.debug({ service: service.name }, 'stopped');
    } catch (error) {
      logger?.error({ service: service.name, err: error }, 'could not stop cleanly');
      failures.push(error);
    }
  }
  return failures;
}

export async function startInOrder<const S extends readonly Service<unknown>[]>(
  services: S,
  deps: StartDeps = {},
): Promise<Started<S>> {
  const { logger, rollbackMs = 5_000 } = deps;
  const started: Service<unknown>[] = [];
  const values: unknown[] = [];
  for (const service of services) {
    try {
      values.push(await service.start());
      started.push(service);
      logger?.debug({ service: service.name }, 'started');
    } catch (error) {
      await stopInReverse(started, rollbackMs, logger);
      throw error;
    }
  }
  let stopping: Promise<void> | undefined;
  return {
    values: values as unknown as StartedValues<S>,
    stop(deadlineMs) {
      stopping ??= stopInReverse(started, deadlineMs, logger).then((failures) => {
        if (failures.length > 0) throw failures[0];
      });
      return stopping;
    },
  };
}
