/**
 * Slow nodes wait until the counts of their seconds are in (attack or load?), and are then judged together with whatever
 * overlaps them at the same service: the one that ended first is the cause (docs/adr/013).
 */
import type { Finding, FindingRecord } from '../../schemas/log/verdict.ts';

export interface Candidate {
  readonly record: FindingRecord;
  readonly dueMs: number;
}

export interface SlowNodes {
  /** Takes a verdict with candidates, or its amendment. */
  add(record: FindingRecord, dueMs: number): void;
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
      if (known < 0) candidates.push({ record, dueMs });
      else candidates[known] = { record, dueMs: candidates[known]!.dueMs };
    },
    withdraw(verdictId) {
      candidates = candidates.filter(({ record }) => record.verdict.id !== verdictId);
    },
    next(nowMs) {
      const due = candidates.find((candidate) => candidate.dueMs <= nowMs);
      if (due === undefined) return undefined;
      const together = new Set(candidates.filter((candidate) => candidate === due || overlap(candidate, due)));
      candidates = candidates.filter((candidate) => !together.has(candidate));
      const inOrder = [...together].sort((a, b) => nodeEnd(a) - nodeEnd(b));
      return { records: inOrder.map(({ record }) => record), dueMs: due.dueMs };
    },
    snapshot: () => candidates,
  };
}

const slowNodesOf = ({ record }: Candidate): readonly Finding[] =>
  record.verdict.findings.filter((finding) => finding.candidate);

const overlap = (a: Candidate, b: Candidate): boolean =>
  slowNodesOf(a).some((x) =>
    slowNodesOf(b).some((y) => x.explanationKey === y.explanationKey && x.startMs <= y.endMs && y.startMs <= x.endMs),
  );

const nodeEnd = (candidate: Candidate): number => Math.min(...slowNodesOf(candidate).map((finding) => finding.endMs));
