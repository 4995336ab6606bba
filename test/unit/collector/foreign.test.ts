/** Topics of others, without a broker: what becomes of each record, what is committed when, and what waits. */
import { describe, expect, it } from 'vitest';
import { createCommits } from '../../../collector/foreign/commits.ts';
import { decodeForeign } from '../../../collector/foreign/decode.ts';
import { createTraceMerger } from '../../../collector/foreign/merge.ts';
import { planForeign } from '../../../collector/foreign/plan.ts';
import { createForeignReaders } from '../../../collector/foreign/readers.ts';
import { createSkipLog } from '../../../collector/foreign/skip-log.ts';
import { createSlots } from '../../../collector/foreign/slots.ts';
import { createLogger, createSilentLogger, type Logger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { collectorSection } from '../../../schemas/config/collector.ts';
import { kafkaSection } from '../../../schemas/config/kafka.ts';
import { createHandLog, requestOf, spanOf, spansIn } from '../../functional/collector/started.ts';
import { createHandTopics, type HandConsumer } from './hand-topics.ts';

const silent = createSilentLogger();

/** The same request as JSON. */
const jsonOf = (...spans: { trace: number; span: number }[]): Buffer =>
  Buffer.from(
    JSON.stringify({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: spans.map(({ trace, span }) => ({
                traceId: trace.toString(16).padStart(2, '0').repeat(16),
                spanId: span.toString(16).padStart(2, '0').repeat(8),
                name: `span ${span}`,
              })),
            },
          ],
        },
      ],
    }),
  );

async function startReaders({
  settings = {},
  kafka = {},
  logger = silent,
}: {
  settings?: object;
  kafka?: object;
  logger?: Logger;
} = {}) {
  const config = collectorSection.parse({ ...settings, kafka: { topics: ['otlp_spans'], ...kafka } });
  const log = createHandLog();
  const metrics = createMetrics();
  const foreign = createHandTopics();
  const plan = { topics: config.kafka.topics, group: 'a group' };
  const readers = createForeignReaders(config, plan, { log, logger, metrics, foreign });
  await readers.start();
  const results = metrics.counter('collector_foreign_records_total', '');
  return {
    log,
    metrics,
    foreign,
    readers,
    consumer: await foreign.consumerStarted(0),
    results: (result: string): number => results.value({ topic: 'otlp_spans', result }),
  };
}

async function assigned(consumer: HandConsumer): Promise<HandConsumer> {
  await consumer.assign(0);
  return consumer;
}

/** Lines that a logger wrote. */
function createLines(): { logger: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { logger: createLogger({ name: 'test', level: 'info' }, { stream }), lines };
}

describe('a record', () => {
  it('is protobuf or JSON, told apart by its first byte', () => {
    const proto = requestOf(spanOf(1, 1));
    expect(decodeForeign(proto, 'auto')).toMatchObject({ outcome: 'decoded', bytes: proto });
    const json = decodeForeign(jsonOf({ trace: 1, span: 1 }), 'auto');
    expect(json).toMatchObject({ outcome: 'decoded', rejected: 0 });
    expect(decodeForeign(Buffer.from(`\n ${jsonOf({ trace: 1, span: 1 })}\n`), 'auto')).toEqual(json);
  });

  it('that is protobuf and begins like JSON after a line feed is protobuf', () => {
    // a resource of 123 bytes: its length is the character {
    const text = `${'x'.repeat(123 - 4 - 7 - 1)}}`;
    const attribute = Buffer.concat([
      Buffer.from([0x0a, 1, 0x6b, 0x12, text.length + 2, 0x0a, text.length]),
      Buffer.from(text),
    ]);
    const resource = Buffer.concat([Buffer.from([0x0a, attribute.length + 2, 0x0a, attribute.length]), attribute]);
    const record = Buffer.concat([Buffer.from([0x0a, resource.length]), resource]);
    expect([...record.subarray(0, 2)]).toEqual([0x0a, 0x7b]);
    expect(decodeForeign(record, 'auto')).toMatchObject({ outcome: 'decoded', bytes: record });
  });

  it('that says nothing is empty: a tombstone, no bytes, no resources', () => {
    for (const value of [null, new Uint8Array(0), Buffer.from('{}'), Buffer.from('{"resourceSpans":[]}')])
      expect(decodeForeign(value, 'auto')).toEqual({ outcome: 'empty' });
  });

  it('that is something else is named without being quoted', () => {
    const secret = decodeForeign(Buffer.from('{"password": hunter2}'), 'auto');
    expect(secret).toEqual({ outcome: 'not_otlp', problem: 'not JSON' });
    const logs = decodeForeign(Buffer.from('{"resourceLogs":[{}]}'), 'auto');
    expect(logs).toEqual({ outcome: 'not_otlp', problem: 'JSON without resourceSpans' });
    expect(decodeForeign(requestOf(spanOf(1, 1)), 'otlp_json')).toMatchObject({ outcome: 'not_otlp' });
  });
});

