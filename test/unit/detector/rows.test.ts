import { describe, expect, it } from 'vitest';
import { createRows, type RowBatch, type RowStore } from '../../../detector/rows.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { verdictRevision } from '../../../schemas/log/verdict.ts';
import type { SegmentSpans } from '../../../traces/segment.ts';
import { verdictOf } from '../responder/verdicts.ts';
import { id, segmentSpansOf } from '../traces/otlp.ts';

const TRACE = 'a'.repeat(32);
const NOW = 10_000;

const spansOf = (numbers: readonly number[], offset: number, traceId = TRACE): SegmentSpans =>
  segmentSpansOf(
    numbers.map((n) => ({ traceId, spanId: id(n) })),
    { traceId, firstOffset: offset },
  );

const verdictAt = (offset: number, spanCount: number, fields: Partial<Verdict> = {}): Verdict => ({
  ...verdictOf({ traceId: fields.traceId ?? TRACE, spanCount }),
  firstOffset: offset,
  ...fields,
});

/** A store that writes down what it is given, in order; `away` makes it refuse. */
function create(stored: Record<string, readonly number[]> = {}) {
  const written: string[] = [];
  const lookedUp: string[][] = [];
  let away = false;
  const store: RowStore = {
    createBatch(): RowBatch {
      let spans: [partition: number, row: string][] = [];
      let verdicts: [partition: number, row: string][] = [];
      return {
        add(segment, verdict, known) {
          for (let i = 0; i < (segment?.spanCount ?? 0); i++) {
            // the span id is the second field of the span message: tag, length, 8 bytes
            const at = segment!.places[i * 7 + 5]!;
            const bytes = segment!.records[segment!.places[i * 7]!]!;
            const spanId = Buffer.from(bytes.subarray(at + 20, at + 28)).toString('hex');
            if (known?.has(spanId)) continue;
            known?.add(spanId);
            spans.push([verdict.partition, `span ${Number.parseInt(spanId, 16)}`]);
          }
          verdicts.push([verdict.partition, `verdict ${verdict.revision}`]);
        },
        drop(partition) {
          spans = spans.filter(([of]) => of !== partition);
          verdicts = verdicts.filter(([of]) => of !== partition);
        },
        get spans() {
          return spans.length;
        },
        get bytes() {
          return 100 * (spans.length + verdicts.length);
        },
        async flush() {
          await Promise.resolve();
          if (away) throw new Error('away');
          written.push(...[...spans, ...verdicts].map(([, row]) => row));
          spans = [];
          verdicts = [];
        },
      };
    },
    async storedSpanIds(traceIds) {
      lookedUp.push([...traceIds]);
      if (away) throw new Error('away');
      return new Map(
        Object.entries(stored)
          .filter(([traceId]) => traceIds.includes(traceId))
          .map(([traceId, numbers]) => [traceId, new Set(numbers.map(id))]),
      );
    },
  };
  return {
    rows: createRows(store),
    written,
    lookedUp,
    setAway(value: boolean) {
      away = value;
    },
  };
}

describe('rows', () => {
  it('go spans first, verdicts last, and hold the commit until they are durable', async () => {
    const { rows, written } = create();
    rows.add(verdictAt(5, 2), spansOf([1, 2], 5), 'new');
    expect([rows.floor(0), rows.spans]).toEqual([5, 2]);
    await rows.flush(NOW);
    expect(written).toEqual(['span 1', 'span 2', `verdict ${verdictRevision(2, 1, false)}`]);
    expect(rows.floor(0)).toBe(Infinity);
  });

  it('added while others are written hold the commit by themselves', async () => {
    const { rows } = create();
    rows.add(verdictAt(5, 1), spansOf([1], 5), 'new');
    const flushing = rows.flush(NOW);
    rows.add(verdictAt(9, 1, { traceId: 'b'.repeat(32) }), spansOf([2], 9, 'b'.repeat(32)), 'new');
    await flushing;
    expect(rows.floor(0)).toBe(9);
  });

  it('are all still there when the store was away', async () => {
    const { rows, written, setAway } = create({ [TRACE]: [1] });
    rows.add(verdictAt(5, 1), spansOf([1], 5), 'some');
    rows.add(verdictAt(7, 1, { traceId: 'b'.repeat(32) }), spansOf([2], 7, 'b'.repeat(32)), 'new');
    setAway(true);
    await expect(rows.flush(NOW)).rejects.toThrow('away');
    expect([rows.floor(0), rows.spans]).toEqual([5, 2]);
    setAway(false);
    await rows.flush(NOW);
    expect(written.filter((row) => row.startsWith('span'))).toEqual(['span 2']);
    expect([rows.floor(0), rows.spans, rows.bytes]).toEqual([Infinity, 0, 0]);
  });

  it('with spans that may be stored are looked up, after what was added before them', async () => {
    const { rows, written, lookedUp } = create({ [TRACE]: [1, 2] });
    rows.add(verdictAt(5, 3), spansOf([1, 2, 3], 5), 'some');
    await rows.flush(NOW);
    expect(lookedUp).toEqual([[TRACE]]);
    expect(written.filter((row) => row.startsWith('span'))).toEqual(['span 3']);
  });

  it('of one trace in one turn do not store a span twice: 5,000 segments take one look-up, not 5,000', async () => {
    const { rows, written, lookedUp } = create();
    for (let i = 0; i < 1_000; i++) {
      rows.add(verdictAt(5, 2, { entrySpanId: id(i) }), spansOf([i, i + 1], 5), 'some');
    }
    await rows.flush(NOW);
    expect(lookedUp).toHaveLength(1);
    const spans = written.filter((row) => row.startsWith('span'));
    expect(new Set(spans).size).toBe(spans.length);
    expect(spans).toHaveLength(1_001);
  });

  it('keep their order: no verdict overtakes the spans that the one before it counts', async () => {
    const { rows, written, setAway } = create();
    rows.add(verdictAt(5, 3), spansOf([1, 2, 3], 5), 'some');
    rows.add(verdictAt(5, 3, { revision: verdictRevision(3, 1, true) }), null, 'all'); // its origin became known
    setAway(true);
    await expect(rows.flush(NOW)).rejects.toThrow();
    setAway(false);
    await rows.flush(NOW);
    expect(written).toEqual([
      'span 1',
      'span 2',
      'span 3',
      `verdict ${verdictRevision(3, 1, false)}`,
      `verdict ${verdictRevision(3, 1, true)}`,
    ]);
  });

  it('of a dropped partition are not looked up or encoded any more', async () => {
    const { rows, written } = create();
    rows.add(verdictAt(5, 1), spansOf([1], 5), 'some');
    rows.add(verdictAt(6, 1, { partition: 1, traceId: 'b'.repeat(32) }), spansOf([2], 6, 'b'.repeat(32)), 'some');
    rows.drop(0);
    await rows.flush(NOW);
    expect(written.filter((row) => row.startsWith('span'))).toEqual(['span 2']);
    expect([rows.floor(0), rows.floor(1), rows.spans]).toEqual([Infinity, Infinity, 0]);
  });

  it('of a dropped partition that were encoded already are not inserted: its new owner does that', async () => {
    const { rows, written } = create();
    rows.add(verdictAt(5, 1), spansOf([1], 5), 'new');
    rows.add(verdictAt(6, 1, { partition: 1, traceId: 'b'.repeat(32) }), spansOf([2], 6, 'b'.repeat(32)), 'new');
    rows.drop(0);
    await rows.flush(NOW);
    expect(written.filter((row) => row.startsWith('span'))).toEqual(['span 2']);
  });

  it('forgotten while they were written do not come back', async () => {
    const { rows, written } = create();
    rows.add(verdictAt(5, 1), spansOf([1], 5), 'some');
    const flushing = rows.flush(NOW);
    rows.clear();
    await flushing;
    expect(written).toEqual([]);
    expect([rows.floor(0), rows.spans, rows.bytes]).toEqual([Infinity, 0, 0]);
  });
});

