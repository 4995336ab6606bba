/** Assembly: when segments close, what their entry is, how late parts join, what the caps do, and that batching changes nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AssemblyConfig, assemblySection } from '../../../schemas/config/assembly.ts';
import { createSpanHead, readSpanHead } from '../../../schemas/otlp/read-span.ts';
import { hexOf } from '../../../schemas/otlp/text.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import type { AssemblerDeps } from '../../../traces/assembly/contract.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../../traces/segment.ts';
import { EPOCH_MS, id, TRACE, tracesData, type WireSpan } from './otlp.ts';

const REMOTE = 0x300;
const LOCAL = 0x100;

const head = createSpanHead();
/** Span numbers of a closed segment, the entry first, the rest ascending. */
function numbersOf(spans: SegmentSpans): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < spans.spanCount; i++) {
    const at = i * PLACE_STRIDE;
    const bytes = spans.records[spans.places[at]!]!;
    expect(readSpanHead(bytes, spans.places[at + 5]!, spans.places[at + 6]!, head)).toBe(true);
    expect(hexOf(bytes, head.traceIdStart, 16)).toBe(spans.traceId);
    numbers.push(head.spanIdLow);
  }
  return [numbers[0]!, ...numbers.slice(1).sort((a, b) => a - b)];
}

function setUp(config: Partial<AssemblyConfig> = {}, deps: Partial<AssemblerDeps> = {}) {
  const said: string[] = [];
  const last = new Map<string, SegmentSpans>();
  const tell = (what: string, spans: SegmentSpans) =>
    said.push(`${what} ${spans.entryReason} ${numbersOf(spans).join(',')}`);
  const assembler = createAssembler(assemblySection.parse(config), {
    sink: {
      closed(spans, stage, absent) {
        tell(stage === 'late' ? `late${absent ? '+absent' : ''}` : stage, spans);
        last.set(`${spans.partition} ${spans.traceId} ${spans.entrySpanId}`, spans);
      },
      withdrawn(spans) {
        tell('withdrawn', spans);
        last.delete(`${spans.partition} ${spans.traceId} ${spans.entrySpanId}`);
      },
      settled: (spans) => tell('settled', spans),
      reused: (_partition, offset, _appendMs, traceId) => said.push(`reused ${traceId} at ${offset}`),
      forgotten: (_partition, _traceId, entrySpanId) => said.push(`forgotten ${Number.parseInt(entrySpanId, 16)}`),
    },
    ...deps,
  });
  let offset = 0;
  return {
    assembler,
    said,
    last,
    /** Adds one record, `ms` after the epoch. */
    add: (ms: number, ...spans: WireSpan[]) => assembler.add(0, offset++, EPOCH_MS + ms, tracesData(spans)),
    advance: (ms: number) => assembler.advance(0, EPOCH_MS + ms),
    /** What was said since the last call. */
    take: () => said.splice(0),
  };
}

const root = (n: number, more: Partial<WireSpan> = {}): WireSpan => ({
  spanId: id(n),
  kind: 'server',
  end: 0,
  ...more,
});
const child = (n: number, parent: number, more: Partial<WireSpan> = {}): WireSpan => ({
  spanId: id(n),
  parent: id(parent),
  kind: 'internal',
  end: 0,
  ...more,
});

