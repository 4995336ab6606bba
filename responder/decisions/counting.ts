/**
 * Writes decisions, and to one that ended the requests that it met, which is a figure for reports: counted after the row stands, one
 * at a time. The query reads verdicts of up to thirty days; that it fails must keep no row, snapshot or commit back.
 */
import type { Logger } from '../../runtime/telemetry/logger.ts';
import type { Decision } from '../../schemas/alerts/decision.ts';

export interface CountingDeps {
  insert(rows: readonly Decision[]): Promise<void>;
  count(decision: Decision): Promise<Pick<Decision, 'matched' | 'matchedOrdinary'>>;
  readonly logger: Pick<Logger, 'warn'>;
}

export interface Counting {
  /** Resolves when the rows stand, not yet counted. */
  insert(rows: readonly Decision[]): Promise<void>;
  /** Resolves when nothing waits to be counted. */
  idle(): Promise<void>;
  /** What waits stays uncounted; resolves when none is under way, or at the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

/** Who reads decisions counts those that were not (cli/decisions). */
const MOST_WAITING = 1_000;

export function createCounting({ insert, count, logger }: CountingDeps): Counting {
  /** By id: of one written again, as after a replay, the newest. */
  const waiting = new Map<string, Decision>();
  let pumping: Promise<void> | undefined;
  let stopped = false;

  async function pump(): Promise<void> {
    let failed = 0;
    for (let next = first(); next !== undefined && !stopped; next = first()) {
      waiting.delete(next.id);
      try {
        const counted = { ...next, ...(await count(next)) };
        if (counted.matched > 0) await insert([counted]);
      } catch (error) {
        if (failed++ === 0 && !stopped)
          logger.warn({ err: error, id: next.id }, 'requests that a decision met could not be counted');
      }
    }
    pumping = undefined;
  }
  const first = (): Decision | undefined => waiting.values().next().value;

  return {
    async insert(rows) {
      await insert(rows);
      if (stopped) return;
      for (const row of rows) {
        if (row.state !== 'expired' && row.state !== 'undone') continue;
        waiting.delete(row.id);
        waiting.set(row.id, row);
        if (waiting.size > MOST_WAITING) waiting.delete(waiting.keys().next().value!);
      }
      if (waiting.size > 0) pumping ??= pump();
    },
    idle: async () => pumping,
    async stop(deadlineMs) {
      stopped = true;
      waiting.clear();
      if (pumping === undefined) return;
      let cut: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        cut = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([pumping, late]);
      clearTimeout(cut);
    },
  };
}
