/** Incidents with their story: rows of little traffic, the newest revision stands. */
import type {
  Evidence,
  Incident,
  IncidentReview,
  IncidentStory,
  TimelineEntry,
} from '../../schemas/alerts/incident.ts';
import type { Stage, StageMark } from '../../schemas/log/kill-chain.ts';
import type { ChainLine } from '../../schemas/log/verdict.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

/** Spans may claim any time: one that DateTime64 cannot hold is the nearest it can. */
const LAST_MS = Date.UTC(2200, 0, 1);
const moment = (ms: number): string => dateTime(Math.min(ms || 0, LAST_MS));

export const insertIncidents = (clickhouse: ClickHouse, incidents: readonly Incident[]): Promise<void> =>
  insertRows(
    clickhouse,
    'incidents',
    incidents.map((incident) => ({
      id: incident.id,
      revision: incident.revision,
      state: incident.state,
      merged_into: incident.mergedInto,
      class: incident.class,
      kind: incident.kind,
      explanation_key: incident.explanationKey,
      entity: incident.entity,
      service: incident.service,
      operation: incident.operation,
      title: incident.title,
      match_text: incident.matchText,
      severity: incident.severity,
      p: incident.p,
      client_address: incident.client.address ?? '',
      client_confidence: incident.client.confidence,
      client: JSON.stringify(incident.client),
      clients: incident.clients,
      users: incident.users,
      services: incident.services,
      start: moment(incident.startMs),
      end: moment(incident.endMs),
      opened: moment(incident.openedMs),
      closed: moment(incident.closedMs),
      trace_count: incident.traceCount,
      trace_ids: incident.traceIds,
      occurrences: incident.occurrences,
      version: incident.version,
      release: incident.release,
      hard: incident.hard,
      findings: JSON.stringify(incident.findings),
      ...storyColumns(incident.story),
    })),
  );

const storyColumns = (story: IncidentStory): object => ({
  risk: story.risk,
  risk_reasons: story.reasons,
  'stages.stage': story.stages.map(({ stage }) => stage),
  'stages.technique': story.stages.map(({ technique }) => technique),
  'stages.by': story.stages.map(({ by }) => by),
  'stages.first': story.stages.map(({ firstMs }) => moment(firstMs)),
  'stages.last': story.stages.map(({ lastMs }) => moment(lastMs)),
  'stages.count': story.stages.map(({ count }) => count),
  'timeline.at': story.timeline.map(({ atMs }) => moment(atMs)),
  'timeline.what': story.timeline.map(({ what }) => what),
  'timeline.text': story.timeline.map(({ text }) => text),
  'timeline.trace_id': story.timeline.map(({ traceId }) => traceId),
  'timeline.client_address': story.timeline.map(({ client }) => client),
  ...chainColumns('expected', story.expected),
  ...chainColumns('seen', story.seen),
  'evidence.trace_id': story.evidence.map(({ traceId }) => traceId),
  'evidence.entry_span_id': story.evidence.map(({ entrySpanId }) => entrySpanId),
  'evidence.span_id': story.evidence.map(({ spanId }) => spanId),
  'evidence.kind': story.evidence.map(({ kind }) => kind),
  'evidence.service': story.evidence.map(({ service }) => service),
  'evidence.operation': story.evidence.map(({ operation }) => operation),
  'evidence.client_address': story.evidence.map(({ client }) => client),
  'evidence.at': story.evidence.map(({ atMs }) => moment(atMs)),
  reached: story.reached,
  tables: story.tables,
  fields: story.fields,
  'similar.id': story.similar.map(({ id }) => id),
  'similar.why': story.similar.map(({ why }) => why),
});

const chainColumns = (name: 'expected' | 'seen', lines: readonly ChainLine[]): object => ({
  [`${name}.call`]: lines.map(({ call }) => call),
  [`${name}.depth`]: lines.map(({ depth }) => depth),
  [`${name}.count`]: lines.map(({ count }) => count),
  [`${name}.mark`]: lines.map(({ mark }) => mark),
});

const millis = (column: string): string => `arrayMap(t -> toUnixTimestamp64Milli(t), \`${column}\`)`;
const COLUMNS = `id, toString(revision) AS revision, state, merged_into AS mergedInto, class, kind,
  explanation_key AS explanationKey, entity, service, operation, title, match_text AS matchText, severity, p,
  client AS clientText, clients, users, services, toUnixTimestamp64Milli(start) AS startMs, toUnixTimestamp64Milli(end) AS endMs,
  toUnixTimestamp64Milli(opened) AS openedMs, toUnixTimestamp64Milli(closed) AS closedMs, toString(trace_count) AS traceCount,
  trace_ids AS traceIds, toString(occurrences) AS occurrences, version, release, hard, findings AS findingsText,
  toString(review) AS reviewText, reviewed_by AS reviewedBy, toUnixTimestamp64Milli(reviewed) AS reviewedMs, review_comment AS reviewComment,
  risk, risk_reasons AS reasons, reached, tables, fields,
  arrayZip(arrayMap(s -> toString(s), \`stages.stage\`), arrayMap(s -> toString(s), \`stages.technique\`), arrayMap(s -> toString(s), \`stages.by\`),
    ${millis('stages.first')}, ${millis('stages.last')}, \`stages.count\`) AS stageRows,
  arrayZip(${millis('timeline.at')}, arrayMap(s -> toString(s), \`timeline.what\`), \`timeline.text\`, \`timeline.trace_id\`,
    \`timeline.client_address\`) AS timelineRows,
  arrayZip(\`expected.depth\`, \`expected.call\`, \`expected.count\`, arrayMap(s -> toString(s), \`expected.mark\`)) AS expectedRows,
  arrayZip(\`seen.depth\`, \`seen.call\`, \`seen.count\`, arrayMap(s -> toString(s), \`seen.mark\`)) AS seenRows,
  arrayZip(\`evidence.trace_id\`, \`evidence.entry_span_id\`, \`evidence.span_id\`, arrayMap(s -> toString(s), \`evidence.kind\`),
    arrayMap(s -> toString(s), \`evidence.service\`), \`evidence.operation\`, \`evidence.client_address\`, ${millis('evidence.at')}) AS evidenceRows,
  arrayZip(\`similar.id\`, \`similar.why\`) AS similarRows`;

