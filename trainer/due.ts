/** When a version of what was learned is due. Pure but for the times it is given. */
import type { BaselineManifest } from '../baseline/baseline.ts';
import type { Progress } from '../baseline/learning/learning.ts';
import type { TrainerConfig } from '../schemas/config/trainer.ts';

export interface Schedule {
  /** Whether one is due now; `progress` is asked for seldom, as it takes a merge of all distinct counters. */
  isDue(nowMs: number, present: BaselineManifest | null, progress: () => Progress): boolean;
  /** One was made, or could not be. */
  made(nowMs: number): void;
  /** Segments that the last version holds, or that learning went on from. */
  learned(segments: number): void;
}

const RETRY_MS = 1_000;
const LOOK_MS = 1_000;

export function createSchedule(config: TrainerConfig, startMs: number): Schedule {
  let lastPublishMs = startMs;
  let lastSegments = 0;
  let lastLookMs = 0;
  return {
    isDue(nowMs, present, progress) {
      const sinceMs = nowMs - lastPublishMs;
      if (nowMs - lastLookMs < LOOK_MS || sinceMs < (present === null ? RETRY_MS : config.publishEveryMs)) return false;
      lastLookMs = nowMs;
      const { segments, missing } = progress();
      if (missing.length > 0) return false;
      if (present === null || !present.alerting) return segments > 1.05 * lastSegments;
      if (segments >= lastSegments * (1 + config.publishGrowth)) return true;
      return sinceMs >= config.publishAtLeastMs && segments > lastSegments;
    },
    made(nowMs) {
      lastPublishMs = nowMs;
    },
    learned(segments) {
      lastSegments = segments;
    },
  };
}
