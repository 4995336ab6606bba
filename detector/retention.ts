/** How near retention of the log is to what is not durable yet: records that it removes first are lost to a replay. */
import type { Log, TopicOffsets } from '../runtime/log/port.ts';
import type { Owned } from './owned.ts';

export interface Retention {
  /** Now and then, beside everything else. */
  look(): void;
  /** Share of the records held by the log that are durable; near 0, others are about to be removed. */
  margin(partition: number, owned: Owned): number;
}

const LOOK_MS = 10_000;

export function createRetention(log: Log, now: () => number): Retention {
  let lastLookMs = 0;
  /** What the log held when last looked at. */
  let held: TopicOffsets = { earliest: [], latest: [] };

  return {
    look() {
      const nowMs = now();
      if (nowMs - lastLookMs < LOOK_MS) return;
      lastLookMs = nowMs;
      log.offsets('spans').then(
        (offsets) => {
          held = offsets;
        },
        () => {}, // the next look will tell
      );
    },
    margin(partition, { committed }) {
      const [from = 0, to = 0] = [held.earliest[partition], held.latest[partition]];
      return to <= from ? 1 : Math.min(1, Math.max(0, committed - from) / (to - from));
    },
  };
}
