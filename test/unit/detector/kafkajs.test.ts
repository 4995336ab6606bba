/**
 * Spans as @opentelemetry/instrumentation-kafkajs 0.33 exports them, recorded from the demo's shop on a real broker: an
 * avatar that was fetched from inside. The worker's spans were exported before those of the request that queued the work.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createCore } from '../../../detector/core/core.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import type { OriginAnswer, OriginAsk } from '../../../schemas/log/origin.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { createTraceCutter } from '../../../schemas/otlp/cut.ts';
import { jsonToTracesData } from '../../../schemas/otlp/json.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { type Segment, type SegmentSpans, spanIdHex } from '../../../traces/segment.ts';
import { EPOCH_MS } from '../traces/otlp.ts';

const ATTACKER = '46.12.63.220';
const assembly = assemblySection.parse({});
const EXPORT_MS = 100;
const lines = (name: string): string[] =>
  readFileSync(new URL(`./recorded/${name}.jsonl`, import.meta.url), 'utf8')
    .trim()
    .split('\n');

interface Read {
  readonly reason: SegmentSpans['entryReason'];
  readonly asynchronous: boolean;
  readonly producers: Segment['producers'];
  /** `kind operation` of every span, indented by its depth. */
  readonly tree: readonly string[];
  readonly producerSpans: readonly string[];
}

/** What a detector without a baseline says of the exports, one every 100 ms, and how it read the segments. */
function detect(exports: readonly string[]) {
  const kit = createReadingKit(configSchema.parse({ attribution: { trustedProxies: ['127.0.0.1/32'] } }));
  const cutter = createTraceCutter({ maxRecordBytes: 1e6, maxOutputBytes: 1e8 }, 1);
  const verdicts = new Map<string, Verdict>();
  const segments = new Map<string, Read>();
  const asks: OriginAsk[] = [];
  const answers: OriginAnswer[] = [];
  const core = createCore(
    { assembly, originWaitMs: 8_000, maxRemembered: 1_000 },
    {
      createAssembler: (sink) => createAssembler(assembly, { sink }),
      segment: kit.segment,
      read: (spans, into) => kit.reader.read(spans, into),
      isSensitive: () => false,
      versionAt: () => null,
    },
    {
      store(verdict, spans) {
        verdicts.set(verdict.id, verdict);
        if (spans !== null) segments.set(verdict.id, readOf(spans, kit.segment));
      },
      finding: () => undefined,
      ask: (ask) => asks.push(ask),
      answer: (answer) => answers.push(answer),
      lookUp: () => undefined,
      collective: () => undefined,
      judged: () => undefined,
      seen: () => undefined,
    },
  );
  let offset = 0;
  const advance = (nowMs: number): void => {
    core.advance(0, nowMs);
    for (let ask = asks.shift(); ask !== undefined; ask = asks.shift()) core.ask(0, offset++, nowMs, ask);
    for (let answer = answers.shift(); answer !== undefined; answer = answers.shift()) core.answered(answer);
  };
  let nowMs = EPOCH_MS;
  for (const line of exports) {
    nowMs += EXPORT_MS;
    const { bytes } = jsonToTracesData(line);
    cutter.cut(bytes, (_traceId, value) => core.spans(0, offset++, nowMs, value));
    advance(nowMs);
  }
  for (const endMs = nowMs + 60_000; nowMs < endMs; nowMs += EXPORT_MS) advance(nowMs);
  const of = (operation: string) =>
    [...verdicts.values()]
      .filter((verdict) => verdict.operation === operation)
      .map((verdict) => ({ verdict, segment: segments.get(verdict.id)! }))
      .sort((a, b) => a.segment.producers.length - b.segment.producers.length);
  return { verdicts: [...verdicts.values()], of };
}

function readOf(spans: SegmentSpans, segment: Segment): Read {
  const depth = (i: number): number => (i === 0 ? 0 : 1 + depth(segment.parent[i]!));
  const rows = Array.from({ length: segment.spanCount }, (_, i) => i);
  return {
    reason: spans.entryReason,
    asynchronous: segment.asynchronous,
    producers: segment.producers,
    tree: rows.map((i) => '  '.repeat(depth(i)) + segment.symbols.labelText(segment.label[i]!)),
    producerSpans: rows.filter((i) => segment.kind[i] === 4).map((i) => spanIdHex(segment, i)),
  };
}

