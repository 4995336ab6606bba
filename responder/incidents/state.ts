/** State of the incident keeper: open incidents and their indexes. Plain data, so that a snapshot is JSON. */
import type { Incident, IncidentClass, IncidentFinding } from '../../schemas/alerts/incident.ts';
import type { ClientRecord, Finding, FindingKind } from '../../schemas/log/verdict.ts';

export const MAX_CLIENTS = 64;
export const MAX_TRACES = 20;
/** Verdict ids kept of one incident, to take duplicates and amendments once. */
const MAX_VERDICTS = 10_000;

export interface IncidentState {
  id: string;
  revision: number;
  state: Incident['state'];
  mergedInto: string;
  class: IncidentClass;
  kind: FindingKind;
  explanationKey: string;
  entity: string;
  service: string;
  operation: string;
  title: string;
  matchText: string;
  severity: number;
  p: number;
  client: ClientRecord;
  /** End of the evidence of the node that named the client: of overlapping slow nodes the first to end is the cause. */
  clientEvidenceEndMs: number;
  clients: string[];
  users: string[];
  services: string[];
  startMs: number;
  endMs: number;
  openedMs: number;
  /** Log time of the last hit: quiet is counted from here. */
  lastHitMs: number;
  closedMs: number;
  traceIds: string[];
  traceCount: number;
  occurrences: number;
  updates: number;
  version: string;
  findings: IncidentFinding[];
  noveltyKeys: string[];
  /** Revision by verdict id. */
  verdicts: Record<string, number>;
  liveVerdicts: number;
}

export const toIncident = (s: IncidentState): Incident => ({
  id: s.id,
  revision: s.revision,
  state: s.state,
  mergedInto: s.mergedInto,
  class: s.class,
  kind: s.kind,
  explanationKey: s.explanationKey,
  entity: s.entity,
  service: s.service,
  operation: s.operation,
  title: s.title,
  matchText: s.matchText,
  severity: s.severity,
  p: s.p,
  client: s.client,
  clients: s.clients,
  users: s.users,
  services: s.services,
  startMs: s.startMs,
  endMs: s.endMs,
  openedMs: s.openedMs,
  closedMs: s.closedMs,
  traceCount: s.traceCount,
  traceIds: s.traceIds,
  occurrences: s.occurrences,
  version: s.version,
  findings: s.findings,
});

/** Adds `value` to a small list of distinct values; false when it was there or the list is full. */
export function addDistinct(list: string[], value: string | null, most: number): boolean {
  if (value === null || value === '' || list.length >= most || list.includes(value)) return false;
  list.push(value);
  return true;
}

/** Notes one verdict of the incident; false when the same or a later revision was already taken. */
export function noteVerdict(state: IncidentState, id: string, revision: number): 'new' | 'amended' | 'known' {
  const known = state.verdicts[id];
  if (known !== undefined && known >= revision) return 'known';
  if (known === undefined) {
    if (state.liveVerdicts >= MAX_VERDICTS) return 'new'; // counted, but no longer kept apart
    state.liveVerdicts++;
  }
  state.verdicts[id] = revision;
  return known === undefined ? 'new' : 'amended';
}

export function addFindings(state: IncidentState, findings: readonly Finding[]): void {
  for (const finding of findings) {
    const known = state.findings.findIndex(
      (f) =>
        f.kind === finding.kind &&
        f.service === finding.service &&
        f.operation === finding.operation &&
        f.parameter === finding.parameter,
    );
    if (known >= 0) {
      const before = state.findings[known]!;
      state.findings[known] = {
        ...before,
        count: before.count + 1,
        severity: Math.max(before.severity, finding.severity),
      };
    } else if (state.findings.length < 32) {
      const { kind, group, hard, service, operation, parameter, expected, seen, severity } = finding;
      state.findings.push({ kind, group, hard, service, operation, parameter, expected, seen, severity, count: 1 });
    }
    addDistinct(state.services, finding.service, 32);
  }
}
