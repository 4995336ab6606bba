/** The body of an alert, as schemas/alerts/alert.schema.json declares it, and its id. */
import { createHash } from 'node:crypto';
import type { Alert, Incident, IncidentStory, IncidentWord } from '../../schemas/alerts/incident.ts';
import type { Match } from '../../schemas/log/verdict.ts';
import type { IncidentEvent } from '../incidents/lifecycle.ts';
import type { AlertBody, AlertData, BodyStory } from './alert-body.ts';
import { fitted } from './fit.ts';
import { createWords, iso } from './words.ts';

/** The last ones: what happened since people last looked. */
const MAX_TIMELINE = 16;

export interface AlertContext {
  /** `https://…/{traceId}`, or '' for no links. */
  readonly traceLink: string;
  readonly database: string;
  /** Takes secrets out of a text: alerts are an exit. */
  look?(text: string): string;
}

/** Equal for the same event over replays: it is the `webhook-id` a receiver deduplicates by. */
export const alertId = (event: IncidentEvent, incidentId: string, sequence: string): string =>
  `msg_${createHash('sha256').update(`${incidentId}\u0000${event}\u0000${sequence}`).digest('hex').slice(0, 32)}`;

export function createAlert(
  event: IncidentEvent,
  incident: Incident,
  sequence: string,
  members: readonly Incident[],
  atMs: number,
  context: AlertContext,
): Alert {
  const type = event === 'storm' ? 'storm' : (`incident.${event}` as const);
  const body: AlertBody = { type, timestamp: iso(atMs), data: alertData(incident, members, context) };
  return {
    id: alertId(event, incident.id, sequence),
    type,
    incidentId: incident.id,
    createdMs: atMs,
    body: fitted(body),
  };
}

/** That somebody looks at it: for destinations that can show it, no webhook. */
export function createAcknowledgement(word: IncidentWord, context: Pick<AlertContext, 'look'> = {}): Alert {
  const { incidentId, by, comment, takenMs } = word;
  const words = createWords(context.look);
  const title = words.title(by === '' ? 'acknowledged' : `acknowledged by ${by}`);
  const type = 'incident.acknowledged';
  const said = createHash('sha256')
    .update(JSON.stringify([incidentId, word.occurrence, by, word.atMs]))
    .digest('hex');
  return {
    id: `msg_${said.slice(0, 32)}`,
    type,
    incidentId,
    createdMs: takenMs,
    body: JSON.stringify({
      type,
      timestamp: iso(takenMs),
      data: { title, by, comment: words.sentence(comment), sql: '' },
    }),
  };
}

function alertData(incident: Incident, members: readonly Incident[], context: AlertContext): AlertData {
  const { client } = incident;
  const { name, value, sentence, title } = createWords(context.look);
  return {
    incident: {
      id: incident.id,
      state: incident.state,
      class: incident.class,
      kind: incident.kind,
      explanation: value(incident.explanationKey),
      entity: value(incident.entity),
      service: name(incident.service),
      operation: name(incident.operation),
      severity: incident.severity,
      p: incident.p,
      hard: incident.hard,
      start: iso(incident.startMs),
      end: iso(incident.endMs),
      traceCount: incident.traceCount,
      occurrences: incident.occurrences,
      baselineVersion: incident.version,
      ...(incident.release !== '' && { release: incident.release }),
      ...(incident.mergedInto !== '' && { mergedInto: incident.mergedInto }),
    },
    title: title(incident.title),
    why: sentence(incident.matchText),
    ...(incident.match && { match: matchData(incident.match) }),
    client: {
      address: client.address === null ? null : name(client.address),
      source: client.source,
      confidence: client.confidence,
      reason: name(client.reason),
      user: client.user === null ? null : name(client.user),
      others: incident.clients.filter((address) => address !== client.address).map(name),
    },
    findings: incident.findings.map(({ kind, service, operation, parameter, expected, seen, count }) => ({
      kind,
      service: name(service),
      operation: name(operation),
      parameter: name(parameter),
      expected: value(expected),
      seen: value(seen),
      count,
    })),
    traces: incident.traceIds.map((id) => ({ id, link: linkTo(id, context) })),
    story: storyData(incident.story, context),
    sql: sqlFor(incident, context.database),
    ...(members.length > 0 && {
      members: members.map(({ id, title: theirs, client: by }) => ({
        id,
        title: title(theirs),
        client: by.address === null ? null : name(by.address),
      })),
    }),
  };
}

const linkTo = (traceId: string, { traceLink }: AlertContext): string => traceLink.replaceAll('{traceId}', traceId);

/** What happened, how far it got, whom and what it reached: sentences fit for eyes, names as they are. */
function storyData(story: IncidentStory, context: AlertContext): BodyStory {
  const { timeline } = story;
  const { name, sentence } = createWords(context.look);
  return {
    stages: story.stages.map(({ stage, technique, by, firstMs, lastMs, count }) => ({
      stage,
      technique,
      by,
      first: iso(firstMs),
      last: iso(lastMs),
      count,
    })),
    risk: story.risk,
    reasons: story.reasons.map(sentence),
    timeline: timeline.slice(-MAX_TIMELINE).map(({ atMs, what, text, traceId, client }) => ({
      at: iso(atMs),
      what,
      text: sentence(text),
      traceId,
      client: name(client),
    })),
    timelineLeftOut: Math.max(0, timeline.length - MAX_TIMELINE),
    expected: story.expected.map((line) => ({ ...line, call: name(line.call) })),
    seen: story.seen.map((line) => ({ ...line, call: name(line.call) })),
    evidence: story.evidence.map(({ traceId, spanId, kind, service, operation, client, atMs }) => ({
      traceId,
      spanId,
      kind,
      service: name(service),
      operation: name(operation),
      client: name(client),
      at: iso(atMs),
      link: linkTo(traceId, context),
    })),
    reached: story.reached.map(name),
    tables: story.tables.map(name),
    fields: story.fields.map(name),
    similar: story.similar.map(({ id, why }) => ({ id, why: sentence(why) })),
  };
}

/** The sentence of `why` in numbers (DETECTION §0). */
function matchData({ family, signature, learnedFrom, similarity, threshold, deviation, ...more }: Match): object {
  const { learnedThreshold, worst, exact, unseenEntry } = more;
  return {
    family,
    signature,
    learnedFrom,
    similarity,
    threshold,
    ...(learnedThreshold && { learnedThreshold }),
    deviation,
    worst,
    exact,
    unseenEntry,
  };
}

/** Trace ids are hexadecimal by construction, so they can stand in the text. The small table of times spares a search of every day. */
function sqlFor(incident: Incident, database: string): string {
  const ids = incident.traceIds.filter((id) => /^[0-9a-f]{32}$/.test(id)).map((id) => `'${id}'`);
  const these = `TraceId IN (${ids.join(', ') || "''"})`;
  const bound = (of: string): string => `(SELECT ${of} FROM ${database}.otel_traces_trace_id_ts WHERE ${these})`;
  return `SELECT Timestamp, TraceId, ServiceName, SpanKind, SpanName, Duration / 1e6 AS ms, SpanAttributes FROM ${database}.otel_traces WHERE ${these} AND Timestamp >= ${bound('min(Start)')} AND Timestamp <= ${bound('max(End) + 1')} ORDER BY TraceId, Timestamp LIMIT 1 BY TraceId, SpanId`;
}
