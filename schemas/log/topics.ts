/** Topics and record kinds of the log: what flows where, and what a partition's key means. */

export const TOPICS = ['spans', 'findings', 'actor-events', 'baselines'] as const;
export type TopicName = (typeof TOPICS)[number];

/**
 * What a record holds. Kept as a small integer in the embedded log and as header `sw-kind` in Kafka.
 * `spans` topic (key = 32-character lowercase hex trace id): spans, originAsk, originAnswer.
 * `findings` (one partition): verdict, collective, judged, incidentAction, actor, decisionAction, alertReplay. `actor-events` (one partition):
 * actorEvents. `baselines`: version.
 */
export const RecordKind = {
  /** OTLP TracesData bytes with the spans of one trace. */
  spans: 0,
  /** schemas/log/origin.ts: who caused the producer span named here? Key = the producer's trace id. */
  originAsk: 1,
  /** schemas/log/origin.ts: the answer. Key = the asker's trace id. */
  originAnswer: 2,
  /** schemas/log/verdict.ts: a verdict with findings, or its amendment or withdrawal. */
  verdict: 3,
  /** schemas/log/collective.ts: counts of one window of one partition. */
  collective: 4,
  /** schemas/log/version.ts: announcement of a baseline version whose rows are durable. */
  version: 5,
  /** schemas/log/incident-action.ts: what an operator says of an incident. */
  incidentAction: 6,
  /** schemas/log/judged.ts: how many segments of one window and partition were judged, and how unlikely they were. */
  judged: 7,
  /** schemas/log/actor-event.ts: what requests say about who made them; many in a record. */
  actorEvents: 8,
  /** schemas/log/actor-record.ts: an actor over a bound, or what is known of one with findings. */
  actor: 9,
  /** schemas/log/decision-action.ts: what an operator says of a decision. */
  decisionAction: 10,
  /** schemas/log/alert-replay.ts: a dead letter is to be sent once more. */
  alertReplay: 11,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];
