/** What operators said of incidents, the digest, and the budget with the rates it is held against: rows of little traffic. */
import type { BudgetState, RateHour } from '../../schemas/alerts/budget.ts';
import type { DigestEntry } from '../../schemas/alerts/digest.ts';
import type { IncidentWord } from '../../schemas/alerts/incident.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows } from './statements.ts';

export const insertIncidentActions = (clickhouse: ClickHouse, words: readonly IncidentWord[]): Promise<void> =>
  insertRows(
    clickhouse,
    'incident_actions',
    words.map((word) => ({
      incident_id: word.incidentId,
      said_of: word.saidOf,
      occurrence: word.occurrence,
      action: word.action,
      said_by: word.by,
      comment: word.comment,
      edit_id: word.editId,
      said: dateTime(word.atMs),
      taken: dateTime(word.takenMs),
      result: word.result,
    })),
  );

export const insertDigest = (clickhouse: ClickHouse, entries: readonly DigestEntry[]): Promise<void> =>
  insertRows(
    clickhouse,
    'digest',
    entries.map((entry) => ({
      day: entry.day,
      kind: entry.kind,
      explanation_key: entry.explanationKey,
      revision: entry.revision,
      class: entry.class,
      service: entry.service,
      operation: entry.operation,
      requests: entry.count,
      clients: entry.clients,
      p: entry.p,
      severity: entry.severity,
      expected: entry.expected,
      seen: entry.seen,
      match_text: entry.matchText,
      trace_id: entry.traceId,
      first_seen: dateTime(entry.firstMs),
      last_seen: dateTime(entry.lastMs),
    })),
  );

/** A DateTime of whole seconds. */
const seconds = (ms: number): number => Math.floor(ms / 1000);

export const insertJudgedHours = (clickhouse: ClickHouse, hours: readonly RateHour[]): Promise<void> =>
  insertRows(
    clickhouse,
    'judged_hours',
    hours.map(({ hourMs, version, segments, below, hard }) => ({
      hour: seconds(hourMs),
      version,
      segments,
      below,
      hard,
    })),
  );

export const insertBudget = (clickhouse: ClickHouse, states: readonly BudgetState[]): Promise<void> =>
  insertRows(
    clickhouse,
    'budget',
    states.map((state) => ({
      hour: seconds(state.hourMs),
      at: dateTime(state.atMs),
      target_per_day: state.targetPerDay,
      threshold: state.threshold,
      shift: state.shift,
      drift: state.drift,
      drift_nominal: state.driftNominal,
      segments_per_day: state.segmentsPerDay,
      segments_last_day: state.segmentsLastDay,
      expected_last_day: state.expectedLastDay,
      soft_last_day: state.softLastDay,
      benign_last_week: state.benignLastWeek,
      true_last_week: state.trueLastWeek,
    })),
  );
