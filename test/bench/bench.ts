/** What a bench is, and how one is measured: warm-up, many samples, CPU time of the process that does the work. */

/** One line of the report. */
export interface BenchResult {
  /** What was measured: `cut by trace id`. */
  readonly name: string;
  /** `whole traces`, `SDK`, or whatever tells two lines of one name apart. */
  readonly shape: string;
  /** Median of the samples. */
  readonly value: number;
  /** `spans/CPU-s`, `bytes/span`, … */
  readonly unit: string;
  /** 10th and 90th percentile of the samples. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
  /** What the project promises; higher is better unless `unit` is bytes or ms. */
  readonly target?: number;
  /** Value by value / reference value, and what the reference is, measured in the same minute. */
  readonly ratio?: number;
  readonly reference?: string;
  /** Bytes and attributes a span had in this bench, when it has spans. */
  readonly spanBytes?: number;
  readonly attributes?: number;
  readonly note?: string;
  /** Why there is no value: something it needs is not here. Then `value` is NaN. */
  readonly notMeasured?: string;
}

/** A row for what could not be measured, said as loudly as one that was. */
export const notMeasured = (name: string, shape: string, unit: string, why: string): BenchResult => ({
  name,
  shape,
  unit,
  value: Number.NaN,
  low: Number.NaN,
  high: Number.NaN,
  samples: 0,
  notMeasured: why,
});

export interface Bench {
  /** `npm run bench NAME` runs those whose name begins so. */
  readonly name: string;
  /** The one question it answers. */
  readonly question: string;
  run(): Promise<BenchResult[]>;
}

export interface Spread {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

export const MIN_SAMPLES = 15;

/** Median and 10th/90th percentile. */
export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)]!;
  return { value: at(0.5), low: at(0.1), high: at(0.9), samples: samples.length };
}

/** CPU seconds (user + system) of this process spent in `work`. */
export async function cpuSeconds(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/**
 * Things per CPU-second of this process: `work` does a round and says how many things it did. Rounds should take some
 * 20 ms or more. Several works are interleaved, so that a busy machine slows all of them alike.
 */
export async function rates(
  works: readonly (() => number | Promise<number>)[],
  options: { samples?: number; warmUp?: number } = {},
): Promise<Spread[]> {
  const { samples = MIN_SAMPLES, warmUp = 5 } = options;
  const values: number[][] = works.map(() => []);
  for (let round = -warmUp; round < samples; round++) {
    for (let i = 0; i < works.length; i++) {
      let done = 0;
      const seconds = await cpuSeconds(async () => {
        done = await works[i]!();
      });
      if (round >= 0) values[i]!.push(done / seconds);
    }
  }
  return values.map(spread);
}