describe('parts of traces', () => {
  const part = (byte: number, length = 4): Uint8Array => new Uint8Array(length).fill(byte);

  it('are joined by trace, in their order', () => {
    const merger = createTraceMerger(100);
    merger.add('a', part(1));
    merger.add('b', part(2));
    merger.add('a', part(3));
    expect(merger.bytes).toBe(12);
    expect(merger.take().map(({ key, value }) => [key, [...value]])).toEqual([
      ['a', [1, 1, 1, 1, 3, 3, 3, 3]],
      ['b', [2, 2, 2, 2]],
    ]);
    expect(merger.bytes).toBe(0);
    expect(merger.take()).toEqual([]);
  });

  it('do not grow beyond the largest record by joining, and keep their order all the same', () => {
    const merger = createTraceMerger(10);
    for (let i = 1; i <= 5; i++) merger.add('a', part(i));
    const values = merger.take().map(({ value }) => [...value]);
    expect(values.map((value) => value.length)).toEqual([8, 8, 4]);
    expect(values.flat().filter((_, i) => i % 4 === 0)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a batch', () => {
  it('goes to our log by trace, one record a trace, and is committed after it', async () => {
    const { consumer, log, results, metrics, readers } = await startReaders();
    await assigned(consumer);
    log.hold();
    const brought = consumer.bring(0, requestOf(spanOf(1, 1)), requestOf(spanOf(2, 2)), requestOf(spanOf(1, 3)));
    await log.waiting(1);
    expect(consumer.commits).toEqual([]);
    log.let();
    await brought;
    await expect.poll(() => consumer.commits).toEqual([[0, 1, 3]]);
    expect(log.records).toHaveLength(2);
    expect(spansIn(log).map(({ name }) => name)).toEqual(['span 1', 'span 3', 'span 2']);
    expect(results('forwarded')).toBe(3);
    expect(metrics.counter('collector_spans_accepted_total', '').value()).toBe(3);
    await readers.stop(1_000);
  });

  it('of both encodings is read record by record', async () => {
    const { consumer, log, readers } = await startReaders();
    await assigned(consumer);
    await consumer.bring(0, jsonOf({ trace: 1, span: 1 }), requestOf(spanOf(1, 2)));
    expect(spansIn(log).map(({ name }) => name)).toEqual(['span 1', 'span 2']);
    expect(log.records).toHaveLength(1);
    await readers.stop(1_000);
  });

  it('with records that cannot be used loses nothing else, and says so in one line', async () => {
    const { logger, lines } = createLines();
    const { consumer, log, results, metrics, readers } = await startReaders({
      logger,
      settings: { maxRequestBytes: 2_048 },
    });
    await assigned(consumer);
    const noTrace = requestOf(spanOf(0, 5), spanOf(0, 6));
    const half = requestOf(spanOf(0, 7), spanOf(3, 3));
    const large = requestOf(spanOf(4, 4, { name: 'x'.repeat(3_000) }));
    await consumer.bring(
      0,
      requestOf(spanOf(1, 1)),
      Buffer.from('hello, world'),
      null,
      noTrace,
      half,
      large,
      new Uint8Array(0),
      requestOf(spanOf(2, 2)),
    );
    expect(spansIn(log).map(({ name }) => name)).toEqual(['span 1', 'span 3', 'span 2']);
    await expect.poll(() => consumer.commits).toEqual([[0, 1, 8]]);
    expect({
      forwarded: results('forwarded'),
      not_otlp: results('not_otlp'),
      rejected: results('rejected'),
      too_large: results('too_large'),
      empty: results('empty'),
    }).toEqual({ forwarded: 3, not_otlp: 1, rejected: 1, too_large: 1, empty: 2 });
    expect(metrics.counter('collector_spans_rejected_total', '').value({ reason: 'trace_id' })).toBe(3);
    const skipped = lines.filter(({ msg }) => String(msg).includes('skipped'));
    expect(skipped).toHaveLength(1);
    expect(skipped[0]).toMatchObject({ topic: 'otlp_spans', partition: 0, offset: 1 });
    expect(JSON.stringify(lines)).not.toContain('hello');
    await readers.stop(1_000);
  });

  it('waits while the log is full or away, and is written when it is back: once, in order, nothing lost', async () => {
    const { logger, lines } = createLines();
    const { consumer, log, metrics, readers } = await startReaders({ logger });
    await assigned(consumer);
    log.fail('LOG_UNAVAILABLE');
    const first = consumer.bring(0, requestOf(spanOf(1, 1)));
    const waits = metrics.counter('collector_foreign_log_waits_total', '');
    await expect.poll(() => waits.value()).toBeGreaterThan(1);
    expect(consumer.commits).toEqual([]);
    log.fail('LOG_FULL');
    const seen = waits.value();
    await expect.poll(() => waits.value()).toBeGreaterThan(seen);
    log.fail(undefined);
    await first;
    await consumer.bring(0, requestOf(spanOf(1, 2)));
    expect(spansIn(log).map(({ name }) => name)).toEqual(['span 1', 'span 2']);
    await expect.poll(() => consumer.commits.at(-1)).toEqual([0, 1, 2]);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(lines.filter(({ msg }) => String(msg).includes('again'))).toHaveLength(2);
    await readers.stop(1_000);
  });

  it('that waits when the partition is taken away, or the collector stops, is not claimed', async () => {
    const { consumer, log, metrics, readers } = await startReaders();
    await consumer.assign(0);
    await consumer.assign(1);
    log.fail('LOG_UNAVAILABLE');
    const taken = consumer.bring(0, requestOf(spanOf(1, 1)));
    const left = consumer.bring(1, requestOf(spanOf(2, 2)));
    const waits = metrics.counter('collector_foreign_log_waits_total', '');
    await expect.poll(() => waits.value()).toBeGreaterThan(1);
    consumer.revoke(0);
    await taken;
    await readers.stop(1_000);
    await left;
    expect(consumer.stopped).toBe(true);
    expect(consumer.commits).toEqual([]);
    log.fail(undefined);
    await consumer.bring(1, requestOf(spanOf(2, 3))); // must not be claimed over the one before
    expect(consumer.commits).toEqual([]);
  });

  it('that is being written when the collector stops is claimed before the consumer leaves', async () => {
    const { consumer, log, readers } = await startReaders();
    await assigned(consumer);
    log.hold();
    const brought = consumer.bring(0, requestOf(spanOf(1, 1)));
    await log.waiting(1);
    const stopped = readers.stop(2_000);
    log.let();
    await Promise.all([brought, stopped]);
    expect(consumer.commits).toEqual([[0, 1, 1]]);
  });
});

describe('a consumer that fails', () => {
  it('is replaced, and the one after it commits under its own generation', async () => {
    const { consumer, foreign, log, readers } = await startReaders();
    await assigned(consumer);
    consumer.fail(new Error('the group is gone'));
    const second = await foreign.consumerStarted(1);
    await second.assign(0, 5);
    await second.bring(0, requestOf(spanOf(1, 1)));
    await expect.poll(() => second.commits).toEqual([[0, 5, 1]]);
    expect(consumer.commits).toEqual([]);
    expect(log.records).toHaveLength(1);
    await readers.stop(1_000);
  });
});

describe('commits', () => {
  it('are one at a time, the newest offset each', async () => {
    const asked: number[] = [];
    const gates: PromiseWithResolvers<boolean>[] = [];
    const commits = createCommits((offset) => {
      asked.push(offset);
      const gate = Promise.withResolvers<boolean>();
      gates.push(gate);
      return gate.promise;
    }, silent);
    for (const offset of [1, 2, 3]) commits.durable(offset);
    expect(asked).toEqual([1]);
    gates[0]!.resolve(true);
    await expect.poll(() => asked).toEqual([1, 3]);
    gates[1]!.resolve(true);
    await commits.settled();
    expect(asked).toEqual([1, 3]);
  });

  it('that fail are tried again; one that is refused is the last', async () => {
    const answers = [() => Promise.reject(new Error('no coordinator')), async () => true, async () => false];
    const asked: number[] = [];
    const commits = createCommits((offset) => {
      asked.push(offset);
      return answers[asked.length - 1]!();
    }, silent);
    commits.durable(1);
    await commits.settled();
    expect(asked).toEqual([1, 1]);
    commits.durable(2);
    await commits.settled();
    commits.durable(3);
    await commits.settled();
    expect(asked).toEqual([1, 1, 2]);
  });
});

describe('small parts', () => {
  it('slots are given to so many at a time, first come first served', async () => {
    const slots = createSlots(1);
    const first = await slots.take();
    const order: string[] = [];
    const takeAs = async (name: string): Promise<() => void> => {
      const release = await slots.take();
      order.push(name);
      return release;
    };
    const second = takeAs('second');
    const third = takeAs('third');
    first();
    first(); // twice is once
    (await second)();
    (await third)();
    expect(order).toEqual(['second', 'third']);
    (await slots.take())();
  });

  it('skipped records are named at most every ten seconds, with how many were not', () => {
    const { logger, lines } = createLines();
    let nowMs = 0;
    const skips = createSkipLog(logger, () => nowMs);
    const record = { partition: 1, offset: 9, timestampMs: 0, key: null, value: null, headers: new Map() };
    for (nowMs = 0; nowMs < 20_000; nowMs += 1_000) skips.say('t', record, 'not JSON');
    expect(lines.map(({ unmentioned }) => unmentioned)).toEqual([undefined, 9]);
  });
});

describe('the plan', () => {
  const kafka = kafkaSection.parse({ brokers: ['127.0.0.1:9092'] });
  const planOf = (settings: object, brokers = kafka) =>
    planForeign(collectorSection.parse({ kafka: settings }), brokers);

  it('is to read nothing unless topics are named', () => {
    expect(planOf({})).toBeUndefined();
    expect(planOf({}, kafkaSection.parse({}))).toBeUndefined();
  });

  it('has a group of this installation, or the one that is named', () => {
    expect(planOf({ topics: ['otlp_spans', 'otlp_spans'] })).toEqual({
      topics: ['otlp_spans'],
      group: 'spanwarden-collector',
    });
    expect(planOf({ topics: ['otlp_spans'], group: 'mine' })?.group).toBe('mine');
  });

  it('refuses topics without brokers, and topics of ours', () => {
    const invalid = expect.objectContaining({ code: 'CONFIG_INVALID' });
    expect(() => planOf({ topics: ['otlp_spans'] }, kafkaSection.parse({}))).toThrow(invalid);
    expect(() => planOf({ topics: ['spanwarden-spans'] })).toThrow(invalid);
  });
});
