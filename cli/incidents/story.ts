/** An incident in words, for a terminal. */
import { plain } from '../../responder/alerts/text.ts';
import type { IncidentFinding } from '../../schemas/alerts/incident.ts';
import type { ChainLine, ClientRecord } from '../../schemas/log/verdict.ts';

/** A row of `incidents_latest`. */
export interface IncidentRow {
  readonly id: string;
  readonly state: string;
  readonly class: string;
  readonly kind: string;
  readonly explanation_key: string;
  readonly title: string;
  readonly match_text: string;
  readonly client_address: string;
  readonly client_confidence: string;
  readonly client: string;
  readonly clients: readonly string[];
  readonly users: readonly string[];
  readonly start: string;
  readonly end: string;
  readonly trace_count: number;
  readonly trace_ids: readonly string[];
  readonly occurrences: number;
  readonly version: string;
  readonly p: number;
  readonly severity: number;
  readonly findings: string;
  readonly release: string;
  readonly review: string;
  readonly reviewed_by: string;
  readonly reviewed: string;
  readonly review_comment: string;
  readonly risk: number;
  readonly risk_reasons: readonly string[];
  readonly 'stages.stage': readonly string[];
  readonly 'stages.technique': readonly string[];
  readonly 'stages.by': readonly string[];
  readonly 'stages.first': readonly string[];
  readonly 'stages.count': readonly number[];
  readonly 'timeline.at': readonly string[];
  readonly 'timeline.what': readonly string[];
  readonly 'timeline.text': readonly string[];
  readonly 'timeline.client_address': readonly string[];
  readonly 'expected.call': readonly string[];
  readonly 'expected.depth': readonly number[];
  readonly 'expected.count': readonly number[];
  readonly 'expected.mark': readonly ChainLine['mark'][];
  readonly 'seen.call': readonly string[];
  readonly 'seen.depth': readonly number[];
  readonly 'seen.count': readonly number[];
  readonly 'seen.mark': readonly ChainLine['mark'][];
  readonly 'evidence.trace_id': readonly string[];
  readonly 'evidence.kind': readonly string[];
  readonly 'evidence.service': readonly string[];
  readonly 'evidence.operation': readonly string[];
  readonly 'evidence.client_address': readonly string[];
  readonly 'evidence.at': readonly string[];
  readonly reached: readonly string[];
  readonly tables: readonly string[];
  readonly fields: readonly string[];
  readonly 'similar.id': readonly string[];
  readonly 'similar.why': readonly string[];
}

/** An address is a fact only when it is sure; else it is shown with why it is not. */
const addressOf = ({ client_address: address, client_confidence: confidence }: IncidentRow): string =>
  address === '' ? 'unknown' : confidence === 'high' || confidence === 'medium' ? address : `${address}?`;

/** What `--json` prints: what is JSON inside the row is read. */
export const incidentObject = (row: IncidentRow): object => ({
  ...row,
  client: JSON.parse(row.client),
  findings: JSON.parse(row.findings),
});

/** One line of a list. */
export const incidentLine = (row: IncidentRow): string =>
  [
    row.id,
    (row.review === 'new' || row.review === row.state ? row.state : `${row.state}, ${row.review}`).padEnd(8),
    row.class.padEnd(11),
    row.start,
    addressOf(row).padEnd(15),
    (row['stages.stage'].at(-1) ?? '–').padEnd(16),
    `risk ${Math.round(row.risk)}`.padEnd(8),
    `${row.trace_count} traces`,
    row.title,
  ].join('  ');

export function incidentStory(row: IncidentRow): string[] {
  const findings = JSON.parse(row.findings) as IncidentFinding[];
  const lines = [
    `${row.title}`,
    `  ${row.id}  ${row.state}  ${row.class}  ${row.kind}  severity ${row.severity.toFixed(1)}  p ${row.p.toExponential(1)}`,
    `  from ${row.start} to ${row.end}, ${row.trace_count} traces, ${row.occurrences} occurrences, baseline ${row.version}`,
    `  client    ${clientText(row)}`,
    ...listed('users', row.users),
    ...stages(row),
    ...(row.risk === 0 ? [] : [`  risk      ${Math.round(row.risk)} of 100`]),
    ...row.risk_reasons.map((reason) => `            ${reason}`),
    `  match     ${row.match_text}`,
    ...(row.release === '' ? [] : [`  release   ${row.release}`]),
    ...(row.reviewed_by === '' ? [] : [saidText(row)]),
    ...findings.flatMap(({ kind, service, operation, expected, seen, count }) => [
      `  ${kind} in ${service} ${operation} (${count}×)`,
      `    expected  ${expected}`,
      `    seen      ${seen}`,
    ]),
    ...chains(row),
    ...table(
      'timeline',
      row['timeline.at'].map((at, i) => [
        at,
        row['timeline.what'][i]!,
        row['timeline.client_address'][i]!,
        row['timeline.text'][i]!,
      ]),
    ),
    ...table(
      'evidence',
      row['evidence.trace_id'].map((trace, i) => [
        trace,
        row['evidence.at'][i]!,
        row['evidence.kind'][i]!,
        row['evidence.client_address'][i]!,
        `${row['evidence.service'][i]!} ${row['evidence.operation'][i]!}`,
      ]),
    ),
    ...listed('reached', row.reached),
    ...listed('tables', row.tables),
    ...listed('fields', row.fields),
    ...table(
      'similar',
      row['similar.id'].map((id, i) => [id, row['similar.why'][i]!]),
    ),
    ...(row.trace_ids.length === 0 ? [] : ['  traces', ...row.trace_ids.map((id) => `            ${id}`)]),
  ];
  return lines;
}

