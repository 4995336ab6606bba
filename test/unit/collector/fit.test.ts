/** Records that the log finds too large: cut until it takes them, and no span is lost that any record can hold. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFittingWriter } from '../../../collector/fit.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import type { NewRecord } from '../../../runtime/log/port.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { requestOf, spanOf } from '../../functional/collector/started.ts';
import { decodeTracesData } from '../otlp/proto.ts';

const KEY = '01'.repeat(16);

/** A log whose topic takes records up to `largest`; as Kafka, it may have written the others of a call that it refused. */
function createNarrowLog(largest: number) {
  const written: NewRecord[] = [];
  const log = {
    largest,
    calls: 0,
    written,
    async produce(_topic: string, records: readonly NewRecord[]): Promise<void> {
      log.calls++;
      const fits = records.filter(({ value }) => value.length <= log.largest);
      written.push(...fits);
      if (fits.length < records.length) throw new SpanwardenError('RECORD_TOO_LARGE', 'told so');
    },
  };
  return log;
}

const recordOf = (sizes: readonly number[], first = 1): NewRecord => ({
  kind: RecordKind.spans,
  key: KEY,
  value: requestOf(...sizes.map((size, i) => spanOf(1, first + i, { name: 'x'.repeat(size) }))),
});

const idsIn = (records: readonly NewRecord[]): number[] => [
  ...new Set(
    records.flatMap(({ value }) =>
      (decodeTracesData(value).resourceSpans ?? []).flatMap((resource) =>
        (resource.scopeSpans ?? []).flatMap((scope) => (scope.spans ?? []).map((span) => span.spanId![0]!)),
      ),
    ),
  ),
];

describe('a record larger than the log takes', () => {
  it('is cut until the log takes its parts', async () => {
    const log = createNarrowLog(1_000);
    const writer = createFittingWriter(log);
    expect(await writer.write([recordOf([300, 300, 300, 300, 300, 300, 300])])).toBe(0);
    expect(idsIn(log.written).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('leaves out a span that no record can hold, and keeps those beside it', async () => {
    const log = createNarrowLog(1_000);
    const writer = createFittingWriter(log);
    expect(await writer.write([recordOf([100, 2_000, 100])])).toBe(1);
    expect(idsIn(log.written).sort()).toEqual([1, 3]);
  });

  it('is known by its size afterwards: nothing more is refused', async () => {
    const log = createNarrowLog(1_000);
    const writer = createFittingWriter(log);
    await writer.write([recordOf([300, 300, 300, 300, 300])]);
    const before = log.calls;
    await writer.write([recordOf([300, 300, 300, 300, 300])]);
    expect(log.calls).toBe(before + 1);
  });

  it('any spans in any records: each is written, or counted when it is too large by itself', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 12 }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.integer({ min: 150, max: 2_000 }),
        async (records, largest) => {
          const log = createNarrowLog(largest);
          let first = 1;
          const given = records.map((sizes) => {
            const record = recordOf(sizes, first);
            first += sizes.length;
            return record;
          });
          const sizes = records.flat();
          const lost = await createFittingWriter(log).write(given);
          const alone = sizes.filter((size, i) => recordOf([size], i + 1).value.length > largest);
          expect(lost).toBe(alone.length);
          expect(idsIn(log.written)).toHaveLength(sizes.length - alone.length);
        },
      ),
      { numRuns: 60 },
    ));

  it('does not hide that the log is away', async () => {
    const away = { produce: () => Promise.reject(new SpanwardenError('LOG_UNAVAILABLE', 'away')) };
    await expect(createFittingWriter(away).write([recordOf([1])])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });
});
