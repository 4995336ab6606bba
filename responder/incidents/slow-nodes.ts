/**
 * Slow nodes wait until the counts of their seconds are in (attack or load?), and are then judged together with whatever
 * overlaps them at the same service: the one that ended first is the cause (docs/adr/013). The cause need not be the most
 * unusual: a statement that is sometimes slow anyway makes others wait that never do.
 */
import type { Finding, FindingRecord } from '../../schemas/log/verdict.ts';
import { inStreamOrder } from './absences.ts';

export interface Candidate {
  readonly record: FindingRecord;
  readonly dueMs: number;
  /** No candidate itself, but slow: it may be what candidates waited for. Forgotten when due. */
  readonly soft: boolean;
}

export interface SlowNodes {
  /** Takes a verdict with candidates, or its amendment. */
  add(record: FindingRecord, dueMs: number): void;
  /** Notes a verdict with slow nodes that are no candidates, until `untilMs`. */
  note(record: FindingRecord, untilMs: number): void;
  withdraw(verdictId: string): void;
  /** Takes out the next group that is due, the first to end at its head; undefined when none is. */
  next(nowMs: number): { readonly records: readonly FindingRecord[]; readonly dueMs: number } | undefined;
  snapshot(): readonly Candidate[];
}

export function createSlowNodes(snapshot: readonly Candidate[] = []): SlowNodes {
  let candidates: Candidate[] = [...snapshot];
  return {
    add(record, dueMs) {
      const known = candidates.findIndex((candidate) => candidate.record.verdict.id === record.verdict.id);
      if (known < 0) candidates.push({ record, dueMs, soft: false });
      else
        candidates[known] = { record, dueMs: candidates[known]!.soft ? dueMs : candidates[known]!.dueMs, soft: false };
    },
    note(record, untilMs) {
      if (candidates.length < MAX_NOTED) candidates.push({ record, dueMs: untilMs, soft: true });
    },
    withdraw(verdictId) {
      candidates = candidates.filter(({ record }) => record.verdict.id !== verdictId);
    },
    next(nowMs) {
      const due = firstInStream(candidates.filter((candidate) => candidate.dueMs <= nowMs && !candidate.soft));
      if (due === undefined) {
        candidates = candidates.filter((candidate) => candidate.dueMs > nowMs);
        return undefined;
      }
      const together = new Set(candidates.filter((candidate) => candidate === due || overlap(candidate, due)));
      candidates = candidates.filter((candidate) => !together.has(candidate));
      const inOrder = [...together].sort((a, b) => nodeEnd(a) - nodeEnd(b));
      // of the soft ones only a cause counts: what ended before every candidate did
      const first = inOrder.findIndex(({ soft }) => !soft);
      const told = inOrder.filter(({ soft }, i) => !soft || i < Math.min(first, 1));
      return { records: told.map(asCandidate), dueMs: due.dueMs };
    },
    snapshot: () => candidates,
  };
}

const firstInStream = (candidates: readonly Candidate[]): Candidate | undefined =>
  candidates.reduce<Candidate | undefined>(
    (first, one) => (first !== undefined && inStreamOrder(first.record.verdict, one.record.verdict) < 0 ? first : one),
    undefined,
  );

/** Soft ones kept at most. */
const MAX_NOTED = 2_000;
/** Share of a candidate's time that a soft node must overlap to be what it waited for. */
const CAUSE_SHARE = 0.5;

export const isSlowNode = ({ kind }: Finding): boolean => kind === 'self-time';

const slowNodesOf = ({ record, soft }: Candidate): readonly Finding[] =>
  record.verdict.findings.filter((finding) => isSlowNode(finding) && (soft || finding.candidate));

const overlap = (a: Candidate, due: Candidate): boolean =>
  slowNodesOf(a).some((x) =>
    slowNodesOf(due).some((y) => {
      const sharedMs = Math.min(x.endMs, y.endMs) - Math.max(x.startMs, y.startMs);
      return x.explanationKey === y.explanationKey && sharedMs >= (a.soft ? CAUSE_SHARE * (y.endMs - y.startMs) : 0);
    }),
  );

const nodeEnd = (candidate: Candidate): number => Math.min(...slowNodesOf(candidate).map((finding) => finding.endMs));

/** A cause that was no candidate by itself is judged as one. */
function asCandidate({ record, soft }: Candidate): FindingRecord {
  if (!soft) return record;
  const findings = record.verdict.findings.map((f) => (isSlowNode(f) ? { ...f, candidate: true } : f));
  return { ...record, verdict: { ...record.verdict, findings } };
}
