/** The load generator as a process of its own: `node datasets/load/main.ts '{"edgePort":…,"seed":…,"rate":…,"clients":…}'`. */
import { attach } from '../../runtime/lifecycle/attached.ts';
import { createPopulation } from './population.ts';
import { createRandom } from './random.ts';
import { startTraffic } from './traffic.ts';

export interface LoadSettings {
  readonly edgePort: number;
  readonly seed: number;
  readonly rate: number;
  readonly clients: number;
}

const REPORT_MS = 500;

const settings = JSON.parse(process.argv[2] ?? '{}') as LoadSettings;
const personas = createPopulation(createRandom(settings.seed, 'population'), { clients: settings.clients });
const traffic = startTraffic({
  edgePort: settings.edgePort,
  personas,
  random: createRandom(settings.seed, 'traffic'),
  rate: settings.rate,
});
const attachment = attach({
  stop: async () => traffic.stop(),
  onLine: (line) => traffic.setMultiplier((JSON.parse(line) as { multiplier: number }).multiplier),
});
attachment.ready({});
setInterval(() => process.stdout.write(`${JSON.stringify(traffic.stats)}\n`), REPORT_MS);
