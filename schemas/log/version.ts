/** Announcement of a baseline version: sent when its rows are durable, in effect 5 s after its log-append time. JSON. */

export interface VersionAnnouncement {
  readonly version: string;
  readonly parent: string;
  /** Next offset of each spans partition: segments whose first record lies below are in the version. */
  readonly offsets: readonly number[];
  readonly segments: number;
  /** True once alerts can be raised with it. */
  readonly alerting: boolean;
}

/** Milliseconds between an announcement's log-append time and its effect. */
export const VERSION_EFFECT_MS = 5_000;