type Cell = string | number;
interface Texts {
  clientText: string;
  findingsText: string;
  reviewText: IncidentReview['is'];
  reviewedBy: string;
  reviewedMs: Cell;
  reviewComment: string;
  risk: number;
  reasons: string[];
  reached: string[];
  tables: string[];
  fields: string[];
  stageRows: [Stage, string, string, Cell, Cell, Cell][];
  timelineRows: [Cell, TimelineEntry['what'], string, string, string][];
  expectedRows: ChainRow[];
  seenRows: ChainRow[];
  evidenceRows: [string, string, string, Evidence['kind'], string, string, string, Cell][];
  similarRows: [string, string][];
}
type ChainRow = [number, string, number, ChainLine['mark']];
type Row = Omit<Incident, 'client' | 'findings' | 'story' | 'match' | 'review'> & Texts;

function toIncident(row: Row): Incident {
  return {
    id: row.id,
    revision: Number(row.revision),
    state: row.state,
    mergedInto: row.mergedInto,
    class: row.class,
    kind: row.kind,
    explanationKey: row.explanationKey,
    entity: row.entity,
    service: row.service,
    operation: row.operation,
    title: row.title,
    matchText: row.matchText,
    severity: row.severity,
    p: row.p,
    client: JSON.parse(row.clientText) as Incident['client'],
    clients: row.clients,
    users: row.users,
    services: row.services,
    startMs: Number(row.startMs),
    endMs: Number(row.endMs),
    openedMs: Number(row.openedMs),
    closedMs: Number(row.closedMs),
    traceCount: Number(row.traceCount),
    traceIds: row.traceIds,
    occurrences: Number(row.occurrences),
    version: row.version,
    release: row.release,
    hard: row.hard,
    findings: JSON.parse(row.findingsText) as Incident['findings'],
    story: toStory(row),
    review: { is: row.reviewText, by: row.reviewedBy, atMs: Number(row.reviewedMs), comment: row.reviewComment },
  };
}

const toStory = (row: Texts): IncidentStory => ({
  stages: row.stageRows.map(
    ([stage, technique, by, first, last, count]): StageMark => ({
      stage,
      technique,
      by,
      firstMs: Number(first),
      lastMs: Number(last),
      count: Number(count),
    }),
  ),
  risk: row.risk,
  reasons: row.reasons,
  timeline: row.timelineRows.map(([at, what, text, traceId, client]) => ({
    atMs: Number(at),
    what,
    text,
    traceId,
    client,
  })),
  expected: row.expectedRows.map(toLine),
  seen: row.seenRows.map(toLine),
  evidence: row.evidenceRows.map(([traceId, entrySpanId, spanId, kind, service, operation, client, at]) => ({
    traceId,
    entrySpanId,
    spanId,
    kind,
    service,
    operation,
    client,
    atMs: Number(at),
  })),
  reached: row.reached,
  tables: row.tables,
  fields: row.fields,
  similar: row.similarRows.map(([id, why]) => ({ id, why })),
});

const toLine = ([depth, call, count, mark]: ChainRow): ChainLine => ({ depth, call, count, mark });

export interface IncidentFilter {
  readonly state?: Incident['state'];
  readonly class?: Incident['class'];
  readonly id?: string;
  readonly idStart?: string;
  readonly sinceMs?: number;
  readonly limit?: number;
  /** Of the story only how far it got and its risk. */
  readonly brief?: boolean;
}

/** Lists of a story that a brief row goes without. */
const LONG = ['timeline', 'expected', 'seen', 'evidence', 'similar'].map((name) => `${name}Rows`);
const BRIEF_COLUMNS = `* EXCEPT (${LONG.join(', ')}), ${LONG.map((name) => `[] AS ${name}`).join(', ')}`;

/** Incidents as they stand, with what operators said of them, newest first. */
export async function readIncidents(clickhouse: ClickHouse, filter: IncidentFilter = {}): Promise<Incident[]> {
  const { state = '', id = '', idStart = '', sinceMs = 0, limit = 1_000, brief = false } = filter;
  const rows = await queryRows<Row>(
    clickhouse,
    'incidents',
    `SELECT ${brief ? BRIEF_COLUMNS : '*'} FROM (
       SELECT ${COLUMNS} FROM (SELECT * FROM ${table(clickhouse, 'incidents')} FINAL
         WHERE ({state:String} = '' OR toString(state) = {state:String}) AND ({class:String} = '' OR class = {class:String})
           AND ({id:String} = '' OR id = {id:String}) AND startsWith(id, {idStart:String})
           AND opened >= fromUnixTimestamp64Milli({since:Int64})
         ORDER BY opened DESC, id LIMIT {limit:UInt32}) AS i
       LEFT JOIN (SELECT id, review, reviewed_by, reviewed, review_comment FROM ${table(clickhouse, 'incidents_latest')}) AS said USING (id))
     ORDER BY openedMs DESC, id`,
    { state, id, idStart, class: filter.class ?? '', since: sinceMs, limit },
  );
  return rows.map(toIncident);
}
