/**
 * The version that the trainer stands at: read from the store when the first partition is taken over, replaced when another one
 * is durable and announced.
 */
import type { Baseline } from '../baseline/baseline.ts';
import { levelsFromEntries } from '../baseline/templates.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import { decodeVersionAnnouncement, encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { VersionAnnouncement } from '../schemas/log/version.ts';
import type { PublishedVersion, TrainerStore } from './store.ts';
import type { TemplateBook } from './templates.ts';

export interface PresentDeps {
  readonly log: Log;
  readonly store: TrainerStore;
  readonly templates: TemplateBook;
  readonly logger: Logger;
  untilReached<T>(call: () => Promise<T>): Promise<T>;
}

export interface Present {
  /** Null before the first version, and before the store was asked. */
  readonly version: PublishedVersion | null;
  readonly baseline: Baseline | null;
  /** The stored one cannot be read: all that the log holds is to be learned. */
  readonly isAnew: boolean;
  /** The newest version, asked for once. */
  load(): Promise<PublishedVersion | null>;
  /** Makes a version durable and announces it. `assertOurs` throws when another trainer took over meanwhile. */
  publish(made: PublishedVersion, assertOurs: () => void): Promise<void>;
  /** What was published is what the trainer stands at. */
  take(made: PublishedVersion): void;
  /** By the next time another trainer may have published. */
  forget(): void;
}

/** Announcements looked through at start for that of the last version. */
const RECENT_ANNOUNCEMENTS = 1_000;

export function createPresent({ log, store, templates, logger, untilReached }: PresentDeps): Present {
  let asked = false;
  let isAnew = false;
  let version: PublishedVersion | null = null;

  /** A crash between a version's rows and its announcement would keep it from the detectors. */
  async function announceAgain(made: Baseline): Promise<void> {
    const { earliest, latest: ends } = await log.offsets('baselines');
    const from = Math.max(earliest[0] ?? 0, (ends[0] ?? 0) - RECENT_ANNOUNCEMENTS);
    const recent = await log.read('baselines', 0, from, RECENT_ANNOUNCEMENTS);
    if (!recent.some(({ value }) => decodeVersionAnnouncement(value)?.version === made.version)) await announce(made);
  }

  async function announce({ version: id, manifest }: Baseline): Promise<void> {
    const { parent, offsets, segments, alerting } = manifest;
    const announcement: VersionAnnouncement = { version: id, parent, offsets, segments, alerting };
    await log.produce('baselines', [{ kind: RecordKind.version, key: id, value: encodeJson(announcement) }]);
  }

  /** After an upgrade the stored one may have another schema: nothing can be done with it, and the log is there to learn from. */
  async function newest(): Promise<PublishedVersion | null> {
    try {
      return await store.latestVersion();
    } catch (error) {
      if (!(error instanceof SpanwardenError) || error.code !== 'BASELINE_SCHEMA') throw error;
      isAnew = true;
      logger.warn({ err: error }, 'the stored baseline is of another schema: learning begins anew');
      return null;
    }
  }

  return {
    get version() {
      return version;
    },
    get baseline() {
      return version?.baseline ?? null;
    },
    get isAnew() {
      return isAnew;
    },
    async load() {
      if (asked) return version;
      const found = await untilReached(newest);
      if (found !== null) {
        templates.take(levelsFromEntries(found.entries));
        await untilReached(() => announceAgain(found.baseline));
      }
      version = found;
      asked = true;
      return found;
    },
    async publish({ baseline, partials, paths }, assertOurs) {
      assertOurs();
      const before = version?.entries ?? [];
      // counters that are another version's are stored already
      const own = baseline.manifest.counters === undefined || baseline.manifest.counters === '';
      await untilReached(() =>
        store.insertVersion(baseline, before, own ? partials : new Map(), own ? paths : new Map()),
      );
      assertOurs(); // the store may have been away for long
      await untilReached(() => announce(baseline));
    },
    take(made) {
      version = made;
      asked = true;
      isAnew = false;
    },
    forget() {
      asked = false; // what is known stands until it is asked for again
    },
  };
}
