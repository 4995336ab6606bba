/**
 * JSON records of the log: verdicts, collective counts, origin questions and answers, version announcements. Decoding
 * gives null for anything that is not what it should be: such a record is counted and passed over, never thrown on.
 * Unknown fields are ignored, so that an older reader understands a newer writer.
 */
import { z } from 'zod';
import { ABUSE_KINDS, type ActorRecord, SUBJECT_KINDS } from './actor-record.ts';
import type { AlertReplay } from './alert-replay.ts';
import type { CollectiveCounts } from './collective.ts';
import type { DecisionAction } from './decision-action.ts';
import { INCIDENT_ACTIONS, type IncidentAction } from './incident-action.ts';
import { JUDGED_LEVELS, type JudgedCounts } from './judged.ts';
import { STAGES } from './kill-chain.ts';
import type { OriginAnswer, OriginAsk } from './origin.ts';
import { FINDING_KINDS, type FindingRecord, GROUPS, type Verdict, VerdictStage } from './verdict.ts';
import type { VersionAnnouncement } from './version.ts';

const text = z.string();
const count = z.number().int().min(0);
const hexId = (characters: number) => z.string().regex(new RegExp(`^[0-9a-f]{${characters}}$`));
const traceId = hexId(32);
const spanId = hexId(16);
const group = z.enum(GROUPS);

const client = z.object({
  address: text.nullable(),
  source: z.enum(['peer', 'forwarded', 'x-forwarded-for', 'header', 'client.address', 'origin', 'none']),
  confidence: z.enum(['high', 'medium', 'low', 'none']),
  reason: text,
  hops: z.array(text),
  entrySpanId: text,
  entryTraceId: text,
  user: text.nullable(),
  session: text.nullable(),
  peer: text.exactOptional(),
});

const components = z.object({ structure: z.number(), timing: z.number(), parameters: z.number() });

const match = z.object({
  family: text,
  signature: text,
  version: text,
  learnedFrom: count,
  similarity: components,
  threshold: components,
  learnedThreshold: z
    .object({
      structure: z.number().exactOptional(),
      timing: z.number().exactOptional(),
      parameters: z.number().exactOptional(),
    })
    .exactOptional(),
  deviation: components.extend({ max: z.number() }),
  worst: z.enum(['structure', 'timing', 'parameters']),
  exact: z.boolean(),
  unseenEntry: z.boolean(),
  text,
});

const finding = z.object({
  kind: z.enum(FINDING_KINDS),
  group,
  hard: z.boolean(),
  evidence: z.enum(['presence', 'absence']),
  explanationKey: text,
  service: text,
  operation: text,
  spanId: text,
  parameter: text,
  expected: text,
  seen: text,
  support: z.number(),
  severity: z.number(),
  p: z.number().min(0).max(1),
  share: z.number(),
  candidate: z.boolean(),
  excessMs: z.number().exactOptional(),
  release: text.exactOptional(),
  startMs: z.number(),
  endMs: z.number(),
});

const chain = z.array(z.object({ depth: count, call: text, count, mark: z.enum(['', 'missing', 'extra', 'changed']) }));
const texts = z.array(text);

const verdict: z.ZodType<Verdict> = z.object({
  id: text.min(1),
  traceId,
  entrySpanId: spanId,
  partition: count,
  firstOffset: count,
  appendMs: z.number(),
  revision: count,
  stage: z.enum(VerdictStage),
  state: z.enum(['learning', 'scored', 'withdrawn']),
  version: text,
  asynchronous: z.boolean(),
  service: text,
  operation: text,
  startMs: z.number(),
  endMs: z.number(),
  spanCount: count,
  truncated: z.boolean(),
  score: z.number(),
  p: z.number().min(0).max(1),
  anomalous: z.boolean(),
  groups: z.object({ structure: z.number(), timing: z.number(), parameters: z.number(), status: z.number() }),
  match: match.nullable(),
  client,
  origins: z.array(client),
  originState: z.enum(['none', 'pending', 'known', 'unknown']),
  findings: z.array(finding),
  story: z.object({ expected: chain, seen: chain, reached: texts, tables: texts, fields: texts }).exactOptional(),
});

const findingRecord: z.ZodType<FindingRecord> = z.object({ verdict, segmentsPerDay: z.number().min(0) });

const collective: z.ZodType<CollectiveCounts> = z.object({
  partition: count,
  window: z.number().int(),
  windowMs: z.number().int().min(1),
  version: text,
  keys: z.array(
    z.object({
      service: text,
      label: text,
      feature: z.enum(['self', 'total']),
      count: z.number(),
      exceedances: z.number(),
      expected: z.number(),
      dispersion: z.number().exactOptional(),
      wide: z.number().exactOptional(),
      wideExpected: z.number().exactOptional(),
      wideDispersion: z.number().exactOptional(),
      wideMs: z.number().exactOptional(),
      aboveMaximum: z.number(),
      aboveMs: z.number().exactOptional(),
      aboveExpected: z.number().exactOptional(),
      shift: z.number(),
      exceedanceMs: z.number().exactOptional(),
      caller: text.exactOptional(),
    }),
  ),
  traces: z.record(z.string(), z.array(text)),
});

