/** A finding over many segments has no verdict: this carries what an incident takes from one. */
import { type Finding, type Verdict, VerdictStage } from '../../schemas/log/verdict.ts';

export function collectiveVerdict(finding: Finding, traceId: string, version: string, appendMs: number): Verdict {
  const day = new Date(appendMs).toISOString().slice(0, 10).replaceAll('-', '');
  return {
    id: `${day}-${traceId}-`,
    traceId,
    entrySpanId: '',
    partition: 0,
    firstOffset: 0,
    appendMs,
    revision: 0,
    stage: VerdictStage.closed,
    state: 'scored',
    version,
    asynchronous: false,
    service: finding.service,
    operation: finding.operation,
    startMs: finding.startMs,
    endMs: finding.endMs,
    spanCount: 0,
    truncated: false,
    score: 0,
    p: finding.p,
    anomalous: true,
    groups: { structure: 1, timing: finding.p, parameters: 1, status: 1 },
    match: null,
    client: {
      address: null,
      source: 'none',
      confidence: 'none',
      reason: 'many-requests',
      hops: [],
      entrySpanId: '',
      entryTraceId: '',
      user: null,
      session: null,
    },
    origins: [],
    originState: 'none',
    findings: [finding],
  };
}
