/** The responder's incident core as offline scoring needs it: the same keeper, driven by the spans' own times. */
import type { IncidentLine, OfflineIncidents } from '../../detector/offline-incidents.ts';
import { createIncidentKeeper } from '../../responder/incidents/keeper.ts';
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { IncidentsConfig } from '../../schemas/config/responder.ts';

export function createOfflineIncidents(config: IncidentsConfig): OfflineIncidents {
  const incidents = new Map<string, Incident>();
  let lastMs = 0;
  const keeper = createIncidentKeeper(config, {
    incident: (incident) => incidents.set(incident.id, incident),
    alert: () => {}, // before any budget: the file lists all
  });
  const tick = (streamMs: number): void => {
    lastMs = Math.max(lastMs, streamMs);
    keeper.tick(lastMs);
  };
  return {
    verdict(verdict, segmentsPerDay, streamMs) {
      tick(streamMs);
      keeper.verdict({ verdict, segmentsPerDay }, lastMs);
    },
    collective({ finding, traceIds }, version, streamMs) {
      tick(streamMs);
      keeper.operational(finding, traceIds, version, lastMs);
    },
    load: (counts) => keeper.load.add(counts),
    tick,
    end() {
      tick(lastMs + config.candidateWaitMs + 1);
      return [...incidents.values()]
        .filter(({ state }) => state !== 'merged')
        .sort((a, b) => a.startMs - b.startMs || (a.id < b.id ? -1 : 1))
        .map(toLine);
    },
  };
}

const toLine = (incident: Incident): IncidentLine => ({
  start: new Date(incident.startMs).toISOString(),
  end: new Date(incident.endMs).toISOString(),
  class: incident.class,
  kind: incident.kind,
  service: incident.service,
  operation: incident.operation,
  client: incident.client.address,
  traces: incident.traceCount,
  disposition: incident.class === 'security' ? 'alert' : 'notice',
});
