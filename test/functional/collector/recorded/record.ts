/**
 * Records what a real Collector writes to Kafka, in all its shapes: `REFERENCE_COLLECTOR=DIR node
 * test/functional/collector/recorded/record.ts`. Needs Java and Maven, or KAFKA_BROKERS.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { startBroker } from '../../../kafka/broker.ts';
import { type ReferenceOptions, startReferenceCollector } from '../reference-collector.ts';
import { connectTestKafka, type TestKafka } from '../topic.ts';
import { recordingFile, sentBodies } from './sent.ts';
import { RECORDINGS } from './shapes.ts';

async function record(
  kafka: TestKafka,
  brokers: readonly string[],
  name: string,
  shape: Omit<ReferenceOptions, 'brokers'>,
): Promise<void> {
  const topic = `recorded-${name}-${process.pid}`;
  await kafka.createTopic(topic);
  const exporter = shape.exporter as { traces?: object };
  const collector = await startReferenceCollector({
    ...shape,
    brokers,
    exporter: { ...exporter, traces: { ...exporter.traces, topic } },
  });
  try {
    for (const body of sentBodies()) {
      const response = await fetch(collector.url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: new Uint8Array(body),
      });
      if (!response.ok) throw new Error(`the Collector answers ${response.status}: ${await response.text()}`);
    }
    if (shape.processors !== undefined) await wait(3_000); // groupbytrace holds them back for a second
  } finally {
    await collector.stop();
  }
  const records = await kafka.readAll(topic);
  const lines = records.map(({ partition, key, value }) =>
    JSON.stringify({ partition, key, value: value?.toString('base64') ?? null }),
  );
  writeFileSync(recordingFile(name), `${lines.join('\n')}\n`);
  console.log(`${name}: ${records.length} records`);
}

const named = process.env.KAFKA_BROKERS?.split(',');
const broker = named === undefined ? await startBroker() : undefined;
const brokers = named ?? [broker!.address];
const kafka = connectTestKafka(brokers);
try {
  for (const [name, shape] of Object.entries(RECORDINGS)) await record(kafka, brokers, name, shape);
} finally {
  await kafka.stop();
  await broker?.stop();
}
