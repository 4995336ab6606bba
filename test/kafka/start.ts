/**
 * A broker for developers, until Ctrl-C: `node test/kafka/start.ts [--port 9092] [--directory DIR]`. With a directory it
 * keeps what it got.
 */
import { parseArgs } from 'node:util';
import { type BrokerOptions, startBroker } from './broker.ts';

const USAGE = 'usage: node test/kafka/start.ts [--port 9092] [--directory DIR]';

function parseOptions(): BrokerOptions {
  try {
    const { values } = parseArgs({ options: { port: { type: 'string' }, directory: { type: 'string' } } });
    const port = Number(values.port ?? 9_092);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`'${values.port}' is not a port`);
    return { port, ...(values.directory !== undefined && { directory: values.directory }) };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`);
  }
}

async function run(): Promise<void> {
  const options = parseOptions();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  console.error('starting a Kafka broker…');
  const broker = await Promise.race([startBroker(options), stopped]);
  if (broker === undefined) process.exit(130); // its process ends with ours
  const kept = options.directory === undefined ? 'nothing is kept' : `data in ${broker.directory}`;
  console.error(`Kafka listens on ${broker.address} (${kept}); Ctrl-C ends it`);
  await stopped;
  await broker.stop();
}

try {
  await run();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