describe('kafkajs eachMessage', () => {
  const { verdicts, of } = detect(lines('kafkajs-each-message'));

  it('is two segments of one trace: the request, and the work that a CONSUMER span with a remote parent begins', () => {
    const [job] = of('process spanwarden-shop.avatars');
    const [request] = of('POST /account/avatar');
    expect(verdicts).toHaveLength(4);
    expect(job!.verdict.traceId).toBe(request!.verdict.traceId);
    expect(job!.segment).toMatchObject({ reason: 'consumer', asynchronous: true });
    expect(job!.segment.tree).toEqual([
      'worker consumer:kafka process spanwarden-shop.avatars',
      '  worker client GET /v1/secrets',
    ]);
    expect(job!.segment.producers).toEqual([
      { traceId: request!.verdict.traceId, spanId: request!.segment.producerSpans[0] },
    ]);
    expect(request!.segment).toMatchObject({ reason: 'root', asynchronous: false });
    expect(request!.segment.tree.at(-1)).toBe('      auth producer:kafka send spanwarden-shop.avatars');
  });

  it('is attributed to the client of the request, though its spans came first', () => {
    const [job] = of('process spanwarden-shop.avatars');
    expect(job!.verdict).toMatchObject({
      originState: 'known',
      client: { address: ATTACKER, source: 'origin', confidence: 'high' },
    });
    expect(of('process spanwarden-shop.confirmations')[0]!.verdict.originState).toBe('known');
  });
});

describe('kafkajs eachBatch', () => {
  const { verdicts, of } = detect(lines('kafkajs-each-batch'));
  const [single, pair] = of('receive spanwarden-shop.avatars');

  it('is one segment a batch: a CLIENT root, CONSUMER spans that hang in it, and all calls beside them', () => {
    expect(verdicts.filter(({ service }) => service === 'worker')).toHaveLength(2);
    expect(pair!.segment).toMatchObject({ reason: 'root', asynchronous: true });
    expect(pair!.segment.tree[0]).toBe('worker client:kafka receive spanwarden-shop.avatars');
    // by start, which the SDK rounds to milliseconds
    expect(pair!.segment.tree.slice(1).sort()).toEqual([
      '  worker client GET /u/{id}.png',
      '  worker client GET /v1/secrets',
      '  worker client:postgresql UPDATE accounts',
      '  worker consumer:kafka process spanwarden-shop.avatars',
      '  worker consumer:kafka process spanwarden-shop.avatars',
    ]);
    expect(pair!.segment.producers).toHaveLength(2);
    const producers = of('POST /account/avatar').flatMap(({ segment }) => segment.producerSpans);
    expect(producers).toHaveLength(3);
    for (const { segment } of [single!, pair!]) {
      for (const { spanId } of segment.producers) expect(producers).toContain(spanId);
    }
  });

  it('of one message is attributed to the client who queued it', () => {
    expect(single!.verdict).toMatchObject({ originState: 'known', client: { address: ATTACKER, source: 'origin' } });
  });

  it('of several names nobody, and lists who queued the messages', () => {
    expect(pair!.verdict).toMatchObject({
      originState: 'known',
      client: { address: null, reason: 'several-origins' },
    });
    const behind = pair!.verdict.origins.map(({ address }) => address);
    expect(behind).toHaveLength(2);
    expect(behind).toContain(ATTACKER);
  });

  it('is the same in whatever order the services export', () => {
    const exports = lines('kafkajs-each-batch');
    const wanted = verdicts.map(({ id, client, origins }) => [id, client, origins]).sort();
    for (const order of [[...exports].reverse(), [...exports.slice(3), ...exports.slice(0, 3)]]) {
      const again = detect(order).verdicts.map(({ id, client, origins }) => [id, client, origins]);
      expect(again.sort()).toEqual(wanted);
    }
  });
});
