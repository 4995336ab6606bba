/** A keeper with what it said, for tests. */
import {
  createIncidentKeeper,
  type IncidentEvent,
  type KeeperConfig,
  type KeeperSnapshot,
} from '../../../responder/incidents/keeper.ts';
import type { Incident } from '../../../schemas/alerts/incident.ts';
import type { IncidentActionKind } from '../../../schemas/log/incident-action.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { DAY } from './verdicts.ts';

export const CONFIG: KeeperConfig = {
  budgetPerDay: 5,
  softIncidents: true,
  quietSecurityMs: 3_600_000,
  quietOperationalMs: 60_000,
  candidateWaitMs: 2_500,
  stormPerMinute: 5,
  maxOpen: 1_000,
};

export interface SaidAlert {
  readonly event: IncidentEvent;
  readonly id: string;
  readonly sequence: string;
  readonly atMs: number;
  readonly incident: Incident;
  readonly members: number;
}

export function keeperOf(config: Partial<KeeperConfig> = {}, snapshot?: KeeperSnapshot) {
  const alerts: SaidAlert[] = [];
  const rows = new Map<string, Incident>();
  const keeper = createIncidentKeeper(
    { ...CONFIG, ...config },
    {
      incident: (incident) => rows.set(incident.id, incident),
      alert: (event, incident, sequence, atMs, members) =>
        alerts.push({ event, id: incident.id, sequence, atMs, incident, members: members.length }),
    },
    snapshot,
  );
  let said = 0;
  return {
    keeper,
    alerts,
    rows,
    events: () => alerts.map(({ event }) => event),
    only: (): Incident => [...rows.values()][0]!,
    feed: (verdict: Verdict, appendMs = verdict.appendMs, segmentsPerDay = 100_000) =>
      keeper.verdict({ verdict, segmentsPerDay }, appendMs),
    say: (incidentId: string, action: IncidentActionKind, appendMs = DAY) =>
      keeper.action({ incidentId, action, by: 'ana', comment: 'seen', atMs: DAY + ++said, editId: '' }, appendMs),
    snapshot: () => JSON.parse(JSON.stringify(keeper.snapshot())) as KeeperSnapshot,
  };
}
