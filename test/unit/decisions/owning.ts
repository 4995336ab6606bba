/** The owner of the findings with what it decided, and records for it, for tests. */
import { createDecisionCore, type DecisionSnapshot } from '../../../responder/decisions/core.ts';
import { createFindings } from '../../../responder/findings.ts';
import type { LogRecord } from '../../../runtime/log/port.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { responseSection } from '../../../schemas/config/response.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import type { DecisionAction } from '../../../schemas/log/decision-action.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { CONFIG } from '../responder/keeping.ts';
import { verdictOf } from '../responder/verdicts.ts';
import { actorOf } from './deciding.ts';

export function ownerOf(settings: object, stateText: string | null = null) {
  const rows: Decision[] = [];
  const findings = createFindings(
    CONFIG,
    {
      sink: { incident: () => {}, alert: () => {} },
      createDecisions: (state) =>
        createDecisionCore(
          {
            response: responseSection.parse({ mode: 'enforce', ...settings }),
            attribution: attributionSection.parse({}),
          },
          (decision) => rows.push(decision),
          (state ?? undefined) as DecisionSnapshot | undefined,
        ),
      createCollective: () => ({ add: () => {}, judge: () => [], snapshot: () => null }),
      metrics: createMetrics(),
      logger: createLogger({ name: 'test', level: 'silent' }),
      word: () => {},
      judged: () => {},
      digest: null,
    },
    stateText,
  );
  return { findings, rows };
}

let offset = 0;
export const recordOf = (
  kind: LogRecord['kind'],
  value: Verdict | ActorRecord | DecisionAction,
  appendMs: number,
): LogRecord => ({
  partition: 0,
  offset: offset++,
  appendMs,
  kind,
  key: '',
  value: encodeJson(kind === RecordKind.verdict ? { verdict: value as Verdict, segmentsPerDay: 100_000 } : value),
});
const verdictRecord = (atMs: number, client: string, fields: Parameters<typeof verdictOf>[0] = {}) =>
  recordOf(RecordKind.verdict, verdictOf({ ...fields, client, appendMs: atMs }), atMs);
const actorRecord = (atMs: number, fields: Parameters<typeof actorOf>[0]) =>
  recordOf(RecordKind.actor, actorOf({ ...fields, atMs }), atMs);
export const told = (rows: readonly Decision[]): string[] =>
  rows.map(({ scope, value, target, state, reason }) =>
    state === 'refused' ? `refused ${scope} ${value} ${reason.split(':')[0]}` : `${state} ${scope} ${value} ${target}`,
  );

export const recordFor = {
  verdict: (client: string, atMs: number, fields: Parameters<typeof verdictOf>[0] = {}): LogRecord =>
    verdictRecord(atMs, client, fields),
  actor: (record: ActorRecord, atMs: number): LogRecord => recordOf(RecordKind.actor, record, atMs),
  known: (atMs: number, fields: Parameters<typeof actorOf>[0]): LogRecord => actorRecord(atMs, fields),
};
