/** What the responder keeps, in memory: for tests that look at it, crash it, or take it away. */
import type { ResponderStore } from '../../../responder/service.ts';
import type { Alert, Delivery, Incident } from '../../../schemas/alerts/incident.ts';

export interface MemoryStore extends ResponderStore {
  readonly incidents: Map<string, Incident>;
  readonly alerts: Map<string, Alert>;
  /** Newest revision by alert and destination. */
  readonly deliveries: Map<string, Delivery>;
}

export function createMemoryStore(): MemoryStore {
  const incidents = new Map<string, Incident>();
  const alerts = new Map<string, Alert>();
  const deliveries = new Map<string, Delivery>();
  let snapshot: { nextOffset: number; state: string } | null = null;
  const store: MemoryStore = {
    incidents,
    alerts,
    deliveries,
    async insertIncidents(rows) {
      for (const row of rows) incidents.set(row.id, row);
    },
    async insertAlerts(rows) {
      for (const row of rows) alerts.set(row.id, row);
    },
    async insertDeliveries(rows) {
      for (const row of rows) {
        const key = `${row.alertId} ${row.destination}`;
        if ((deliveries.get(key)?.revision ?? -1) <= row.revision) deliveries.set(key, row);
      }
    },
    insertIncidentActions: async () => {},
    insertDigest: async () => {},
    insertJudgedHours: async () => {},
    insertBudget: async () => {},
    async saveSnapshot(nextOffset, state) {
      snapshot = { nextOffset, state };
    },
    loadSnapshot: async () => snapshot,
    recentDeliveries: async () =>
      [...deliveries.values()].flatMap((delivery) => {
        const alert = alerts.get(delivery.alertId);
        return alert === undefined ? [] : [{ alert, delivery }];
      }),
  };
  return store;
}
