/**
 * Rows that wait to be stored: the newest of each thing. What could not be stored waits on, unless it became another owner's.
 */
import type { BudgetState, RateHour } from '../schemas/alerts/budget.ts';
import type { Decision } from '../schemas/alerts/decision.ts';
import type { DigestEntry } from '../schemas/alerts/digest.ts';
import type { Alert, Delivery, Incident, IncidentWord } from '../schemas/alerts/incident.ts';

export interface RowStore {
  insertIncidents(rows: readonly Incident[]): Promise<void>;
  insertAlerts(rows: readonly Alert[]): Promise<void>;
  insertDeliveries(rows: readonly Delivery[]): Promise<void>;
  insertIncidentActions(rows: readonly IncidentWord[]): Promise<void>;
  insertDigest(rows: readonly DigestEntry[]): Promise<void>;
  insertJudgedHours(rows: readonly RateHour[]): Promise<void>;
  insertBudget(rows: readonly BudgetState[]): Promise<void>;
  /** Absent while response is off. */
  insertDecisions?(rows: readonly Decision[]): Promise<void>;
}

export interface WaitingRows {
  incident(row: Incident): void;
  alert(row: Alert): void;
  delivery(row: Delivery): void;
  word(row: IncidentWord): void;
  decision(row: Decision): void;
  changes(digest: readonly DigestEntry[], rates: readonly RateHour[], budget: BudgetState): void;
  /** Rejects when something could not be stored: it waits on. */
  store(store: RowStore): Promise<void>;
  /** They are another owner's now. */
  clear(): void;
}

/** One kind of row by key: the newest stands. */
interface Kind<T> {
  add(row: T): void;
  store(insert: (rows: readonly T[]) => Promise<void>): Promise<void>;
  clear(): void;
}

function createKind<T>(keyOf: (row: T) => string): Kind<T> {
  let waiting = new Map<string, T>();
  let owner = 0;
  return {
    add(row) {
      waiting.set(keyOf(row), row);
    },
    async store(insert) {
      if (waiting.size === 0) return;
      const rows = waiting;
      const before = owner;
      waiting = new Map();
      try {
        await insert([...rows.values()]);
      } catch (error) {
        if (owner === before) waiting = new Map([...rows, ...waiting]);
        throw error;
      }
    },
    clear() {
      waiting.clear();
      owner++;
    },
  };
}

export function createWaitingRows(): WaitingRows {
  const incidents = createKind<Incident>(({ id }) => id);
  const alerts = createKind<Alert>(({ id }) => id);
  const deliveries = createKind<Delivery>(({ alertId, destination }) => `${alertId} ${destination}`);
  const words = createKind<IncidentWord>(({ saidOf, action, by, atMs }) => `${saidOf} ${action} ${by} ${atMs}`);
  const decisions = createKind<Decision>(({ id }) => id);
  const digest = createKind<DigestEntry>(({ day, kind, explanationKey }) => `${day} ${kind} ${explanationKey}`);
  const hours = createKind<RateHour>(({ hourMs, version }) => `${hourMs} ${version}`);
  const budget = createKind<BudgetState>(({ hourMs }) => `${hourMs}`);
  return {
    incident: incidents.add,
    alert: alerts.add,
    delivery: deliveries.add,
    word: words.add,
    decision: decisions.add,
    changes(entries, rates, state) {
      for (const entry of entries) digest.add(entry);
      for (const hour of rates) hours.add(hour);
      if (rates.length > 0) budget.add(state);
    },
    async store(store) {
      await incidents.store(store.insertIncidents);
      await alerts.store(store.insertAlerts);
      await deliveries.store(store.insertDeliveries);
      await words.store(store.insertIncidentActions);
      if (store.insertDecisions !== undefined) await decisions.store(store.insertDecisions);
      await digest.store(store.insertDigest);
      await hours.store(store.insertJudgedHours);
      await budget.store(store.insertBudget);
    },
    clear() {
      for (const kind of [incidents, alerts, deliveries, words, decisions, digest, hours, budget]) kind.clear();
    },
  };
}