describe('a replay', () => {
  const known = (verdict: Verdict) => ({
    revision: verdict.revision,
    spanCount: verdict.spanCount,
    firstOffset: verdict.firstOffset,
  });

  it('writes nothing that is stored, and only the verdict when all spans are', async () => {
    const { rows, written } = create();
    const before = verdictAt(5, 2);
    rows.replay(0, new Map([[before.id, known(before)]]), 100, 0);
    expect(rows.isReplay(before)).toBe(true);
    rows.add(before, spansOf([1, 2], 5), 'new');
    expect([rows.floor(0), rows.replayed]).toEqual([Infinity, 2]);
    rows.add({ ...before, stage: 2, revision: verdictRevision(2, 2, false) }, spansOf([1, 2], 5), 'all');
    await rows.flush(NOW);
    expect(written).toEqual([`verdict ${verdictRevision(2, 2, false)}`]);
  });

  it('writes an origin that was given up although its revision is stored: the row may still say pending', async () => {
    const { rows, written } = create();
    const before = verdictAt(5, 2, { originState: 'pending' });
    rows.replay(0, new Map([[before.id, known(before)]]), 100, 0);
    rows.add({ ...before, originState: 'unknown' }, null, 'all');
    await rows.flush(NOW);
    expect(written).toEqual([`verdict ${before.revision}`]);
  });

  it('looks up what a crash may have left between spans and verdicts, as far as one can have come', async () => {
    const { rows, written, lookedUp } = create({ [TRACE]: [1] });
    rows.replay(0, new Map(), 100, 0);
    rows.add(verdictAt(99, 1), spansOf([1], 99), 'new');
    rows.add(verdictAt(100, 1, { traceId: 'b'.repeat(32) }), spansOf([2], 100, 'b'.repeat(32)), 'new');
    await rows.flush(NOW);
    expect(lookedUp).toEqual([[TRACE]]);
    expect(written.filter((row) => row.startsWith('span'))).toEqual(['span 2']);
  });

  it('waits with what a former owner may still be writing, and says that it is not durable', async () => {
    const { rows, written, lookedUp } = create();
    const other = { partition: 1, traceId: 'b'.repeat(32) };
    rows.replay(0, new Map(), 100, NOW + 1);
    rows.add(verdictAt(5, 1), spansOf([1], 5), 'new');
    rows.add(verdictAt(7, 1, other), spansOf([2], 7, other.traceId), 'new');
    await rows.flush(NOW);
    expect(written.filter((row) => row.startsWith('span'))).toEqual(['span 2']);
    expect([rows.floor(0), rows.floor(1), rows.spans]).toEqual([5, Infinity, 1]);
    expect(lookedUp).toEqual([]);
    await rows.flush(NOW + 1);
    expect(written.filter((row) => row.startsWith('span'))).toEqual(['span 2', 'span 1']);
    expect([rows.floor(0), rows.spans]).toEqual([Infinity, 0]);
  });

  it('is over when everything it covered is committed', () => {
    const { rows } = create();
    const before = verdictAt(5, 2);
    rows.replay(0, new Map([[before.id, known(before)]]), 100, 0);
    rows.passed(0, 99);
    expect(rows.isReplay(before)).toBe(true);
    rows.passed(0, 100);
    expect(rows.isReplay(before)).toBe(false);
  });
});