const shares = z.array(count).length(JUDGED_LEVELS.length);

const judged: z.ZodType<JudgedCounts> = z.object({
  partition: count,
  window: z.number().int(),
  windowMs: z.number().int().min(1),
  version: text,
  segmentsPerDay: z.number().min(0),
  segments: count,
  below: shares,
  hard: shares,
});

const originAsk: z.ZodType<OriginAsk> = z.object({
  traceId,
  entrySpanId: spanId,
  depth: count,
  producerTraceId: traceId,
  producerSpanId: spanId,
});

const originAnswer: z.ZodType<OriginAnswer> = z.object({
  traceId,
  entrySpanId: spanId,
  producerTraceId: traceId,
  producerSpanId: spanId,
  clients: z.array(client),
  state: z.enum(['known', 'unknown']),
});

const version: z.ZodType<VersionAnnouncement> = z.object({
  version: text.min(1),
  parent: text,
  offsets: z.array(count),
  segments: count,
  alerting: z.boolean(),
});

const incidentAction: z.ZodType<IncidentAction> = z.object({
  incidentId: text.min(1),
  action: z.enum(INCIDENT_ACTIONS),
  by: text,
  comment: text,
  atMs: z.number(),
  editId: text,
});

const actor: z.ZodType<ActorRecord> = z.object({
  id: text.min(1),
  revision: count,
  subject: z.object({ kind: z.enum(SUBJECT_KINDS), key: text }),
  abuse: z.enum([...ABUSE_KINDS, 'attribution', '']),
  evidence: z.number(),
  bound: z.number(),
  client,
  clients: texts,
  clientCount: count,
  users: texts,
  accounts: texts,
  risk: z.number().min(0).max(100),
  reasons: texts,
  stages: z.array(
    z.object({
      stage: z.enum(STAGES),
      technique: text,
      by: text,
      firstMs: z.number(),
      lastMs: z.number(),
      count,
    }),
  ),
  facts: z.object({
    users: z.number(),
    usersNamed: z.boolean().exactOptional(),
    requests: z.number(),
    firstSeenMs: z.number(),
    misattributed: z.boolean().exactOptional(),
    confidence: z.enum(['high', 'medium', 'low', 'none']).exactOptional(),
  }),
  service: text,
  operation: text,
  expected: text,
  seen: text,
  traceIds: texts,
  startMs: z.number(),
  endMs: z.number(),
  atMs: z.number(),
});

const alertReplay: z.ZodType<AlertReplay> = z.object({
  alert: z.object({
    id: text.min(1).max(128),
    type: z.enum([
      'incident.opened',
      'incident.updated',
      'incident.closed',
      'incident.acknowledged',
      'storm',
      'digest',
    ]),
    incidentId: text,
    createdMs: z.number(),
    body: text,
  }),
  destination: text,
  revision: count,
  attempt: count,
  by: text,
  atMs: z.number(),
});

const decisionAction: z.ZodType<DecisionAction> = z.object({
  about: text.min(1),
  action: z.literal('undo'),
  by: text,
  comment: text,
  atMs: z.number(),
});

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 bytes of the JSON text. */
export const encodeJson = (
  value:
    | FindingRecord
    | Verdict
    | CollectiveCounts
    | JudgedCounts
    | OriginAsk
    | OriginAnswer
    | VersionAnnouncement
    | IncidentAction
    | ActorRecord
    | DecisionAction
    | AlertReplay,
): Uint8Array => encoder.encode(JSON.stringify(value));

/** Null when the bytes are not UTF-8, not JSON, or not of the form. */
export function decodeJson<T>(form: z.ZodType<T>, bytes: Uint8Array): T | null {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    return null;
  }
  const result = form.safeParse(value);
  return result.success ? result.data : null;
}

export const decodeVerdict = (bytes: Uint8Array): Verdict | null => decodeJson(verdict, bytes);
export const decodeFindingRecord = (bytes: Uint8Array): FindingRecord | null => decodeJson(findingRecord, bytes);
export const decodeCollectiveCounts = (bytes: Uint8Array): CollectiveCounts | null => decodeJson(collective, bytes);
export const decodeJudgedCounts = (bytes: Uint8Array): JudgedCounts | null => decodeJson(judged, bytes);
export const decodeOriginAsk = (bytes: Uint8Array): OriginAsk | null => decodeJson(originAsk, bytes);
export const decodeOriginAnswer = (bytes: Uint8Array): OriginAnswer | null => decodeJson(originAnswer, bytes);
export const decodeVersionAnnouncement = (bytes: Uint8Array): VersionAnnouncement | null => decodeJson(version, bytes);
export const decodeIncidentAction = (bytes: Uint8Array): IncidentAction | null => decodeJson(incidentAction, bytes);
export const decodeActorRecord = (bytes: Uint8Array): ActorRecord | null => decodeJson(actor, bytes);
export const decodeAlertReplay = (bytes: Uint8Array): AlertReplay | null => decodeJson(alertReplay, bytes);
export const decodeDecisionAction = (bytes: Uint8Array): DecisionAction | null => decodeJson(decisionAction, bytes);
