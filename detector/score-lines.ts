/** The scores file, a line a trace: its worst segment, written when no segment of it can change any more. */
import { hash53 } from '../baseline/learning/hash.ts';
import { type ClientRecord, type Verdict, VerdictStage } from '../schemas/log/verdict.ts';

/** 95 % interval of a p. */
type Interval = readonly [number, number];

/** The verdicts of one trace that is not written yet. */
interface OpenTrace {
  readonly verdicts: Map<string, Verdict>;
  /** 95 % interval of the p of each. */
  readonly intervals: Map<string, Interval>;
  /** Segments of it that can no longer change. */
  forgotten: number;
}

/** Counted as lines are made. */
export interface ScoreLineFacts {
  /** Distinct trace ids, each with one line. */
  traces: number;
  anomalous: number;
  /** Segments of traces whose line was already written. */
  afterwards: number;
}

export interface ScoreLines {
  /** `interval`: where the verdict was judged just now; an amendment keeps the one it had. */
  keep(verdict: Verdict, interval?: Interval): void;
  /** As it was kept before, while its trace is open. */
  keptOf(verdict: Verdict): Verdict | undefined;
  /** A segment of the trace can no longer change. */
  forgotten(traceId: string): void;
  /** No trace can change any more. */
  end(): void;
  /** Lines that became ready. */
  take(): string[];
}

const MOST_WRITTEN = 5_000_000;

/** `redact`: what leaves the process leaves it redacted. */
export function createScoreLines(facts: ScoreLineFacts, redact?: (verdict: Verdict) => Verdict): ScoreLines {
  const open = new Map<string, OpenTrace>();
  /** Traces whose line is written, by hash, the oldest forgotten first. */
  const written = new Set<number>();
  let ready: string[] = [];

  function write(traceId: string): void {
    const trace = open.get(traceId);
    if (trace === undefined) return;
    open.delete(traceId);
    written.add(hash53(traceId, 0));
    if (written.size > MOST_WRITTEN) written.delete(written.values().next().value!);
    const standing = [...trace.verdicts.values()].filter((verdict) => verdict.stage !== VerdictStage.withdrawn);
    const worst = standing.reduce<Verdict | undefined>(
      (a, b) => (a === undefined || b.score > a.score ? b : a),
      undefined,
    );
    if (worst === undefined) {
      facts.traces--;
      written.delete(hash53(traceId, 0));
      return;
    }
    if (worst.anomalous) facts.anomalous++;
    const line = scoreLine(redact?.(worst) ?? worst, trace.intervals.get(worst.id)!);
    ready.push(`${JSON.stringify(line)}\n`);
  }

  return {
    keep(verdict, interval) {
      const { traceId } = verdict;
      if (written.has(hash53(traceId, 0))) {
        facts.afterwards++;
        return;
      }
      let trace = open.get(traceId);
      if (trace === undefined) {
        trace = { verdicts: new Map(), intervals: new Map(), forgotten: 0 };
        open.set(traceId, trace);
        facts.traces++;
      }
      const known = trace.verdicts.get(verdict.id);
      if (known !== undefined && known.revision > verdict.revision) return;
      trace.verdicts.set(verdict.id, verdict);
      if (interval !== undefined) trace.intervals.set(verdict.id, interval);
    },
    keptOf: ({ traceId, id }) => open.get(traceId)?.verdicts.get(id),
    forgotten(traceId) {
      const trace = open.get(traceId);
      if (trace !== undefined && ++trace.forgotten >= trace.verdicts.size) write(traceId);
    },
    end() {
      for (const traceId of [...open.keys()]) write(traceId);
    },
    take() {
      const lines = ready;
      ready = [];
      return lines;
    },
  };
}

/** One line of the scores file. */
interface ScoreLine {
  readonly traceId: string;
  readonly score: number;
  readonly p: number;
  /** 95 % of p. */
  readonly interval: Interval;
  readonly anomalous: boolean;
  /** Re-ranked p by group. */
  readonly groups: Verdict['groups'];
  readonly match: Verdict['match'];
  readonly client: ClientRecord;
  /** Of work for several clients at once (a batch): all of them. */
  readonly origins?: Verdict['origins'];
  readonly findings: Verdict['findings'];
}

const scoreLine = (
  { traceId, score, p, anomalous, groups, match, client, origins, findings }: Verdict,
  interval: Interval,
): ScoreLine => ({
  traceId,
  score,
  p,
  interval,
  anomalous,
  groups,
  match,
  client,
  ...(origins.length > 1 && { origins }),
  findings,
});
