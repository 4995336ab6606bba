/** Small verdicts and findings for the responder's tests. */
import type { JudgedCounts } from '../../../schemas/log/judged.ts';
import type { ClientRecord, Finding, Verdict, VerdictStage } from '../../../schemas/log/verdict.ts';
import { verdictId, verdictRevision } from '../../../schemas/log/verdict.ts';

export const DAY = Date.UTC(2026, 0, 5, 12);

export const clientOf = (address: string | null): ClientRecord => ({
  address,
  source: address === null ? 'none' : 'x-forwarded-for',
  confidence: address === null ? 'none' : 'high',
  reason: address === null ? 'no-peer' : '',
  hops: [],
  entrySpanId: '1'.repeat(16),
  entryTraceId: '1'.repeat(32),
  user: null,
  session: null,
});

export const findingOf = (fields: Partial<Finding> = {}): Finding => ({
  kind: 'statement',
  group: 'parameters',
  hard: true,
  evidence: 'presence',
  explanationKey: 'GET /search · SELECT products',
  service: 'catalog',
  operation: 'GET /search',
  spanId: '2'.repeat(16),
  parameter: 'db.query.text',
  expected: '4 statements in 2,000 calls',
  seen: 'another statement',
  support: 2000,
  severity: 3,
  p: 1e-4,
  share: 1,
  candidate: false,
  startMs: DAY,
  endMs: DAY + 10,
  ...fields,
});

let traces = 0;

export function verdictOf(fields: {
  traceId?: string;
  client?: string | null;
  findings?: readonly Finding[];
  p?: number;
  spanCount?: number;
  stage?: VerdictStage;
  appendMs?: number;
}): Verdict {
  const traceId = fields.traceId ?? (++traces).toString(16).padStart(32, '0');
  const appendMs = fields.appendMs ?? DAY;
  const stage = fields.stage ?? 1;
  const spanCount = fields.spanCount ?? 5;
  return {
    id: verdictId(appendMs, traceId, '1'.repeat(16)),
    traceId,
    entrySpanId: '1'.repeat(16),
    partition: 0,
    firstOffset: 1,
    appendMs,
    revision: verdictRevision(spanCount, stage, false),
    stage,
    state: stage === 3 ? 'withdrawn' : 'scored',
    version: 'v1',
    asynchronous: false,
    service: 'gateway',
    operation: 'GET /search',
    startMs: appendMs - 20,
    endMs: appendMs,
    spanCount,
    truncated: false,
    score: 4,
    p: fields.p ?? 1e-4,
    anomalous: true,
    groups: { structure: 1, timing: 1, parameters: 1e-4, status: 1 },
    match: {
      family: 'GET /search',
      signature: 'GET /search #1',
      version: 'v1',
      learnedFrom: 2000,
      similarity: { structure: 1, timing: 1, parameters: 0.5 },
      threshold: { structure: 0.98, timing: 0.9, parameters: 0.95 },
      deviation: { structure: 0, timing: 0, parameters: 10, max: 10 },
      worst: 'parameters',
      exact: true,
      unseenEntry: false,
      text: "similarity 0.50 to 'GET /search #1' (baseline ≥ 0.95, learned from 2,000), deviation 10.0×: unseen statement",
    },
    client: clientOf(fields.client === undefined ? '203.0.113.7' : fields.client),
    origins: [],
    originState: 'none',
    findings: fields.findings ?? [findingOf()],
  };
}

/** A window in which a thousand segments were judged, and came out as unlikely as they should. */
export const JUDGED: JudgedCounts = {
  partition: 0,
  window: DAY / 20_000,
  windowMs: 20_000,
  version: 'v1',
  segmentsPerDay: 100_000,
  segments: 1_000,
  below: [10, 1, 0],
  hard: [0, 0, 0],
};
