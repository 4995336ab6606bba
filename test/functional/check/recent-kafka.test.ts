/** Recent traffic out of Kafka: no group, no commit, and a topic that is not there is not made. */
import { describe, expect, it } from 'vitest';
import { createRecentLog } from '../../../detector/check/recent-log.ts';
import { createLog, createLogReader, ensureTopics } from '../../../runtime/log/create.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { kafkaSection } from '../../../schemas/config/kafka.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import type { SegmentSpans } from '../../../traces/segment.ts';
import { brokerForTests, freshPrefix, noKafka } from '../../kafka/for-tests.ts';
import { searchTrace, traceIdOf } from '../../unit/detector/traffic.ts';
import { tracesData } from '../../unit/traces/otlp.ts';

const TRACES = 120;

describe.skipIf(noKafka)('on Kafka', () => {
  it('every segment comes whole, and nothing is left behind', async () => {
    const kafka = kafkaSection.parse({
      brokers: await brokerForTests(),
      topicPrefix: freshPrefix(),
      requestTimeoutMs: 5_000,
    });
    const config = { log: logSection.parse({ spansPartitions: 2 }), kafka };
    const reader = createLogReader(config);
    await reader.start();
    await expect(reader.offsets('spans')).rejects.toMatchObject({
      code: 'LOG_UNAVAILABLE',
      message: expect.stringContaining('does not exist yet'),
    });

    const log = createLog(config);
    await log.start();
    await ensureTopics(log, config.log);
    for (let trace = 0; trace < TRACES; trace += 20) {
      const records = Array.from({ length: 20 }, (_, i) => searchTrace(trace + i, i, '198.51.100.7')).flatMap(
        ([root, ...rest], i) =>
          [[root!], rest].map((spans) => ({
            kind: RecordKind.spans,
            key: traceIdOf(trace + i),
            value: tracesData(spans),
          })),
      );
      await log.produce('spans', records);
    }
    const before = await log.offsets('spans');
    const recent = createRecentLog({
      log: reader,
      assembly: assemblySection.parse({ graceMs: 1, absenceGraceMs: 2, idleMs: 3, maxAgeMs: 1_000, lateMs: 2 }),
      createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
      now: () => Date.now() + 3_600_000,
    });
    const segments: SegmentSpans[] = [];
    for await (const spans of recent.segments({ most: 1_000, seed: 1, sinceMs: 2 * 3_600_000 })) segments.push(spans);
    expect(new Set(segments.map(({ traceId }) => traceId)).size).toBe(TRACES);
    for (const { spanCount } of segments) expect(spanCount).toBe(4);
    expect(await log.offsets('spans')).toEqual(before);
    await reader.stop(1_000);
    await log.stop(1_000);
  });
});
