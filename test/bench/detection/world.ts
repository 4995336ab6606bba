/** The traffic that most parts share: one learning window, and clean traffic of the same system that was not learned. */
import { type GeneratedTrace, generateTraffic, type TrafficOptions } from '../../../datasets/generated/traffic.ts';
import { type Detector, type Judged, judge, learn } from './detector.ts';
import type { BenchOptions } from './section.ts';

export interface World {
  readonly detector: Detector;
  readonly learned: readonly GeneratedTrace[];
  readonly clean: readonly GeneratedTrace[];
  readonly verdicts: Judged;
}

export interface Sizes {
  readonly learned: number;
  readonly clean: number;
  /** Learning windows of their own for calibration, the main one included. */
  readonly windows: number;
  /** Mutants a kind. */
  readonly mutants: number;
  /** Where a part learns again: traces, and clean ones judged. */
  readonly smallLearned: number;
  readonly smallClean: number;
}

export const FULL: Sizes = {
  learned: 40_000,
  clean: 100_000,
  windows: 3,
  mutants: 400,
  smallLearned: 16_000,
  smallClean: 15_000,
};
export const QUICK: Sizes = {
  learned: 12_000,
  clean: 20_000,
  windows: 1,
  mutants: 120,
  smallLearned: 8_000,
  smallClean: 6_000,
};

/** Learning windows begin on one day, what is judged on the next: no trace is both. */
export const LEARN_MS = Date.UTC(2026, 2, 2, 8);
export const JUDGE_MS = Date.UTC(2026, 2, 3, 8);
const PER_SECOND = 40;
export const SEED = 1;

export const traffic = (options: Partial<TrafficOptions> & { seed: number; traces: number }): GeneratedTrace[] => [
  ...generateTraffic({ perSecond: PER_SECOND, ...options }),
];

export const learnWindow = (window: number, traces: number): GeneratedTrace[] =>
  traffic({ seed: 1_000 * SEED + window, traces, startMs: LEARN_MS });
export const judgeWindow = (window: number, traces: number): GeneratedTrace[] =>
  traffic({ seed: 500_000 + 1_000 * SEED + window, traces, startMs: JUDGE_MS });

export const recordsOf = (traces: readonly GeneratedTrace[]): Uint8Array[] => traces.map(({ record }) => record);

export interface Worlds {
  readonly sizes: Sizes;
  readonly options: BenchOptions;
  main(): Promise<World>;
}

export function createWorlds(options: BenchOptions): Worlds {
  const sizes = options.quick ? QUICK : FULL;
  let known: Promise<World> | undefined;
  async function make(): Promise<World> {
    options.say(`learning ${sizes.learned} traces, judging ${sizes.clean} clean ones`);
    const learned = learnWindow(0, sizes.learned);
    const detector = await learn(learned);
    const clean = judgeWindow(0, sizes.clean);
    return { detector, learned, clean, verdicts: judge(detector, recordsOf(clean)) };
  }
  return {
    sizes,
    options,
    main() {
      known ??= make();
      return known;
    },
  };
}
