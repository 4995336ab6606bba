/** Frames: whatever goes in comes out, from any offset on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame, recordSize } from '../../../runtime/log/frame.ts';
import type { LogRecord, NewRecord } from '../../../runtime/log/port.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';

const anyRecord: fc.Arbitrary<NewRecord> = fc.record({
  kind: fc.constantFrom(...Object.values(RecordKind)),
  key: fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })),
  value: fc.uint8Array({ maxLength: 300 }),
});

test('records come back in order with kind, key and value', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 40 }), fc.nat(50), (records, skip) => {
      const bytes = encodeFrame(records, 0, records.length);
      expect(bytes.length).toBeLessThanOrEqual(records.reduce((sum, one) => sum + recordSize(one), 0));
      const out: LogRecord[] = [];
      decodeFrame({ baseOffset: 100, count: records.length, appendMs: 7, bytes }, 3, 100 + skip, out);
      expect(out).toEqual(
        records
          .map(({ kind, key, value }, i) => ({ partition: 3, offset: 100 + i, appendMs: 7, kind, key, value }))
          .slice(skip),
      );
    }),
  );
});