function clientText(row: IncidentRow): string {
  const client = JSON.parse(row.client) as ClientRecord;
  const hops = client.hops.length > 0 ? `, through ${client.hops.join(', ')}` : '';
  const others = row.clients.filter((address) => address !== client.address).join(', ');
  const also = others === '' ? '' : `; also ${others}`;
  if (client.address === null)
    return client.reason === 'several-origins' ? `one of ${others}` : `unknown (${client.reason})${also}`;
  const how = `${client.source}, ${client.confidence} confidence${hops}`;
  if (client.reason === 'misconfigured')
    return `nobody to be blamed: ${client.address} stands for many, our configuration names it wrongly (${how})${also}`;
  const unsure = client.confidence === 'low' || client.confidence === 'none';
  const why = client.reason === '' ? 'it may be forged' : client.reason;
  return unsure
    ? `perhaps ${client.address}, not to be relied on: ${why} (${how})${also}`
    : `${client.address} (${how})${also}`;
}

const saidText = ({ review, reviewed_by: by, reviewed, review_comment: comment }: IncidentRow): string =>
  `  said      ${review} by ${by}, ${reviewed}${comment === '' ? '' : `: ${comment}`}`;

const listed = (name: string, values: readonly string[]): string[] =>
  values.length === 0 ? [] : [`  ${name.padEnd(8)}  ${values.join(', ')}`];

function stages(row: IncidentRow): string[] {
  const names = row['stages.stage'];
  if (names.length === 0) return [];
  const marks = names.map((stage, i) => [
    row['stages.first'][i]!,
    stage,
    row['stages.technique'][i]!,
    `${row['stages.count'][i]!}× ${row['stages.by'][i]!}`,
  ]);
  return [`  stages    ${names.join(' → ')}`, ...table('', marks)];
}

/** Columns as wide as their longest cell; what is in none is left out. */
function table(name: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const shown = rows.map((cells) => cells.map(plain));
  const widths = shown[0]!.map((_, i) => Math.max(...shown.map((cells) => cells[i]!.length)));
  const kept = widths.map((width, i) => (width === 0 ? -1 : i)).filter((i) => i >= 0);
  const lines = shown.map((cells) =>
    `            ${kept.map((i) => cells[i]!.padEnd(widths[i]!)).join('  ')}`.trimEnd(),
  );
  return name === '' ? lines : [`  ${name}`, ...lines];
}

const MARKS: Readonly<Record<ChainLine['mark'], string>> = { '': ' ', missing: '−', extra: '+', changed: '~' };
const MAX_CALL = 60;

/** Expected and seen call chain side by side; − missing, + extra, ~ another count, or where all calls are the same what else deviates. */
function chains(row: IncidentRow): string[] {
  const expected = chain(row['expected.call'], row['expected.depth'], row['expected.count'], row['expected.mark']);
  const seen = chain(row['seen.call'], row['seen.depth'], row['seen.count'], row['seen.mark']);
  if (expected.length + seen.length === 0) return [];
  const width = Math.max('expected'.length, ...expected.map((line) => line.length));
  const lines = Array.from(
    { length: Math.max(expected.length, seen.length) },
    (_, i) => `            ${(expected[i] ?? '').padEnd(width)} │ ${seen[i] ?? ''}`,
  );
  return ['  calls', `            ${'expected'.padEnd(width)} │ seen`, ...lines];
}

const chain = (
  calls: readonly string[],
  depths: readonly number[],
  counts: readonly number[],
  marks: readonly ChainLine['mark'][],
): string[] =>
  calls.map((call, i) => {
    const times = counts[i]! > 1 ? ` ×${counts[i]!}` : '';
    const text = `${MARKS[marks[i]!] ?? ' '} ${'  '.repeat(Math.min(depths[i]!, 12))}${plain(call)}`;
    return `${text.length > MAX_CALL ? `${text.slice(0, MAX_CALL - 1)}…` : text}${times}`;
  });
