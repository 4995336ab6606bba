/** When requests come, and how busy the system is: arrivals in time, load that lasts for seconds, rare stalls. */
import type { Random } from '../load/random.ts';
import { normal } from './values.ts';

export interface Moment {
  /** Milliseconds since the start of the traffic. */
  readonly atMs: number;
  readonly load: number;
  readonly stalled: string;
  readonly stallFactor: number;
}

export interface PaceOptions {
  /** Requests a second. */
  readonly perSecond: number;
  /** Services that may stall. */
  readonly services: readonly string[];
  /** From then on twice as many come. */
  readonly doublesAtMs?: number;
}

const STEP_MS = 1_000;
/** Load is an autoregressive process over seconds: log sigma 0.1, forgotten after about 20 s. */
const MEMORY = 0.95;
const SIGMA = 0.1;
/** A service stalls for a second or two every quarter of an hour, all services together. */
const STALLS_PER_STEP = 1 / 900;
/** Twice the requests take so much longer. */
const CROWDED = 1.25;

export function createPace(random: Random, options: PaceOptions): { next(): Moment } {
  const { perSecond, services, doublesAtMs = Number.POSITIVE_INFINITY } = options;
  let atMs = 0;
  let stepEndMs = 0;
  let log = SIGMA * normal(random);
  let stalled = '';
  let stallFactor = 1;
  let stallEndMs = 0;
  return {
    next() {
      atMs += random.waitMs(atMs >= doublesAtMs ? 2 * perSecond : perSecond);
      while (atMs >= stepEndMs) {
        log = MEMORY * log + SIGMA * Math.sqrt(1 - MEMORY * MEMORY) * normal(random);
        if (stallEndMs <= stepEndMs) stalled = '';
        if (stalled === '' && random.chance(STALLS_PER_STEP)) {
          stalled = random.pick(services);
          stallFactor = 2 + 4 * random.next();
          stallEndMs = stepEndMs + 1_000 + 1_500 * random.next();
        }
        stepEndMs += STEP_MS;
      }
      return { atMs, load: Math.exp(log) * (atMs >= doublesAtMs ? CROWDED : 1), stalled, stallFactor };
    },
  };
}