describe('closing', () => {
  it('waits for the grace after the entry and the last span, then for the absence grace, then forgets', () => {
    const { add, advance, take, assembler } = setUp();
    add(0, root(1), child(2, 1));
    add(1_500, child(3, 2));
    advance(3_499);
    expect(take()).toEqual([]);
    expect(assembler.isOpen(TRACE)).toBe(true);
    advance(3_500);
    expect(take()).toEqual(['closed root 1,2,3']);
    expect(assembler.isOpen(TRACE)).toBe(false);
    advance(13_499);
    expect(take()).toEqual([]);
    expect(assembler.unsettledFloor(0)).toBe(0);
    advance(13_500);
    expect(take()).toEqual(['absence root 1,2,3', 'settled root 1,2,3']);
    expect([assembler.unsettledFloor(0), assembler.commitFloor(0)]).toEqual([Number.POSITIVE_INFINITY, 0]);
    advance(63_500);
    expect(take()).toEqual(['forgotten 1']);
    expect(assembler.commitFloor(0)).toBe(Number.POSITIVE_INFINITY);
    expect(assembler.gauges()).toEqual({ spans: 0, segments: 0, bytes: 0 });
  });

  it('does not wait for an entry whose clock runs ahead longer than the idle time', () => {
    const { add, advance, take, assembler } = setUp();
    add(0, root(1, { start: 0, end: 3_600_000 }));
    advance(9_999);
    expect(take()).toEqual([]);
    advance(10_000);
    expect(take()).toEqual(['closed root 1']);
    expect(assembler.stats.closedIdle).toBe(1);
  });

  it.each([
    ['no end', 0n],
    ['an end before the start', -5],
    ['an end that no clock shows', 0x7fff_ffff_ffff_ffffn],
  ])('closes as ever where an entry has %s', (_, end) => {
    const { add, advance, take, assembler } = setUp();
    add(0, root(1, { start: 10, end }), child(2, 1, { end: 0n }));
    advance(1_999);
    expect(take()).toEqual([]);
    advance(2_000);
    expect(take()).toEqual(['closed root 1,2']);
    advance(12_000);
    expect(take()).toEqual(['absence root 1,2', 'settled root 1,2']);
    advance(62_000);
    expect(take()).toEqual(['forgotten 1']);
    expect(assembler.gauges()).toEqual({ spans: 0, segments: 0, bytes: 0 });
  });

  it('closes at the maximum age however many spans still come', () => {
    const { add, take, assembler } = setUp({ maxAgeMs: 5_000 });
    for (let i = 0; i <= 6; i++) add(i * 1_000, i === 0 ? root(1) : child(i + 1, 1));
    expect(take()).toEqual(['closed root 1,2,3,4,5']);
    expect(assembler.stats.closedAge).toBe(1);
  });

  it('gives a late span with its whole segment, before and after the absence grace, and learns it once', () => {
    const { add, advance, take, assembler } = setUp();
    add(0, root(1));
    advance(2_000);
    expect(take()).toEqual(['closed root 1']);
    add(4_000, child(2, 1));
    advance(6_000);
    expect(take()).toEqual(['late root 1,2']);
    advance(16_000);
    expect(take()).toEqual(['absence root 1,2', 'settled root 1,2']);
    add(30_000, child(3, 2));
    advance(32_000);
    expect(take()).toEqual(['late+absent root 1,2,3']);
    expect(assembler.stats).toMatchObject({ lateSpans: 2, settled: 1, closedLate: 2 });
    advance(62_000);
    expect(take()).toEqual(['forgotten 1']);
  });

  it('keeps a span id once, and different traces and partitions apart', () => {
    const { add, advance, take, assembler } = setUp();
    const other = 'f'.repeat(32);
    add(0, root(1), root(1, { traceId: other }), child(2, 1));
    add(1, root(1), child(2, 1));
    assembler.add(1, 7, EPOCH_MS, tracesData([root(1)]));
    advance(2_001);
    expect(take().sort()).toEqual(['closed root 1', 'closed root 1,2']);
    expect(assembler.stats.duplicateSpans).toBe(2);
    assembler.advance(1, EPOCH_MS + 2_000);
    expect(take()).toEqual(['closed root 1']);
    expect(assembler.commitFloor(1)).toBe(7);
  });
});

