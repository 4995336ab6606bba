/** What the detector makes of exported spans before anything is learned: cut, assembled, read, attributed across queues. */
import { createCore } from '../../../detector/core/core.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import type { OriginAnswer, OriginAsk } from '../../../schemas/log/origin.ts';
import { type Verdict, VerdictStage } from '../../../schemas/log/verdict.ts';
import { createTraceCutter } from '../../../schemas/otlp/cut.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';

export interface Judged {
  /** An export as it came over the wire, at a time of the log's. */
  add(request: Uint8Array, atMs: number): void;
  /** Lets all waits pass; the verdicts that stand, by trace id. */
  close(): Map<string, Verdict[]>;
}

const PARTITION = 0;
const STEP_MS = 250;
const LIMITS = { maxRecordBytes: 1 << 24, maxOutputBytes: 1 << 28 };

export function createJudged(trustedProxies: readonly string[]): Judged {
  const assembly = assemblySection.parse({});
  const kit = createReadingKit({ ...configSchema.parse({ attribution: { trustedProxies } }) });
  const cutter = createTraceCutter(LIMITS, 1);
  const verdicts = new Map<string, Verdict>();
  const asks: OriginAsk[] = [];
  const answers: OriginAnswer[] = [];
  let offset = 0;
  let nowMs = 0;
  const core = createCore(
    { assembly, originWaitMs: 3_000, maxRemembered: 10_000 },
    {
      createAssembler: (sink) => createAssembler(assembly, { sink }),
      segment: kit.segment,
      read: (spans, into, templates) => kit.reader.read(spans, into, templates),
      isSensitive: () => false,
      versionAt: () => null,
    },
    {
      store: (verdict) => void verdicts.set(verdict.id, verdict),
      finding: () => undefined,
      ask: (ask) => void asks.push(ask),
      answer: (answer) => void answers.push(answer),
      lookUp: () => undefined,
      collective: () => undefined,
      judged: () => undefined,
      seen: () => undefined,
    },
  );

  /** Questions and answers come back through the log. */
  function route(): void {
    while (asks.length > 0 || answers.length > 0) {
      const ask = asks.shift();
      if (ask !== undefined) core.ask(PARTITION, offset++, nowMs, ask);
      const answer = answers.shift();
      if (answer !== undefined) core.answered(answer);
    }
  }

  return {
    add(request, atMs) {
      nowMs = Math.max(nowMs, atMs);
      core.advance(PARTITION, nowMs);
      cutter.cut(request, (_traceId, value) => core.spans(PARTITION, offset++, nowMs, value));
      route();
    },
    close() {
      const endMs = nowMs + assembly.maxAgeMs + assembly.absenceGraceMs + assembly.lateMs;
      for (; nowMs < endMs; nowMs += STEP_MS) {
        core.advance(PARTITION, nowMs);
        route();
      }
      const byTrace = new Map<string, Verdict[]>();
      for (const verdict of verdicts.values()) {
        if (verdict.stage === VerdictStage.withdrawn) continue;
        byTrace.set(verdict.traceId, [...(byTrace.get(verdict.traceId) ?? []), verdict]);
      }
      return byTrace;
    },
  };
}
