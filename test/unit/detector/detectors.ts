/** Two detectors' cores over one log of four partitions: questions and answers meet their owners as in production. */
import type { BaselineEntry } from '../../../baseline/model.ts';
import { createCore } from '../../../detector/core/core.ts';
import { createEdges } from '../../../detector/edges.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import { decodeOriginAnswer, decodeOriginAsk, encodeJson } from '../../../schemas/log/codecs.ts';
import type { OriginAnswer, OriginAsk } from '../../../schemas/log/origin.ts';
import type { ClientRecord, Verdict } from '../../../schemas/log/verdict.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createForeignTest } from '../../../traces/attribution/foreign.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { EPOCH_MS, tracesData, type WireSpan } from '../traces/otlp.ts';
import { loadInto } from './traffic.ts';

const PARTITIONS = 4;
const STEP_MS = 100;
const assembly = assemblySection.parse({});

/** The log puts a trace where its last hex digit says. */
export const partitionOf = (traceId: string): number => Number.parseInt(traceId.at(-1)!, 16) % PARTITIONS;

export interface DetectorsOptions {
  readonly attribution?: object;
  readonly originWaitMs?: number;
  readonly maxRemembered?: number;
  /** Of the version that judges; without them there is none. */
  readonly entries?: readonly BaselineEntry[];
  /** The store: clients of the segment that a span is in. */
  clientsOf?(ask: OriginAsk, verdicts: ReadonlyMap<string, Verdict>): readonly ClientRecord[];
}

type Record = { readonly spans: Uint8Array } | { readonly ask: Uint8Array } | { readonly answer: Uint8Array };

export function createDetectors(options: DetectorsOptions = {}) {
  const verdicts = new Map<string, Verdict>();
  const findings: Verdict[] = [];
  const lookUps: OriginAsk[] = [];
  const queues: Record[][] = Array.from({ length: PARTITIONS }, () => []);
  const offsets = new Array<number>(PARTITIONS).fill(0);
  let asks = 0;
  let nowMs = 0;

  const cores = [0, 1].map(() => {
    const kit = createReadingKit(configSchema.parse({ attribution: options.attribution ?? {} }));
    const baseline = options.entries === undefined ? null : loadInto(options.entries, kit);
    const core = createCore(
      { assembly, originWaitMs: options.originWaitMs ?? 8_000, maxRemembered: options.maxRemembered ?? 1_000 },
      {
        createAssembler: (sink) =>
          createAssembler(assembly, {
            sink,
            isForeign: createForeignTest(
              kit.reader.clientAt,
              createEdges(() => baseline, kit.reader),
            ),
          }),
        segment: kit.segment,
        read: kit.reader.read,
        isSensitive: () => false,
        versionAt: () => baseline,
      },
      {
        store(verdict) {
          const known = verdicts.get(verdict.id);
          if (known === undefined || known.revision <= verdict.revision) verdicts.set(verdict.id, verdict);
        },
        finding: (verdict) => findings.push(verdict),
        ask(ask: OriginAsk) {
          asks++;
          queues[partitionOf(ask.producerTraceId)]!.push({ ask: encodeJson(ask) });
        },
        answer(answer: OriginAnswer) {
          queues[partitionOf(answer.traceId)]!.push({ answer: encodeJson(answer) });
        },
        lookUp(ask) {
          lookUps.push(ask);
          found.push(() => core.found(ask, options.clientsOf?.(ask, verdicts) ?? []));
        },
        collective: () => {},
        judged: () => {},
        seen: () => {},
      },
    );
    return core;
  });
  const found: (() => void)[] = [];
  const ownerOf = (partition: number) => cores[partition % 2]!;

  function take(partition: number, record: Record): void {
    const core = ownerOf(partition);
    const offset = offsets[partition]!++;
    if ('spans' in record) core.spans(partition, offset, EPOCH_MS + nowMs, record.spans);
    else if ('ask' in record) core.ask(partition, offset, EPOCH_MS + nowMs, decodeOriginAsk(record.ask)!);
    else core.answered(decodeOriginAnswer(record.answer)!);
  }

  function step(): void {
    for (const answer of found.splice(0)) answer();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const record of queues[partition]!.splice(0)) take(partition, record);
      ownerOf(partition).advance(partition, EPOCH_MS + nowMs);
    }
  }

  function until(ms: number): void {
    while (nowMs < ms) {
      nowMs = Math.min(ms, nowMs + STEP_MS);
      step();
    }
  }

  return {
    verdicts,
    findings,
    lookUps,
    until,
    get asks() {
      return asks;
    },
    /** What one service exports at a time; all spans of one trace. */
    send(ms: number, spans: readonly WireSpan[]): void {
      until(ms);
      queues[partitionOf(spans[0]!.traceId!)]!.push({ spans: tracesData(spans) });
    },
    /** Newest verdict of a trace's segment by its entry span; the only one without. */
    verdictOf(traceId: string, entrySpanId?: string): Verdict {
      const found = [...verdicts.values()].filter(
        (verdict) =>
          verdict.traceId === traceId &&
          verdict.state !== 'withdrawn' &&
          (entrySpanId === undefined || verdict.entrySpanId === entrySpanId),
      );
      if (found.length !== 1) throw new Error(`${found.length} verdicts of ${traceId}`);
      return found[0]!;
    },
    /** Nothing is held back for anything. */
    floors: (): number[] => queues.map((_, partition) => ownerOf(partition).floor(partition)),
  };
}
