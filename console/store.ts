/** What the console reads and writes, as it needs it. Every call rejects retryably while ClickHouse is away. */

import type { Store } from '../runtime/clickhouse/store.ts';
import type { DecisionFilter } from '../runtime/clickhouse/stored-decisions.ts';
import type { StoredVerdictFindings } from '../runtime/clickhouse/stored-findings.ts';
import type { JudgedBad } from '../runtime/clickhouse/stored-words.ts';
import type { Decision } from '../schemas/alerts/decision.ts';
import type { Incident } from '../schemas/alerts/incident.ts';
import type { Call } from '../schemas/baselines/edit.ts';

export interface ConsoleStore
  extends Pick<
    Store,
    | 'edits'
    | 'insertEdit'
    | 'incidents'
    | 'deadLetters'
    | 'listVersions'
    | 'loadVersion'
    | 'requestBaseline'
    | 'baselineRequests'
    | 'insertImported'
  > {
  findingsOfTraces(traceIds: readonly string[]): Promise<readonly StoredVerdictFindings[]>;
  recentFindings(
    sinceMs: number,
    most: number,
  ): Promise<{ readonly verdicts: readonly StoredVerdictFindings[]; readonly scored: number }>;
  /** Where the novelty of this incident was judged bad, and not reopened since. */
  judgedBad(incident: Pick<Incident, 'id' | 'kind' | 'explanationKey'>): Promise<JudgedBad | undefined>;
  novelties(sinceMs: number): Promise<readonly { readonly kind: string; readonly explanationKey: string }[]>;
  decisions(filter: DecisionFilter): Promise<readonly Decision[]>;
  inventoryCalls(): Promise<readonly Call[]>;
}
