/** What hostile or broken traces do to the detector's core: bounded work, nothing lost, nobody else blamed, nothing left open. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCore } from '../../../detector/core/core.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { observeAssembly, observeReading } from '../../../runtime/telemetry/observed.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { createSpanHead, readSpanHead } from '../../../schemas/otlp/read-span.ts';
import { hexOfPair } from '../../../schemas/otlp/text.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../../traces/segment.ts';
import { EPOCH_MS, id, TRACE, tracesData, type WireSpan } from '../traces/otlp.ts';

const REMOTE = 0x300;

/** A core with the default configuration; what it stores, by verdict id and by span. */
function setUp() {
  const assembly = assemblySection.parse({});
  const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
  const metrics = createMetrics();
  observeReading(metrics, 'detector', kit.reader.stats);
  const verdicts = new Map<string, Verdict>();
  const withdrawn = new Set<string>();
  const storedSpans = new Map<string, number>();
  const findings: Verdict[] = [];
  const head = createSpanHead();
  const spanIds = ({ records, places, spanCount, traceId }: SegmentSpans): string[] =>
    Array.from({ length: spanCount }, (_, i) => {
      const at = i * PLACE_STRIDE;
      readSpanHead(records[places[at]!]!, places[at + 5]!, places[at + 6]!, head);
      return traceId + hexOfPair(head.spanIdHigh, head.spanIdLow);
    });
  const core = createCore(
    { assembly, originWaitMs: 3_000, maxRemembered: 1_000 },
    {
      createAssembler: (sink) => observeAssembly(metrics, 'detector', createAssembler(assembly, { sink })),
      segment: kit.segment,
      read: kit.reader.read,
      isSensitive: () => false,
      versionAt: () => null,
    },
    {
      store(verdict, spans, stored) {
        verdicts.set(verdict.id, verdict);
        if (verdict.state === 'withdrawn') withdrawn.add(verdict.id);
        if (spans === null || stored === 'all') return;
        // as rows are stored: of a segment of which some may be there, only those that are not
        for (const key of spanIds(spans)) {
          if (stored === 'new' || !storedSpans.has(key)) storedSpans.set(key, (storedSpans.get(key) ?? 0) + 1);
        }
      },
      finding: (verdict) => findings.push(verdict),
      collective: () => {},
      judged: () => {},
      ask: () => {},
      answer: () => {},
      lookUp: () => {},
      seen: () => {},
    },
  );
  let offset = 0;
  let nowMs = 0;
  /** Stream time moves in steps, as the detector moves it. */
  function until(ms: number): void {
    while (nowMs < ms) {
      nowMs = Math.min(ms, nowMs + 1_000);
      core.advance(0, EPOCH_MS + nowMs);
    }
  }
  return {
    verdicts,
    withdrawn,
    storedSpans,
    findings,
    send(ms: number, spans: readonly WireSpan[]) {
      until(ms);
      core.spans(0, offset++, EPOCH_MS + ms, tracesData(spans));
    },
    async count(event: string): Promise<number> {
      const found = new RegExp(`event="${event}"\\} (\\d+)$`, 'm').exec(await metrics.text());
      return Number(found?.[1] ?? Number.NaN);
    },
    until,
    /** Beyond every wait: nothing may be held any more. */
    end(ms: number) {
      until(ms + 200_000);
      expect(core.floor(0)).toBe(Number.POSITIVE_INFINITY);
    },
  };
}

const request = (n: number, more: Partial<WireSpan> = {}): WireSpan => ({
  spanId: id(n),
  kind: 'server',
  start: n,
  ...more,
});

