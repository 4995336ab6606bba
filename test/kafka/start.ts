/**
 * A broker for developers, until Ctrl-C: `node test/kafka/start.ts [--port 9092] [--directory DIR]`. With a directory it
 * keeps what it got.
 */
import { readOptions, wrongUsage } from '../usage.ts';
import { type BrokerOptions, startBroker } from './broker.ts';

const USAGE = `
usage: npm run kafka -- [--port 9092] [--directory DIR]

A Kafka broker for developers, until Ctrl-C.

  --port N          where it listens, on loopback
  --directory DIR   keeps what it got there
`;

function parseOptions(): BrokerOptions {
  const { values } = readOptions(USAGE, { port: { type: 'string' }, directory: { type: 'string' } });
  const port = Number(values.port ?? 9_092);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) wrongUsage(`'${values.port}' is not a port`);
  return { port, ...(values.directory !== undefined && { directory: values.directory }) };
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
