/**
 * Which baseline version judges a segment (ARCHITECTURE decision 9): the one in effect at the log-append time of its first
 * record. Announcements come over the `baselines` topic; a version takes effect 5 s after its announcement was appended,
 * so whoever read the topic less than 5 s before a record was appended knows every version that can judge it.
 */
import type { Baseline } from '../baseline/baseline.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import { decodeVersionAnnouncement } from '../schemas/log/codecs.ts';
import { VERSION_EFFECT_MS, type VersionAnnouncement } from '../schemas/log/version.ts';

export interface VersionsDeps {
  readonly log: Log;
  readonly logger: Logger;
  readonly now: () => number;
  /** Reads and compiles a published version; rejects with a retryable error while the store is away. */
  load(version: string): Promise<Baseline>;
}

export interface Versions {
  /** In effect at `appendMs`; null before the first. Call `ready` for that time first. */
  at(appendMs: number): Baseline | null;
  /**
   * Resolves once every version that can judge a record appended at `appendMs` is known and loaded. `alone`: keeps the
   * last version instead of waiting when one cannot be loaded (alert-only mode).
   */
  ready(appendMs: number): Promise<void>;
  readonly latest: VersionAnnouncement | null;
}

interface Known {
  readonly effectMs: number;
  readonly announcement: VersionAnnouncement;
  baseline: Baseline | null;
}

const READ_RECORDS = 256;
/** Versions kept compiled: late records and replays are judged by the ones before the last. */
const MAX_COMPILED = 4;

export function createVersions(deps: VersionsDeps): Versions {
  const { log, logger } = deps;
  const known: Known[] = [];
  let nextOffset = 0;
  let started = false;
  let readMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  async function readAnnouncements(): Promise<void> {
    const at = deps.now();
    if (!started) {
      nextOffset = (await log.offsets('baselines')).earliest[0] ?? 0;
      started = true;
    }
    for (;;) {
      const records = await log.read('baselines', 0, nextOffset, READ_RECORDS);
      for (const record of records) {
        nextOffset = record.offset + 1;
        const announcement = decodeVersionAnnouncement(record.value);
        if (announcement === null) continue;
        known.push({ effectMs: record.appendMs + VERSION_EFFECT_MS, announcement, baseline: null });
      }
      if (records.length === 0) break;
    }
    readMs = at;
  }

  const indexAt = (appendMs: number): number => known.findLastIndex(({ effectMs }) => effectMs <= appendMs);

  async function loadAt(index: number): Promise<void> {
    const entry = known[index]!;
    if (entry.baseline !== null) return;
    const { version } = entry.announcement;
    try {
      entry.baseline = await deps.load(version);
      logger.info(
        { version, segments: entry.announcement.segments, alerting: entry.announcement.alerting },
        'baseline version loaded',
      );
    } catch (error) {
      if (error instanceof SpanwardenError && error.code === 'BASELINE_UNKNOWN') {
        logger.error({ version }, 'announced baseline version is not in the store: judged by the one before');
        known.splice(index, 1);
        return;
      }
      throw error;
    }
    for (const old of known.slice(0, Math.max(0, known.length - MAX_COMPILED))) if (old !== entry) old.baseline = null;
  }

  return {
    at: (appendMs) => {
      const entry = known[indexAt(appendMs)];
      if (entry === undefined || !entry.announcement.alerting) return null;
      return entry.baseline ?? known.findLast(({ baseline }) => baseline !== null)?.baseline ?? null;
    },
    async ready(appendMs) {
      if (readMs < appendMs - VERSION_EFFECT_MS + 1) {
        reading ??= readAnnouncements().finally(() => {
          reading = undefined;
        });
        await reading;
      }
      const index = indexAt(appendMs);
      if (index >= 0) await loadAt(index);
    },
    get latest() {
      return known.at(-1)?.announcement ?? null;
    },
  };
}