describe('entries', () => {
  it.each<[string, string, WireSpan]>([
    ['a span marked remote', 'remote', child(2, 1, { flags: REMOTE })],
    ['a SERVER span without flags', 'parent-missing', child(2, 1, { kind: 'server' })],
    ['a span without kind and flags', 'parent-missing', child(2, 1, { kind: 'unspecified' })],
    ['a SERVER span with a local parent', 'orphan', child(2, 1, { kind: 'server', flags: LOCAL })],
    ['a CLIENT span', 'orphan', child(2, 1, { kind: 'client' })],
    ['an INTERNAL span', 'orphan', child(2, 1)],
  ])('%s whose parent never comes: %s, after the absence grace', (_, reason, span) => {
    const { add, advance, take } = setUp();
    add(0, span, child(3, 2));
    advance(11_999);
    expect(take()).toEqual([]);
    advance(12_000);
    expect(take()).toEqual([`absence ${reason} 2,3`, `settled ${reason} 2,3`]);
  });

  it('joins a parent that comes before the grace is over, without a word', () => {
    const { add, advance, take } = setUp();
    add(0, child(3, 2), child(2, 1, { flags: REMOTE }));
    add(5_000, root(1));
    advance(7_000);
    expect(take()).toEqual(['closed root 1,2,3']);
  });

  it('withdraws what it judged alone when the parent comes later', () => {
    const { add, advance, take, assembler } = setUp();
    add(0, child(2, 1, { flags: REMOTE }));
    advance(12_000);
    expect(take()).toEqual(['absence remote 2', 'settled remote 2']);
    add(20_000, root(1));
    expect(take()).toEqual(['withdrawn remote 2']);
    advance(32_000);
    expect(take()).toEqual(['closed root 1,2', 'absence root 1,2', 'settled root 1,2']);
    expect(assembler.commitFloor(0)).toBe(0);
    expect(assembler.stats.withdrawn).toBe(1);
  });

  it('takes an operation that is listed as an edge at once', () => {
    const asked: number[] = [];
    const { add, advance, take, assembler } = setUp(
      {},
      {
        isEdge: ({ bytes, spanStart, spanEnd }) => {
          readSpanHead(bytes, spanStart, spanEnd, head);
          asked.push(head.spanIdLow);
          return head.spanIdLow === 2;
        },
      },
    );
    add(0, child(2, 1, { flags: REMOTE }), child(3, 99, { flags: REMOTE }), child(4, 98));
    advance(2_000);
    expect(take()).toEqual(['closed remote 2']);
    advance(12_000);
    expect(take().sort()).toEqual([
      'absence orphan 4',
      'absence remote 2',
      'absence remote 3',
      'settled orphan 4',
      'settled remote 2',
      'settled remote 3',
    ]);
    expect(asked.sort()).toEqual([2, 3]);
    expect(assembler.stats).toMatchObject({ entriesEdge: 1, entriesRemote: 2, entriesOrphan: 1 });
  });

  it('opens a segment at a CONSUMER span, whether its parent is there or not, and says it is asynchronous', () => {
    const { add, advance, take, last } = setUp();
    add(0, root(1), child(2, 1, { kind: 'producer' }), child(3, 2, { kind: 'consumer' }), child(4, 3));
    add(0, child(6, 77, { kind: 'consumer', flags: REMOTE }));
    advance(2_000);
    expect(take().sort()).toEqual(['closed consumer 3,4', 'closed consumer 6', 'closed root 1,2']);
    expect(
      [...last.values()].map((spans) => [Number.parseInt(spans.entrySpanId, 16), spans.asynchronous]).sort(),
    ).toEqual([
      [1, false],
      [3, true],
      [6, true],
    ]);
  });

  it('keeps the messages of a batch in the segment of the root that received them', () => {
    const { add, advance, take, last } = setUp();
    const link = { traceId: 'e'.repeat(32), spanId: id(9) };
    add(
      0,
      { spanId: id(1), kind: 'client', end: 0 },
      child(2, 1, { kind: 'consumer', flags: LOCAL, links: [link] }),
      child(3, 1, { flags: LOCAL }),
    );
    advance(2_000);
    expect(take()).toEqual(['closed root 1,2,3']);
    expect([...last.values()][0]!.asynchronous).toBe(true);
  });

  it.each<[string, boolean, WireSpan]>([
    [
      'a worker root with a link',
      true,
      { spanId: id(1), kind: 'internal', end: 0, links: [{ traceId: 'e'.repeat(32), spanId: id(9) }] },
    ],
    [
      'a server root with a link',
      false,
      { spanId: id(1), kind: 'server', end: 0, links: [{ traceId: 'e'.repeat(32), spanId: id(9) }] },
    ],
    ['a job root without one', false, { spanId: id(1), kind: 'internal', end: 0 }],
  ])('%s is asynchronous: %s', (_, expected, span) => {
    const { add, advance, last } = setUp();
    add(0, span);
    advance(2_000);
    expect([...last.values()][0]!.asynchronous).toBe(expected);
  });

  it.each([[[2, 3, 4]], [[4, 3, 2]], [[3, 2, 4]]])('in a ring of parents is its earliest span, read as %j', (order) => {
    const ring: Record<number, WireSpan> = {
      2: child(2, 4, { start: 5 }),
      3: child(3, 2, { start: 1 }),
      4: child(4, 3, { start: 9 }),
    };
    const { add, advance, take, assembler } = setUp();
    for (const n of order) add(0, ring[n]!);
    add(0, child(5, 4), child(6, 6));
    advance(12_000);
    expect(
      take()
        .filter((text) => text.startsWith('absence'))
        .sort(),
    ).toEqual(['absence orphan 3,2,4,5', 'absence orphan 6']);
    expect(assembler.stats.cyclicSegments).toBe(2);
  });
});

