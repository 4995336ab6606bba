/** The store: what roles keep in ClickHouse and read back, over one connection. Every failure is CLICKHOUSE_UNAVAILABLE (try again) or CLICKHOUSE_REJECTED. */
import type { BudgetState, RateHour } from '../../schemas/alerts/budget.ts';
import type { DigestEntry } from '../../schemas/alerts/digest.ts';
import type { Alert, Delivery, Incident, IncidentWord } from '../../schemas/alerts/incident.ts';
import type { AnsweredRequest, BaselineAnswer, BaselineRequest } from '../../schemas/baselines/request.ts';
import type { VersionEntry } from '../../schemas/baselines/version.ts';
import type { CallCount, InventoryRows } from '../../schemas/clickhouse/inventory-row.ts';
import type { Redactor } from '../../schemas/clickhouse/redactor.ts';
import { createSpanRowWriter, type SpanRowCounts } from '../../schemas/clickhouse/spans-row.ts';
import type { Verdict } from '../../schemas/log/verdict.ts';
import { type Batch, createBatch } from './batch.ts';
import type { ClickHouse } from './client.ts';
import { deduplicateDay } from './closed-days.ts';
import { insertSnapshotParts, readSnapshotParts, type StoredPart } from './stored-actors.ts';
import { insertAlerts, insertSnapshot, readSnapshot, type Snapshot } from './stored-alerts.ts';
import { insertBudget, insertDigest, insertIncidentActions, insertJudgedHours } from './stored-budget.ts';
import {
  type AlertedDelivery,
  type DeadLetterFilter,
  insertDeliveries,
  readDeadLetters,
  readDeliveries,
} from './stored-deliveries.ts';
import { type EditFilter, insertEdit, readEdits, type StoredEdit } from './stored-edits.ts';
import { type IncidentFilter, insertIncidents, readIncidents } from './stored-incidents.ts';
import { readCallCounts, upsertInventory } from './stored-inventory.ts';
import { answerRequest, insertImported, insertRequest, type RequestFilter, readRequests } from './stored-requests.ts';
import {
  readSegmentOfSpan,
  readStoredSpanIds,
  readStoredVerdicts,
  readVerdictsByTrace,
  type StoredSegment,
  type StoredVerdict,
} from './stored-verdicts.ts';
import {
  insertVersion,
  latestVersion,
  listVersions,
  loadImported,
  loadVersion,
  type PartialRow,
  readVersion,
  type StoredVersion,
  type VersionFacts,
  type VersionRows,
} from './stored-versions.ts';
import { createWriteClock } from './write-clock.ts';

export type { Batch } from './batch.ts';
export type { Snapshot } from './stored-alerts.ts';
export type { AlertedDelivery, DeadLetterFilter } from './stored-deliveries.ts';
export type { EditFilter, StoredEdit } from './stored-edits.ts';
export type { IncidentFilter } from './stored-incidents.ts';
export type { RequestFilter } from './stored-requests.ts';
export type { StoredSegment, StoredVerdict } from './stored-verdicts.ts';
export type { PartialRow, StoredVersion, VersionFacts, VersionRows } from './stored-versions.ts';

export interface StoreDeps {
  readonly redactor: Redactor;
  /** traces/redaction/verdict.ts redactVerdict, bound to the redactor. */
  redactVerdict(verdict: Verdict): Verdict;
  readonly now: () => number;
}

