/** Starts the load generator's process and steers it. */
import { programBeside, startChild } from '../../runtime/lifecycle/child.ts';
import type { ShopLogger } from '../shop/supervisor.ts';
import type { LoadSettings } from './main.ts';
import { createPopulation, type Persona } from './population.ts';
import { createRandom } from './random.ts';
import type { LoadStats } from './traffic.ts';

export interface LoadOptions {
  readonly edgePort: number;
  readonly seed: number;
  readonly logger: ShopLogger;
  /** Requests a second; the demo's profile needs 80. */
  readonly rate?: number;
  /** Clients; the demo's profile needs 150. */
  readonly clients?: number;
}

export interface Load {
  readonly personas: readonly Persona[];
  readonly rate: number;
  readonly pid: number;
  /** Counts so far, at most half a second old. */
  stats(): LoadStats | null;
  /** Multiplies the rate from now on: 3 is a peak, 0.01 nearly silence. */
  setMultiplier(multiplier: number): void;
  stop(deadlineMs?: number): Promise<void>;
}

export const DEFAULT_RATE = 90;
export const DEFAULT_CLIENTS = 200;

export async function startLoad(options: LoadOptions): Promise<Load> {
  const settings: LoadSettings = {
    edgePort: options.edgePort,
    seed: options.seed,
    rate: options.rate ?? DEFAULT_RATE,
    clients: options.clients ?? DEFAULT_CLIENTS,
  };
  let latest: LoadStats | null = null;
  const child = startChild({
    name: 'load',
    program: programBeside('./main.ts', import.meta.url),
    args: [JSON.stringify(settings)],
    env: {},
    onNote: (line) => options.logger.warn({ part: 'load', line }, 'the load generator wrote to standard error'),
    onLine: (line) => {
      latest = JSON.parse(line) as LoadStats;
    },
  });
  try {
    await child.ready;
  } catch (error) {
    await child.stop(1_000);
    throw error;
  }
  child.tell({}); // what follows are commands
  return {
    personas: createPopulation(createRandom(settings.seed, 'population'), { clients: settings.clients }),
    rate: settings.rate,
    pid: child.pid,
    stats: () => latest,
    setMultiplier: (multiplier) => child.tell({ multiplier }),
    stop: (deadlineMs = 3_000) => child.stop(deadlineMs),
  };
}