describe('caps', () => {
  it('judges the spans of a full segment one by one, and their children too', () => {
    const { add, advance, take, assembler } = setUp({ maxSpansPerSegment: 10 });
    add(0, root(1), ...Array.from({ length: 20 }, (_, i) => child(i + 2, 1)));
    add(0, child(40, 21));
    advance(2_000);
    const said = take();
    expect(said.filter((text) => text.startsWith('closed orphan'))).toHaveLength(12);
    expect(said.filter((text) => text.startsWith('forgotten'))).toHaveLength(12);
    expect(said).toContain('closed root 1,2,3,4,5,6,7,8,9,10');
    expect(assembler.stats).toMatchObject({ spans: 10, truncatedSpans: 12, closedFull: 1 });
  });

  it('keeps segments apart that would be too large together', () => {
    const { add, advance, take, assembler } = setUp({ maxSpansPerSegment: 10 });
    add(0, child(20, 2), ...Array.from({ length: 6 }, (_, i) => child(21 + i, 20)));
    add(0, root(1), ...Array.from({ length: 6 }, (_, i) => child(10 + i, 1)), child(2, 1));
    advance(12_000);
    expect(take().sort()).toEqual([
      'absence orphan 20,21,22,23,24,25,26',
      'absence root 1,2,10,11,12,13,14,15',
      'closed root 1,2,10,11,12,13,14,15',
      'settled orphan 20,21,22,23,24,25,26',
      'settled root 1,2,10,11,12,13,14,15',
    ]);
    expect(assembler.stats.splitSegments).toBe(1);
  });

  it('tells once that a trace id is used by everybody, and judges the rest alone', () => {
    const { add, advance, take, assembler } = setUp({ maxSegmentsPerTrace: 3 });
    for (let i = 0; i < 8; i++) add(i, child(i + 10, 1, { kind: 'server', flags: REMOTE }));
    advance(12_010);
    const said = take();
    expect(said.filter((text) => text.startsWith('reused'))).toEqual([`reused ${TRACE} at 3`]);
    expect(said.filter((text) => text.startsWith('absence'))).toHaveLength(3);
    expect(said.filter((text) => text.startsWith('closed'))).toHaveLength(5);
    expect(assembler.stats).toMatchObject({ spans: 3, overflowSpans: 5, reusedTraces: 1 });
  });

  it('holds a bounded number of spans when one traceparent is used by everybody', () => {
    const { add, assembler } = setUp({ maxSpansPerSegment: 50, maxSegmentsPerTrace: 20 });
    for (let i = 0; i < 2_000; i++) add(i * 20, child(i + 10, 1, { kind: 'server', flags: REMOTE }));
    // 20 entries that are decided and 50 that wait for the parent.
    expect(assembler.gauges().segments).toBe(70);
    assembler.end();
    const { spans, overflowSpans } = assembler.stats;
    expect(spans + overflowSpans).toBe(2_000);
  });

  it('closes the oldest first when memory runs out', () => {
    const { add, take, assembler } = setUp({ maxOpenBytes: 1_048_576 });
    for (let i = 0; i < 3_000; i++)
      add(0, root(i + 1, { traceId: (i + 1).toString(16).padStart(32, '0'), name: 'x'.repeat(200) }));
    expect(assembler.gauges().bytes).toBeLessThanOrEqual(1_048_576);
    expect(assembler.stats.closedMemory).toBeGreaterThan(100);
    const closed = take().filter((text) => text.startsWith('closed'));
    expect(closed).toHaveLength(assembler.stats.closedMemory);
    expect(closed[0]).toBe('closed root 1');
    expect(assembler.commitFloor(0)).toBe(closed.length);
  });
});