export interface Store {
  /** What was odd in the spans encoded so far, over all batches. */
  readonly spanCounts: SpanRowCounts;
  createBatch(): Batch;
  storedVerdicts(partition: number, fromOffset: number, sinceMs?: number): Promise<ReadonlyMap<string, StoredVerdict>>;
  storedSpanIds(traceIds: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  verdictsByTrace(traceId: string): Promise<readonly StoredSegment[]>;
  /** The stored segment a span belongs to: who caused what the span produced. */
  segmentOfSpan(traceId: string, spanId: string): Promise<StoredSegment | undefined>;

  insertIncidents(rows: readonly Incident[]): Promise<void>;
  insertAlerts(rows: readonly Alert[]): Promise<void>;
  insertDeliveries(rows: readonly Delivery[]): Promise<void>;
  insertIncidentActions(rows: readonly IncidentWord[]): Promise<void>;
  insertDigest(rows: readonly DigestEntry[]): Promise<void>;
  insertJudgedHours(rows: readonly RateHour[]): Promise<void>;
  insertBudget(rows: readonly BudgetState[]): Promise<void>;
  incidents(filter?: IncidentFilter): Promise<readonly Incident[]>;
  openIncidents(): Promise<readonly Incident[]>;
  /** Alerts made or tried in the last `days` (default 3: retries end after 24 h) with their newest delivery by destination. */
  recentDeliveries(days?: number): Promise<readonly AlertedDelivery[]>;
  /** The same, of those that are still to be sent. */
  undelivered(days?: number): Promise<readonly AlertedDelivery[]>;
  /** What was given up, the newest first. */
  deadLetters(filter?: DeadLetterFilter): Promise<readonly AlertedDelivery[]>;
  saveSnapshot(owner: string, snapshot: Snapshot): Promise<void>;
  loadSnapshot(owner: string): Promise<Snapshot | null>;
  /** What is too large for one row; a snapshot saved after it says which parts stand. Load the snapshot before saving any. */
  saveSnapshotParts(owner: string, parts: readonly StoredPart[]): Promise<void>;
  /** Of these names, both places of each where there are two. */
  loadSnapshotParts(owner: string, names: readonly string[]): Promise<readonly StoredPart[]>;

  insertVersion<M extends VersionFacts>(rows: VersionRows<M>): Promise<void>;
  latestVersion<M extends VersionFacts, E extends VersionEntry>(): Promise<
    (StoredVersion<M, E> & { readonly partials: readonly PartialRow[] }) | null
  >;
  loadVersion<M extends VersionFacts, E extends VersionEntry>(version: string): Promise<StoredVersion<M, E>>;
  /** The same, each entry given to `take` as it comes; to be trusted only when this has ended. */
  readVersion<M extends VersionFacts, E extends VersionEntry>(version: string, take: (entry: E) => void): Promise<M>;
  /** Manifests, newest first. */
  listVersions<M extends VersionFacts>(limit?: number): Promise<readonly M[]>;

  /** Asks the trainer for a roll-back, an import or the end of a hold; the same id again changes nothing. */
  requestBaseline(request: BaselineRequest): Promise<void>;
  /** Pending ones oldest first, else newest first. */
  baselineRequests(filter?: RequestFilter): Promise<readonly AnsweredRequest[]>;
  answerBaselineRequest(request: BaselineRequest, answer: BaselineAnswer): Promise<void>;
  /** Entries of a baseline learned elsewhere, under its id: before the import is asked for. */
  insertImported(version: string, entries: Iterable<VersionEntry>): Promise<void>;
  loadImported<E extends VersionEntry>(version: string): Promise<readonly E[]>;

  /** A revision of an operator's edit; every one is kept. */
  insertEdit(edit: StoredEdit): Promise<void>;
  /** Newest first; of each edit its newest revision, or with `history` all. */
  edits(filter?: EditFilter): Promise<readonly StoredEdit[]>;

  upsertInventory(rows: InventoryRows): Promise<void>;
  callCounts(partition: number, hourMs: number): Promise<readonly CallCount[]>;

  /** Removes what a crash between spans and verdicts doubled, in the partition of a closed day (UTC). */
  deduplicateDay(dayMs: number): Promise<void>;
}

const DAY_MS = 86_400_000;

export function createStore(clickhouse: ClickHouse, deps: StoreDeps): Store {
  const { keep, keepSample } = clickhouse.config;
  const writer = createSpanRowWriter(deps.redactor);
  const written = createWriteClock(deps.now);
  const keeps = (verdict: Verdict): boolean =>
    keep === 'all' || verdict.anomalous || verdict.findings.length > 0 || sampleOf(verdict.traceId) < keepSample;
  const recent = (days: number): Promise<AlertedDelivery[]> => readDeliveries(clickhouse, deps.now() - days * DAY_MS);
  return {
    spanCounts: writer.counts,
    createBatch: () => createBatch({ clickhouse, writer, redactVerdict: deps.redactVerdict, keeps }),
    storedVerdicts: (partition, fromOffset, sinceMs) => readStoredVerdicts(clickhouse, partition, fromOffset, sinceMs),
    storedSpanIds: (traceIds) => readStoredSpanIds(clickhouse, traceIds),
    verdictsByTrace: (traceId) => readVerdictsByTrace(clickhouse, traceId),
    segmentOfSpan: (traceId, spanId) => readSegmentOfSpan(clickhouse, traceId, spanId),

    insertIncidents: (rows) => insertIncidents(clickhouse, rows),
    insertAlerts: (rows) => insertAlerts(clickhouse, rows),
    insertDeliveries: (rows) => insertDeliveries(clickhouse, rows),
    insertIncidentActions: (rows) => insertIncidentActions(clickhouse, rows),
    insertDigest: (rows) => insertDigest(clickhouse, rows),
    insertJudgedHours: (rows) => insertJudgedHours(clickhouse, rows),
    insertBudget: (rows) => insertBudget(clickhouse, rows),
    incidents: (filter) => readIncidents(clickhouse, filter),
    openIncidents: () => readIncidents(clickhouse, { state: 'open', limit: 100_000 }),
    recentDeliveries: (days = 3) => recent(days),
    undelivered: async (days = 3) =>
      (await recent(days)).filter(({ delivery }) => delivery.state === 'pending' || delivery.state === 'failed'),
    deadLetters: (filter) => readDeadLetters(clickhouse, filter),
    saveSnapshot: (owner, snapshot) => insertSnapshot(clickhouse, owner, snapshot, written.next(owner)),
    async loadSnapshot(owner) {
      const { snapshot, newestMs } = await readSnapshot(clickhouse, owner);
      written.seen(owner, newestMs);
      return snapshot;
    },
    saveSnapshotParts: (owner, parts) => insertSnapshotParts(clickhouse, owner, parts, written.next(owner)),
    loadSnapshotParts: (owner, names) => readSnapshotParts(clickhouse, owner, names),

    insertVersion: (rows) => insertVersion(clickhouse, rows),
    latestVersion: () => latestVersion(clickhouse),
    loadVersion: (version) => loadVersion(clickhouse, version),
    readVersion: (version, take) => readVersion(clickhouse, version, take),
    listVersions: (limit) => listVersions(clickhouse, limit),

    requestBaseline: (request) => insertRequest(clickhouse, request),
    baselineRequests: (filter) => readRequests(clickhouse, filter),
    answerBaselineRequest: (request, answer) => answerRequest(clickhouse, request, answer),
    insertImported: (version, entries) => insertImported(clickhouse, version, entries, deps.now()),
    loadImported: (version) => loadImported(clickhouse, version),

    insertEdit: (edit) => insertEdit(clickhouse, edit),
    edits: (filter) => readEdits(clickhouse, filter),

    upsertInventory: (rows) => upsertInventory(clickhouse, rows),
    callCounts: (partition, hourMs) => readCallCounts(clickhouse, partition, hourMs),

    deduplicateDay: (dayMs) => deduplicateDay(clickhouse, new Date(dayMs).toISOString().slice(0, 10)),
  };
}

/** [0, 1), the same for a trace everywhere: from the random last digits of its id (W3C trace context level 2). */
const sampleOf = (traceId: string): number => Number.parseInt(traceId.slice(-8), 16) / 4294967296;
