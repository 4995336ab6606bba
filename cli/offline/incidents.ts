/**
 * The responder's incident core as offline scoring needs it: the same keeper, driven by the spans' own times. Counts of
 * windows are complete long after the verdicts of the same time (files are in order only roughly), and a keeper whose clock
 * had run ahead of them would close an incident between two windows of one shift: what comes waits until all of its time is in.
 */
import type { IncidentLine, OfflineIncidents } from '../../detector/offline-incidents.ts';
import { createIncidentKeeper, type KeeperConfig } from '../../responder/incidents/keeper.ts';
import type { Incident } from '../../schemas/alerts/incident.ts';

export function createOfflineIncidents(config: KeeperConfig): OfflineIncidents {
  /** By id and occurrence: what came back after it had closed is another line, with a start of its own. */
  const occurrences = new Map<string, Occurrence>();
  let lastMs = 0;
  /** Where the evidence at hand begins; the incident itself only keeps its first. */
  let evidenceMs = Number.NaN;
  const keeper = createIncidentKeeper(config, {
    incident(incident) {
      const key = `${incident.id}#${incident.occurrences}`;
      const known = occurrences.get(key);
      const later = Number.isNaN(evidenceMs) ? incident.endMs : evidenceMs;
      const startMs = known?.startMs ?? (incident.occurrences === 1 ? incident.startMs : later);
      const before = occurrences.get(`${incident.id}#${incident.occurrences - 1}`)?.incident.traceCount ?? 0;
      occurrences.set(key, { incident, startMs: Math.min(startMs, later), traces: incident.traceCount - before });
    },
    alert: () => {}, // the file lists them
  });
  const withEvidence = (startMs: number, work: () => void): void => {
    evidenceMs = startMs;
    work();
    evidenceMs = Number.NaN;
  };
  const tick = (streamMs: number): void => {
    lastMs = Math.max(lastMs, streamMs);
    keeper.tick(lastMs);
  };
  let waiting: { readonly atMs: number; readonly tell: () => void }[] = [];
  const wait = (atMs: number, tell: () => void): void => {
    waiting.push({ atMs, tell });
  };
  /** Tells what is of that time or before, in its order. */
  function tellUntil(untilMs: number): void {
    const due = waiting.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
    if (due.length > 0) waiting = waiting.filter(({ atMs }) => atMs > untilMs);
    for (const { atMs, tell } of due) {
      tick(atMs);
      tell();
    }
  }

  return {
    verdict(verdict, segmentsPerDay, streamMs) {
      const startMs = Math.min(...verdict.findings.map((finding) => finding.startMs));
      wait(streamMs, () =>
        withEvidence(Number.isFinite(startMs) ? startMs : Number.NaN, () =>
          keeper.verdict({ verdict, segmentsPerDay }, lastMs),
        ),
      );
    },
    collective({ finding, traceIds }, version, streamMs) {
      wait(streamMs, () => withEvidence(finding.startMs, () => keeper.operational(finding, traceIds, version, lastMs)));
    },
    load(counts) {
      wait((counts.window + 1) * counts.windowMs, () => keeper.load(counts));
    },
    tick: tellUntil,
    end() {
      tellUntil(Number.POSITIVE_INFINITY);
      tick(lastMs + config.candidateWaitMs + 1_000); // the keeper's time moves in steps
      return [...occurrences.values()]
        .filter(({ incident }) => incident.state !== 'merged')
        .sort((a, b) => a.startMs - b.startMs || (a.incident.id < b.incident.id ? -1 : 1))
        .map(toLine);
    },
  };
}

interface Occurrence {
  readonly incident: Incident;
  readonly startMs: number;
  /** Distinct traces of this occurrence. */
  readonly traces: number;
}

const toLine = ({ incident, startMs, traces }: Occurrence): IncidentLine => ({
  start: new Date(startMs).toISOString(),
  end: new Date(incident.endMs).toISOString(),
  class: incident.class,
  kind: incident.kind,
  service: incident.service,
  operation: incident.operation,
  client: incident.client.address,
  traces,
  disposition: incident.class === 'security' ? 'alert' : 'notice',
});