describe('bad input', () => {
  it('counts what is no TracesData, and spans without ids', () => {
    const { assembler, add } = setUp();
    expect(assembler.add(0, 0, EPOCH_MS, Uint8Array.of(10, 200, 1, 1))).toBe(false);
    expect(add(0, { spanId: '0000000000000000' })).toBe(true);
    expect(add(0, { spanId: id(1), traceId: '0'.repeat(32) })).toBe(true);
    expect(assembler.stats).toMatchObject({ malformedRecords: 1, invalidSpans: 2, spans: 0 });
    expect(assembler.gauges()).toMatchObject({ spans: 0, segments: 0 });
  });

  it('survives any damage and loses nothing that it holds', () => {
    const record = tracesData([root(1), child(2, 1), child(3, 2, { kind: 'consumer' })]);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(record.length - 1), fc.nat(255)), { maxLength: 5 }), (changes) => {
        const { assembler } = setUp();
        const bytes = record.slice();
        for (const [at, value] of changes) bytes[at] = value;
        assembler.add(0, 0, EPOCH_MS, bytes);
        assembler.end();
        expect(assembler.gauges()).toEqual({ spans: 0, segments: 0, bytes: 0 });
      }),
      { numRuns: 200 },
    );
  });
});

// ——— properties ———

interface Plan {
  readonly spans: readonly WireSpan[];
}

