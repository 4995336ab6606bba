/** Recent traffic out of a log whose oldest records go while it is read. */
import { expect, it } from 'vitest';
import { createRecentLog } from '../../../detector/check/recent-log.ts';
import type { LogRecord } from '../../../runtime/log/port.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { searchTrace, traceIdOf } from '../detector/traffic.ts';
import { tracesData } from '../traces/otlp.ts';

const LATER = 20_000;

/** Ten records when it is asked, of which none is left when it is read; since then many others came. */
function trimmedLog() {
  const value = tracesData(searchTrace(1, 0, '198.51.100.7'));
  const recordAt = (offset: number): LogRecord => ({
    partition: 0,
    offset,
    appendMs: 1_000_000 + offset,
    kind: RecordKind.spans,
    key: traceIdOf(1),
    value,
  });
  return {
    offsets: async () => ({ earliest: [0], latest: [10] }),
    read: async (_topic: string, _partition: number, from: number, most: number) => {
      const first = Math.max(from, 10);
      return Array.from({ length: Math.max(0, Math.min(most, LATER - first)) }, (_, i) => recordAt(first + i));
    },
  };
}

it('a stretch of which nothing is left ends where the next record begins', async () => {
  const recent = createRecentLog({
    log: trimmedLog(),
    assembly: assemblySection.parse({}),
    createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
    now: () => 2_000_000,
  });
  for await (const spans of recent.segments({ most: 100, seed: 1 })) expect.unreachable(spans.traceId);
  expect(recent.covered.records).toBe(2);
});
