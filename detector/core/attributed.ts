/** From a judgement to a verdict: identity, attribution, stage and revision (schemas/log/verdict.ts). */
import type { Judgement } from '../../baseline/model.ts';
import {
  type ClientRecord,
  type Finding,
  type OriginState,
  type Verdict,
  VerdictStage,
  verdictId,
  verdictRevision,
} from '../../schemas/log/verdict.ts';
import type { Segment, SegmentSpans } from '../../traces/segment.ts';

const LEARNING_GROUPS = { structure: 1, timing: 1, parameters: 1, status: 1 } as const;

/** The verdict of a segment just read; `judgement` is null while there is no baseline. */
export function toVerdict(
  spans: SegmentSpans,
  segment: Segment,
  judgement: Judgement | null,
  version: string,
  stage: VerdictStage,
  originState: OriginState,
): Verdict {
  const entry = segment.label[0]!;
  const label = segment.symbols.labelOf(entry);
  return {
    id: verdictId(spans.appendMs, spans.traceId, spans.entrySpanId),
    traceId: spans.traceId,
    entrySpanId: spans.entrySpanId,
    partition: spans.partition,
    firstOffset: spans.firstOffset,
    appendMs: spans.appendMs,
    revision: verdictRevision(segment.spanCount, stage, originState === 'known'),
    stage,
    state: judgement === null ? 'learning' : 'scored',
    version: judgement === null ? '' : version,
    asynchronous: spans.asynchronous,
    service: segment.symbols.text(label.service),
    operation: segment.symbols.text(label.operation),
    startMs: segment.startMs,
    endMs: segment.startMs + lastEnd(segment) / 1e6,
    spanCount: segment.spanCount,
    truncated: spans.truncated,
    score: judgement?.score ?? 0,
    p: judgement?.p ?? 1,
    anomalous: judgement?.anomalous ?? false,
    groups: judgement === null ? LEARNING_GROUPS : { ...judgement.groups },
    match: judgement?.match ?? null,
    client: segment.client,
    origins: [],
    originState,
    findings: judgement === null ? [] : [...judgement.findings],
  };
}

function lastEnd(segment: Segment): number {
  const { startNs, durationNs, spanCount } = segment;
  let last = 0;
  for (let i = 0; i < spanCount; i++) {
    const end = startNs[i]! + durationNs[i]!;
    if (end > last) last = end;
  }
  return last;
}

/**
 * The same verdict with its origins answered. They are known when `complete`: a client is known behind each producer; then
 * the revision grows by one. Of a batch nobody can say whose message a call was made for: a client is named when it is the
 * only one, else nobody, and all are listed.
 */
export function withOrigins(verdict: Verdict, clients: readonly ClientRecord[], complete: boolean): Verdict {
  if (clients.length === 0) {
    const client = { ...verdict.client, reason: 'origin-unknown' };
    return { ...verdict, client, originState: 'unknown' };
  }
  const origins = clients.map((client) => ({ ...client, source: 'origin' as const }));
  const first = origins[0]!;
  const alone = complete && origins.every((one) => isSame(one, first));
  return {
    ...verdict,
    client: alone ? inCommon(first, origins) : { ...verdict.client, ...SEVERAL },
    origins,
    originState: complete ? 'known' : 'unknown',
    revision: verdictRevision(verdict.spanCount, verdict.stage, complete),
  };
}

const isSame = (a: ClientRecord, b: ClientRecord): boolean =>
  a.address === b.address && (a.address !== null || a.user === b.user);

const SURENESS = { none: 0, low: 1, medium: 2, high: 3 } as const;

/** One address may be many people's: a user or a session is named only where it is that of all, and nothing more surely than the least sure. */
function inCommon(first: ClientRecord, origins: readonly ClientRecord[]): ClientRecord {
  const least = origins.reduce((a, b) => (SURENESS[b.confidence] < SURENESS[a.confidence] ? b : a), first);
  return {
    ...first,
    confidence: least.confidence,
    reason: least.reason,
    user: origins.every(({ user }) => user === first.user) ? first.user : null,
    session: origins.every(({ session }) => session === first.session) ? first.session : null,
  };
}

const SEVERAL = {
  address: null,
  source: 'origin',
  confidence: 'none',
  reason: 'several-origins',
  hops: [],
  user: null,
  session: null,
} as const;

const NOBODY: ClientRecord = {
  address: null,
  source: 'none',
  confidence: 'none',
  reason: 'withdrawn',
  hops: [],
  entrySpanId: '',
  entryTraceId: '',
  user: null,
  session: null,
};