/** A few traces with every kind of entry, orphans, rings and missing parents. */
const plans: fc.Arbitrary<Plan> = fc
  .array(
    fc.array(
      fc.record({
        parent: fc.nat(30),
        kind: fc.constantFrom('server', 'client', 'internal', 'producer', 'consumer', 'unspecified') as fc.Arbitrary<
          NonNullable<WireSpan['kind']>
        >,
        flags: fc.constantFrom(undefined, LOCAL, REMOTE),
        start: fc.nat(500),
      }),
      { minLength: 1, maxLength: 20 },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((traces) => ({
    spans: traces.flatMap((trace, t) =>
      trace.map(({ parent, kind, flags, start }, i): WireSpan => {
        const span = {
          traceId: (t + 1).toString(16).padStart(32, '0'),
          spanId: id(i + 1),
          kind,
          start,
          end: start + 10,
        };
        const withFlags = flags === undefined ? span : { ...span, flags };
        // 0: a root; 21 and above: a parent that never comes; its own number: a ring.
        return parent === 0 || i === 0 ? withFlags : { ...withFlags, parent: id(parent) };
      }),
    ),
  }));

const summary = (last: ReadonlyMap<string, SegmentSpans>): string[] =>
  [...last.values()]
    .map((spans) => `${spans.traceId} ${spans.entryReason} ${spans.asynchronous} ${numbersOf(spans).join(',')}`)
    .sort();

/** Final segments when `spans` come in this order, cut into records at `cuts`, all within the graces or spread over them. */
function finalOf(spans: readonly WireSpan[], cuts: readonly number[], gapMs: number) {
  const { assembler, last } = setUp();
  let offset = 0;
  for (let at = 0; at < spans.length; ) {
    const length = 1 + (cuts[offset % Math.max(1, cuts.length)] ?? 0);
    assembler.add(0, offset, EPOCH_MS + 1_000 + offset * gapMs, tracesData(spans.slice(at, at + length)));
    at += length;
    offset++;
  }
  const { stats } = assembler;
  assembler.end();
  expect(assembler.gauges()).toEqual({ spans: 0, segments: 0, bytes: 0 });
  return { final: summary(last), stats, last };
}

function shuffled<T>(list: readonly T[], dice: readonly number[]): T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = (dice[i % Math.max(1, dice.length)] ?? 0) % (i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

describe('properties', () => {
  it('final segments do not depend on batches, order and interleaving, nor on what was late', () => {
    fc.assert(
      fc.property(
        plans,
        fc.array(fc.nat(5), { maxLength: 8 }),
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(0, 100, 600),
        ({ spans }, cuts, dice, gapMs) => {
          const whole = finalOf(spans, [spans.length], 0).final;
          expect(finalOf(spans, cuts, 0).final).toEqual(whole);
          expect(finalOf(shuffled(spans, dice), cuts, gapMs).final).toEqual(whole);
        },
      ),
      { numRuns: 80 },
    );
  });

  it('loses nothing: every span is in exactly one final segment', () => {
    fc.assert(
      fc.property(
        plans,
        fc.array(fc.nat(5), { maxLength: 8 }),
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 }),
        ({ spans }, cuts, dice) => {
          const { last, stats } = finalOf(shuffled([...spans, ...spans.slice(0, 5)], dice), cuts, 300);
          const seen: string[] = [];
          for (const closed of last.values()) for (const n of numbersOf(closed)) seen.push(`${closed.traceId} ${n}`);
          expect(seen.sort()).toEqual(
            spans.map((span) => `${span.traceId} ${Number.parseInt(span.spanId, 16)}`).sort(),
          );
          expect(stats.spans).toBe(spans.length);
          expect(stats.duplicateSpans).toBe(Math.min(5, spans.length));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives the same final segments after a crash and a replay that starts early enough', () => {
    fc.assert(
      fc.property(
        plans,
        fc.array(fc.nat(3), { maxLength: 8 }),
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 }),
        fc.nat(40),
        fc.constantFrom(100, 1_000, 5_000),
        ({ spans }, cuts, dice, crash, gapMs) => {
          const order = shuffled(spans, dice);
          const records: { ms: number; value: Uint8Array }[] = [];
          for (let at = 0; at < order.length; ) {
            const length = 1 + (cuts[records.length % Math.max(1, cuts.length)] ?? 0);
            records.push({
              ms: EPOCH_MS + 1_000 + records.length * gapMs,
              value: tracesData(order.slice(at, at + length)),
            });
            at += length;
          }
          const expected = setUp();
          records.forEach(({ ms, value }, offset) => {
            expected.assembler.add(0, offset, ms, value);
          });
          expected.assembler.end();

          const { assembler, last } = setUp();
          const stop = Math.min(crash, records.length);
          for (let offset = 0; offset < stop; offset++)
            assembler.add(0, offset, records[offset]!.ms, records[offset]!.value);
          const floor = Math.min(assembler.commitFloor(0), stop);
          const fromMs = (records[floor]?.ms ?? EPOCH_MS) - assembler.warmUpMs;
          assembler.drop(0);
          expect(assembler.gauges()).toEqual({ spans: 0, segments: 0, bytes: 0 });
          assembler.resume(0, floor);
          records.forEach(({ ms, value }, offset) => {
            if (ms >= fromMs) assembler.add(0, offset, ms, value);
          });
          assembler.end();
          expect(summary(last)).toEqual(summary(expected.last));
        },
      ),
      { numRuns: 80 },
    );
  });
});
