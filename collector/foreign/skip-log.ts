/** One line for a record that was skipped, and then one at most every so often, with how many went unmentioned. */
import type { ForeignRecord } from '../../runtime/log/foreign.ts';
import type { Logger } from '../../runtime/telemetry/logger.ts';

export interface SkipLog {
  say(topic: string, record: ForeignRecord, problem: string): void;
}

const EVERY_MS = 10_000;

export function createSkipLog(logger: Logger, now: () => number = () => performance.now()): SkipLog {
  let nextMs = Number.NEGATIVE_INFINITY;
  let unmentioned = 0;
  return {
    say(topic, { partition, offset }, problem) {
      if (now() < nextMs) {
        unmentioned++;
        return;
      }
      nextMs = now() + EVERY_MS;
      logger.warn(
        { topic, partition, offset, problem, ...(unmentioned > 0 && { unmentioned }) },
        'a record of a foreign topic cannot be used: skipped',
      );
      unmentioned = 0;
    },
  };
}