function blankVerdict(
  spans: Pick<SegmentSpans, 'traceId' | 'entrySpanId' | 'partition' | 'firstOffset' | 'appendMs' | 'spanCount'>,
  stage: VerdictStage,
  version: string,
): Verdict {
  return {
    id: verdictId(spans.appendMs, spans.traceId, spans.entrySpanId),
    traceId: spans.traceId,
    entrySpanId: spans.entrySpanId,
    partition: spans.partition,
    firstOffset: spans.firstOffset,
    appendMs: spans.appendMs,
    revision: verdictRevision(spans.spanCount, stage, stage === VerdictStage.withdrawn),
    stage,
    state: 'scored',
    version,
    asynchronous: false,
    service: '',
    operation: '',
    startMs: spans.appendMs,
    endMs: spans.appendMs,
    spanCount: spans.spanCount,
    truncated: false,
    score: 0,
    p: 1,
    anomalous: false,
    groups: LEARNING_GROUPS,
    match: null,
    client: NOBODY,
    origins: [],
    originState: 'none',
    findings: [],
  };
}

/** What replaces the row of a segment that turned out to be part of another. */
export const withdrawnVerdict = (spans: SegmentSpans, version: string): Verdict => ({
  ...blankVerdict(spans, VerdictStage.withdrawn, version),
  state: 'withdrawn',
});

const MAX_REUSERS = 16;

/** Distinct clients by how many of the requests are theirs; where the headers name nobody for sure, the socket peers. */
function reusersOf(clients: readonly ClientRecord[]): readonly { client: ClientRecord; text: string; count: number }[] {
  const byText = new Map<string, { client: ClientRecord; text: string; count: number }>();
  for (const client of clients) {
    const sure = client.confidence === 'high' || client.confidence === 'medium';
    const text = (sure ? client.address : (client.peer ?? client.address)) ?? 'unknown';
    const known = byText.get(text);
    if (known !== undefined) known.count++;
    else byText.set(text, { client, text, count: 1 });
  }
  return [...byText.values()].sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1));
}

/**
 * One `traceparent` used by many requests: no segment of its own, so the trace stands for it. `clients`: of its entries.
 * Whoever alone sent them all is named; else nobody is, and those who sent most are listed.
 */
export function reusedVerdict(
  partition: number,
  offset: number,
  appendMs: number,
  traceId: string,
  maxSegments: number,
  clients: readonly ClientRecord[] = [],
): Verdict {
  const reusers = reusersOf(clients);
  const listed = reusers.slice(0, MAX_REUSERS);
  const from = listed.map(({ text, count }) => `${text} (${count})`).join(', ');
  const more = reusers.length - listed.length;
  const entrySpanId = '0'.repeat(16);
  const blank = blankVerdict(
    { traceId, entrySpanId, partition, firstOffset: offset, appendMs, spanCount: 0 },
    VerdictStage.closed,
    '',
  );
  const finding: Finding = {
    kind: 'trace-id-reused',
    group: 'structure',
    hard: true,
    evidence: 'presence',
    explanationKey: 'trace id reused',
    service: '',
    operation: '',
    spanId: '',
    parameter: '',
    expected: 'one request, or a few, under one trace id',
    seen: `more than ${maxSegments} segments under trace id ${traceId}${from === '' ? '' : `, from ${from}`}${more > 0 ? ` and ${more} more` : ''}`,
    support: 0,
    severity: Math.log2(maxSegments),
    p: 1,
    share: 1,
    candidate: false,
    startMs: appendMs,
    endMs: appendMs,
  };
  const alone = reusers.length === 1 && reusers[0]!.client.confidence === 'high' ? reusers[0]!.client : undefined;
  return {
    ...blank,
    findings: [finding],
    client: alone ?? { ...NOBODY, reason: 'trace-id-reused' },
    origins: listed.map(({ client }) => client),
  };
}

/** A node so slow may be what the slow nodes of other requests waited for, unusual enough by itself or not. */
const CAUSE_MS = 1_000;
/** Octaves above the longest learned. */
const CAUSE_SEVERITY = 1;

const mayBeCause = ({ kind, severity, startMs, endMs }: Finding): boolean =>
  kind === 'self-time' && severity >= CAUSE_SEVERITY && endMs - startMs >= CAUSE_MS;

/** Whether the verdict is worth a record in the findings log. */
export const isFinding = (verdict: Verdict): boolean =>
  verdict.stage === VerdictStage.withdrawn ||
  verdict.anomalous ||
  verdict.findings.some(
    (finding) => finding.hard || finding.candidate || finding.kind === 'missing-telemetry' || mayBeCause(finding),
  );