describe('one trace', () => {
  it('of 10,000 spans keeps its first 5,000 together, judges the others one by one, and stores each once', async () => {
    const { send, end, verdicts, storedSpans, count } = setUp();
    const children = Array.from(
      { length: 9_999 },
      (_, i): WireSpan => ({ spanId: id(i + 2), parent: id(1), kind: 'internal', start: 1 }),
    );
    send(0, [request(1), ...children.slice(0, 999)]);
    for (let from = 999; from < children.length; from += 1_000) send(from, children.slice(from, from + 1_000));
    end(20_000);
    expect(storedSpans.size).toBe(10_000);
    expect([...storedSpans.values()].every((times) => times === 1)).toBe(true);
    const entry = [...verdicts.values()].find(({ entrySpanId }) => entrySpanId === id(1))!;
    expect(entry).toMatchObject({ spanCount: 5_000, truncated: true });
    expect(await count('truncated_spans')).toBe(5_000);
    expect(await count('closed_full')).toBe(1);
  });

  it('whose id 700 clients use at once names each of them by itself, and says once that the id is reused', async () => {
    const { send, end, verdicts, storedSpans, findings, count } = setUp();
    const peer = (n: number): string => `203.0.${113 + (n >> 8)}.${n & 255}`;
    for (let n = 0; n < 700; n++) {
      const attributes = { 'http.request.method': 'GET', 'http.route': '/', 'network.peer.address': peer(n) };
      send(n, [request(n + 10, { parent: id(1), flags: REMOTE, attributes })]);
    }
    end(20_000);
    const seen = new Map(
      [...verdicts.values()]
        .filter(({ spanCount }) => spanCount > 0)
        .map(({ entrySpanId, client }) => [entrySpanId, client.address]),
    );
    expect(seen.size).toBe(700);
    for (let n = 0; n < 700; n++) expect(seen.get(id(n + 10))).toBe(peer(n));
    expect(storedSpans.size).toBe(700);
    const reused = findings.filter((verdict) => verdict.findings.some(({ kind }) => kind === 'trace-id-reused'));
    expect(reused).toHaveLength(1);
    expect(await count('reused_traces')).toBe(1);
    expect(await count('overflow_spans')).toBe(200);
  });

  it('whose root never comes is judged when the absence grace is over, and says so', () => {
    const { send, until, end, verdicts } = setUp();
    send(0, [request(2, { parent: id(1), flags: REMOTE }), { spanId: id(3), parent: id(2), kind: 'internal' }]);
    until(11_000);
    expect(verdicts.size).toBe(0);
    end(12_000);
    expect([...verdicts.values()]).toMatchObject([{ entrySpanId: id(2), spanCount: 2, traceId: TRACE }]);
  });

  it('sent three times is stored and counted once', async () => {
    const { send, end, verdicts, storedSpans, count } = setUp();
    const spans = [request(1), { spanId: id(2), parent: id(1) }];
    for (const ms of [0, 10, 5_000]) send(ms, spans);
    end(20_000);
    expect([...storedSpans.values()]).toEqual([1, 1]);
    expect([...verdicts.values()]).toMatchObject([{ spanCount: 2 }]);
    expect(await count('duplicate_spans')).toBe(4);
  });

  it('with a late span is judged again with all of it, under the same id and a higher revision', async () => {
    const { send, until, end, verdicts, count } = setUp();
    send(0, [request(1)]);
    until(30_000);
    const [before] = [...verdicts.values()];
    send(31_000, [{ spanId: id(2), parent: id(1), kind: 'internal' }]);
    end(40_000);
    expect([...verdicts.keys()]).toEqual([before!.id]);
    const [after] = [...verdicts.values()];
    expect(after!.spanCount).toBe(2);
    expect(after!.revision).toBeGreaterThan(before!.revision);
    expect(await count('late_spans')).toBe(1);
  });

  it('of 1970, of 2100, ending before its start, is counted and judged at the time it came', async () => {
    const { send, end, verdicts, count } = setUp();
    send(500, [request(1, { start: 5n, end: 6n })]);
    send(600, [request(2, { traceId: 'b'.repeat(32), start: 4_102_444_900_000_000_000n })]);
    send(700, [request(3, { traceId: 'c'.repeat(32), start: 100, end: 40 })]);
    end(20_000);
    const starts = [...verdicts.values()].map(({ startMs, endMs }) => [startMs - EPOCH_MS, endMs >= startMs]);
    expect(starts).toEqual(
      expect.arrayContaining([
        [500, true],
        [600, true],
        [100, true],
      ]),
    );
    // each is read at its close and again when the absence grace is over
    expect(await count('clamped_times')).toBe(4);
    expect(await count('negative_durations')).toBe(2);
  });
});

/** Spans without any sense: rings, missing parents, wrong times, repeated ids, a few trace ids for everything. */
const senseless: fc.Arbitrary<WireSpan> = fc
  .record({
    trace: fc.integer({ min: 1, max: 3 }),
    span: fc.integer({ min: 1, max: 12 }),
    parent: fc.integer({ min: 0, max: 14 }),
    kind: fc.constantFrom('server', 'client', 'internal', 'producer', 'consumer', 'unspecified' as const),
    flags: fc.constantFrom(undefined, 0x100, REMOTE),
    start: fc.constantFrom(0n, 5n, BigInt(EPOCH_MS) * 1_000_000n, 4_102_444_900_000_000_000n, 2n ** 64n - 1n),
    end: fc.constantFrom(0n, BigInt(EPOCH_MS) * 1_000_000n, 2n ** 63n, 2n ** 64n - 1n),
    links: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ trace, span, parent, kind, flags, start, end, links }): WireSpan => {
    const traceId = trace.toString(16).padStart(32, '0');
    return {
      traceId,
      spanId: id(span),
      kind,
      start,
      end,
      ...(parent > 0 && { parent: id(parent) }),
      ...(flags !== undefined && { flags }),
      links: Array.from({ length: links }, (_, i) => ({ traceId, spanId: id(i + 1) })),
    };
  });

it('any spans in any order: every one is stored, every duration is finite, and nothing is held in the end', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(senseless, fc.integer({ min: 0, max: 9_000 })), { maxLength: 40 }), (arrivals) => {
      const { send, end, verdicts, withdrawn, storedSpans } = setUp();
      let ms = 0;
      for (const [span, waitMs] of arrivals) {
        ms += waitMs;
        send(ms, [span]);
      }
      end(ms);
      const sent = new Set(arrivals.map(([{ traceId, spanId }]) => traceId! + spanId));
      // a span id may come again when its segment is forgotten: then it is another span to us
      expect(new Set(storedSpans.keys())).toEqual(sent);
      for (const [verdictId, { startMs, endMs, p, spanCount }] of verdicts) {
        if (withdrawn.has(verdictId)) continue;
        expect(Number.isFinite(startMs) && Number.isFinite(endMs) && endMs >= startMs).toBe(true);
        expect(p).toBe(1);
        expect(spanCount).toBeGreaterThan(0);
      }
    }),
    { numRuns: 150 },
  );
});
