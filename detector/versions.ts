/**
 * Which baseline version judges a segment (ARCHITECTURE decision 9): the one in effect at the log-append time of its first
 * record. Announcements come over the `baselines` topic; a version takes effect 5 s after its announcement was appended,
 * so whoever read the topic less than 5 s before a record was appended knows every version that can judge it.
 */
import type { Baseline } from '../baseline/baseline.ts';
import { isRetryable, SpanwardenError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import { decodeVersionAnnouncement } from '../schemas/log/codecs.ts';
import { VERSION_EFFECT_MS, type VersionAnnouncement } from '../schemas/log/version.ts';

export interface VersionsDeps {
  readonly log: Pick<Log, 'offsets' | 'read'>;
  readonly logger: Logger;
  readonly now: () => number;
  /** Reads and compiles a published version; rejects with a retryable error while the store is away. */
  load(version: string): Promise<Baseline>;
}

export interface Versions {
  /** In effect at `appendMs`; null before the first that can raise alerts. Call `ready` for that time first. */
  at(appendMs: number): Baseline | null;
  /**
   * Resolves once every version that can judge a segment whose first record was appended in [fromMs, toMs] is known and
   * loaded. Rejects, retryably, while one cannot be loaded; `at` then gives the last one that could.
   */
  ready(fromMs: number, toMs: number): Promise<void>;
  /** Announced last, whether it can raise alerts or not. */
  readonly latest: VersionAnnouncement | null;
  /** Whether any version that can raise alerts was announced. */
  readonly alerting: boolean;
}

interface Known {
  readonly effectMs: number;
  readonly announcement: VersionAnnouncement;
  baseline: Baseline | null;
  /** When the store first said that it does not have it. */
  missingMs: number;
}

const READ_RECORDS = 256;
/** Versions kept compiled beside those just needed: partitions may stand at different times. */
const MAX_SPARE = 2;
/** Clocks and commits of the log may be off by so much: announcements are read anew that long before they can matter. */
const MARGIN_MS = 2_000;
/** A replica of the store may be behind by so much; a version still missing then is passed over. */
const MISSING_WAIT_MS = 5_000;

export function createVersions(deps: VersionsDeps): Versions {
  const { log, logger } = deps;
  /** Those that can raise alerts, in the order of their effect. */
  const known: Known[] = [];
  let latest: VersionAnnouncement | null = null;
  let nextOffset = -1;
  let readMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  async function readAnnouncements(): Promise<void> {
    const at = deps.now();
    if (nextOffset < 0) nextOffset = (await log.offsets('baselines')).earliest[0] ?? 0;
    for (;;) {
      const records = await log.read('baselines', 0, nextOffset, READ_RECORDS);
      for (const record of records) {
        nextOffset = record.offset + 1;
        const announcement = decodeVersionAnnouncement(record.value);
        if (announcement === null) continue;
        latest = announcement;
        if (!announcement.alerting || known.some((one) => one.announcement.version === announcement.version)) continue;
        known.push({ effectMs: record.appendMs + VERSION_EFFECT_MS, announcement, baseline: null, missingMs: 0 });
      }
      if (records.length === 0) break;
    }
    readMs = at;
  }

  const indexAt = (appendMs: number): number => known.findLastIndex(({ effectMs }) => effectMs <= appendMs);

  /** False when the version was given up and is known no more. */
  async function load(entry: Known): Promise<boolean> {
    if (entry.baseline !== null) return true;
    const { version, segments } = entry.announcement;
    try {
      entry.baseline = await deps.load(version);
      logger.info({ version, segments }, 'baseline version loaded');
      return true;
    } catch (error) {
      if (error instanceof SpanwardenError && error.code === 'BASELINE_UNKNOWN') {
        if (entry.missingMs === 0) entry.missingMs = deps.now();
        if (deps.now() - entry.missingMs < MISSING_WAIT_MS) throw error;
      } else if (!(error instanceof SpanwardenError) || isRetryable(error)) throw error;
      logger.error({ err: error, version }, 'an announced baseline version cannot be used: judged by the one before');
      const index = known.indexOf(entry);
      if (index >= 0) known.splice(index, 1);
      return false;
    }
  }

  return {
    at(appendMs) {
      const index = indexAt(appendMs);
      if (index < 0) return null;
      return known[index]!.baseline ?? known.findLast(({ baseline }) => baseline !== null)?.baseline ?? null;
    },
    async ready(fromMs, toMs) {
      if (readMs < toMs - VERSION_EFFECT_MS + MARGIN_MS) {
        reading ??= readAnnouncements().finally(() => {
          reading = undefined;
        });
        await reading;
      }
      for (let index = Math.max(0, indexAt(fromMs)); index <= indexAt(toMs); ) {
        const entry = known[index]!;
        if (!(await load(entry))) index = Math.max(0, indexAt(fromMs));
        else index = known.indexOf(entry) + 1; // another call may have given one up meanwhile
      }
      forgetOld(Math.max(0, indexAt(fromMs)), indexAt(toMs));
    },
    get latest() {
      return latest;
    },
    get alerting() {
      return known.length > 0;
    },
  };

  /** Compiled versions outside [first, last] are let go, the oldest first. */
  function forgetOld(first: number, last: number): void {
    const spare = known.filter(({ baseline }, index) => baseline !== null && (index < first || index > last));
    for (const entry of spare.slice(0, Math.max(0, spare.length - MAX_SPARE))) entry.baseline = null;
  }
}
