/** Rows of `verdicts` (010_verdicts.sql) in RowBinary. */
import { type ClientRecord, COMPONENTS, type Finding, GROUPS, type Match, type Verdict } from '../log/verdict.ts';
import {
  type ByteSink,
  writeBool,
  writeFloat64,
  writeInt64,
  writeText,
  writeTexts,
  writeUint8,
  writeUint16,
  writeUint32,
  writeUint64,
  writeVarUint,
} from './byte-sink.ts';

interface FindingColumn {
  readonly name: string;
  readonly write: (sink: ByteSink, finding: Finding) => void;
}

const FINDING_COLUMNS: readonly FindingColumn[] = [
  { name: 'kind', write: (sink, f) => writeText(sink, f.kind) },
  { name: 'model_group', write: (sink, f) => writeText(sink, f.group) },
  { name: 'hard', write: (sink, f) => writeBool(sink, f.hard) },
  { name: 'evidence', write: (sink, f) => writeText(sink, f.evidence) },
  { name: 'explanation_key', write: (sink, f) => writeText(sink, f.explanationKey) },
  { name: 'service', write: (sink, f) => writeText(sink, f.service) },
  { name: 'operation', write: (sink, f) => writeText(sink, f.operation) },
  { name: 'span_id', write: (sink, f) => writeText(sink, f.spanId) },
  { name: 'parameter', write: (sink, f) => writeText(sink, f.parameter) },
  { name: 'expected', write: (sink, f) => writeText(sink, f.expected) },
  { name: 'seen', write: (sink, f) => writeText(sink, f.seen) },
  { name: 'support', write: (sink, f) => writeUint64(sink, f.support) },
  { name: 'severity', write: (sink, f) => writeFloat64(sink, f.severity) },
  { name: 'p', write: (sink, f) => writeFloat64(sink, f.p) },
  { name: 'share', write: (sink, f) => writeFloat64(sink, f.share) },
  { name: 'candidate', write: (sink, f) => writeBool(sink, f.candidate) },
  { name: 'start', write: (sink, f) => writeMs(sink, f.startMs) },
  { name: 'end', write: (sink, f) => writeMs(sink, f.endMs) },
];

const STATES = { learning: 0, scored: 1, withdrawn: 2 } as const;

/** Columns in the order they are written. */
export const VERDICT_COLUMNS: readonly string[] = [
  ...['day', 'id', 'revision', 'trace_id', 'entry_span_id', 'partition', 'first_offset', 'appended', 'stage', 'state'],
  ...['version', 'asynchronous', 'service', 'operation', 'start', 'end', 'span_count', 'truncated'],
  ...['score', 'p', 'anomalous', ...GROUPS.map((group) => `p_${group}`)],
  ...['matched', 'match_family', 'match_signature', 'match_version', 'match_learned_from'],
  ...['similarity', 'threshold', 'learned_threshold', 'deviation'].flatMap((of) =>
    COMPONENTS.map((component) => `match_${of}_${component}`),
  ),
  ...['match_deviation_max', 'match_worst', 'match_exact', 'match_unseen_entry', 'match_text'],
  ...['client_address', 'client_source', 'client_confidence', 'client_reason', 'client_hops', 'client_peer'],
  ...['client_entry_trace_id', 'client_entry_span_id', 'client_user', 'client_session'],
  ...['origin_state', 'origin_addresses', 'origins'],
  ...FINDING_COLUMNS.map(({ name }) => `findings.${name}`),
];

/** Appends one row. `verdict` is redacted already. */
export function writeVerdictRow(sink: ByteSink, verdict: Verdict): void {
  writeUint16(sink, dayOf(verdict.id));
  writeText(sink, verdict.id);
  writeUint64(sink, verdict.revision);
  writeText(sink, verdict.traceId);
  writeText(sink, verdict.entrySpanId);
  writeUint32(sink, verdict.partition);
  writeUint64(sink, verdict.firstOffset);
  writeMs(sink, verdict.appendMs);
  writeUint8(sink, verdict.stage);
  writeUint8(sink, STATES[verdict.state]);
  writeText(sink, verdict.version);
  writeBool(sink, verdict.asynchronous);
  writeText(sink, verdict.service);
  writeText(sink, verdict.operation);
  writeMs(sink, verdict.startMs);
  writeMs(sink, verdict.endMs);
  writeUint32(sink, verdict.spanCount);
  writeBool(sink, verdict.truncated);
  writeFloat64(sink, verdict.score);
  writeFloat64(sink, verdict.p);
  writeBool(sink, verdict.anomalous);
  for (const group of GROUPS) writeFloat64(sink, verdict.groups[group]);
  writeMatch(sink, verdict.match);
  writeClient(sink, verdict.client);
  writeText(sink, verdict.originState);
  writeOrigins(sink, verdict.origins);
  for (const { write } of FINDING_COLUMNS) {
    writeVarUint(sink, verdict.findings.length);
    for (const finding of verdict.findings) write(sink, finding);
  }
}

/** Days since the epoch of the `YYYYMMDD` that the id starts with. */
function dayOf(id: string): number {
  const ms = Date.UTC(Number(id.slice(0, 4)), Number(id.slice(4, 6)) - 1, Number(id.slice(6, 8)));
  return Math.min(65_535, Math.max(0, Math.floor(ms / 86_400_000) || 0));
}

const writeMs = (sink: ByteSink, ms: number): void => writeInt64(sink, Math.floor(ms) || 0);

function writeMatch(sink: ByteSink, match: Match | null): void {
  writeBool(sink, match !== null);
  writeText(sink, match?.family ?? '');
  writeText(sink, match?.signature ?? '');
  writeText(sink, match?.version ?? '');
  writeUint64(sink, match?.learnedFrom ?? 0);
  for (const component of COMPONENTS) writeFloat64(sink, match?.similarity[component] ?? 0);
  for (const component of COMPONENTS) writeFloat64(sink, match?.threshold[component] ?? 0);
  for (const component of COMPONENTS)
    writeFloat64(sink, match?.learnedThreshold?.[component] ?? match?.threshold[component] ?? 0);
  for (const component of COMPONENTS) writeFloat64(sink, match?.deviation[component] ?? 0);
  writeFloat64(sink, match?.deviation.max ?? 0);
  writeText(sink, match?.worst ?? '');
  writeBool(sink, match?.exact ?? false);
  writeBool(sink, match?.unseenEntry ?? false);
  writeText(sink, match?.text ?? '');
}

function writeClient(sink: ByteSink, client: ClientRecord): void {
  writeText(sink, client.address ?? '');
  writeText(sink, client.source);
  writeText(sink, client.confidence);
  writeText(sink, client.reason);
  writeTexts(sink, client.hops);
  writeText(sink, client.peer ?? '');
  writeText(sink, client.entryTraceId);
  writeText(sink, client.entrySpanId);
  writeText(sink, client.user ?? '');
  writeText(sink, client.session ?? '');
}

function writeOrigins(sink: ByteSink, origins: readonly ClientRecord[]): void {
  if (origins.length === 0) {
    writeUint8(sink, 0);
    writeUint8(sink, 0);
    return;
  }
  writeTexts(
    sink,
    origins.map((origin) => origin.address ?? '').filter((address) => address !== ''),
  );
  writeText(sink, JSON.stringify(origins));
}
