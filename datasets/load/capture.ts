/**
 * Records the shop without Spanwarden: learning traffic, then the scenarios, as OTLP/JSON lines and ground truth, to train
 * and score offline: `node datasets/load/capture.ts --out FILE.jsonl --truth FILE.json [--seed N] [--learn SECONDS] [--rate N]
 * [--kafka HOST:PORT,… [--kafka-consumer eachMessage|eachBatch]]`.
 */
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runScenarios } from '../scenarios/run.ts';
import { CONSUMERS, isConsumerStyle, type ShopKafka } from '../shop/jobs/settings.ts';
import { startShop } from '../shop/supervisor.ts';
import { DEFAULT_RATE, startLoad } from './generator.ts';
import { tracesJson } from './otlp-json.ts';
import { startSink } from './sink.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    truth: { type: 'string' },
    seed: { type: 'string', default: '1' },
    learn: { type: 'string', default: '120' },
    rate: { type: 'string', default: String(DEFAULT_RATE) },
    kafka: { type: 'string' },
    'kafka-consumer': { type: 'string', default: CONSUMERS[0] },
  },
});
if (values.out === undefined || values.truth === undefined) {
  process.stderr.write('--out FILE.jsonl and --truth FILE.json are needed\n');
  process.exit(2);
}
const consumer = values['kafka-consumer'];
if (!isConsumerStyle(consumer)) {
  process.stderr.write(`--kafka-consumer is ${CONSUMERS.join(' or ')}\n`);
  process.exit(2);
}
const kafka: ShopKafka | undefined =
  values.kafka === undefined ? undefined : { brokers: values.kafka.split(','), consumer };
const seed = Number(values.seed);
const logger = {
  info: (fields: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  warn: (fields: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
};

const file = createWriteStream(values.out);
const sink = await startSink((request) => file.write(`${JSON.stringify(tracesJson(request))}\n`));
const shop = await startShop({
  otlpEndpoint: `http://127.0.0.1:${sink.port}`,
  logger,
  ...(kafka === undefined ? {} : { kafka }),
});
try {
  const load = await startLoad({ edgePort: shop.ports.edge!, seed, rate: Number(values.rate), logger });
  const learnFromMs = Date.now();
  await delay(Number(values.learn) * 1000);
  logger.info({ ...load.stats() }, 'learning traffic');
  const truth = await runScenarios({
    shop,
    load,
    seed,
    onProgress: ({ scenario, state, event }) =>
      logger.info({ name: scenario.name, ...(event === undefined ? {} : { requests: event.requests }) }, state),
  });
  logger.info({ ...load.stats() }, 'all traffic');
  await load.stop();
  await writeFile(values.truth, `${JSON.stringify({ ...truth, learnFromMs }, null, 2)}\n`);
} finally {
  await shop.stop();
  await sink.stop();
  await new Promise((resolve) => file.end(resolve));
}
