/** `spanwarden incidents list|show`: what was found, from ClickHouse. */
import { type ClickHouse, connectClickHouse } from '../runtime/clickhouse/client.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { IncidentFinding } from '../schemas/alerts/incident.ts';
import type { ClientRecord } from '../schemas/log/verdict.ts';
import { type Command, ExitCode, parse, UsageError, wholeNumber } from './command.ts';

interface Row {
  readonly id: string;
  readonly state: string;
  readonly class: string;
  readonly kind: string;
  readonly title: string;
  readonly match_text: string;
  readonly service: string;
  readonly operation: string;
  readonly client_address: string;
  readonly client: string;
  readonly clients: readonly string[];
  readonly start: string;
  readonly end: string;
  readonly trace_count: number;
  readonly trace_ids: readonly string[];
  readonly occurrences: number;
  readonly version: string;
  readonly p: number;
  readonly severity: number;
  readonly findings: string;
}

const CLASSES = ['security', 'operational', 'telemetry', 'inventory'];

export const incidents: Command = {
  summary: 'list incidents, or show one whole',
  help: `
usage: spanwarden incidents list [--class CLASS] [--open] [--most N] [--json] [--config FILE]
       spanwarden incidents show ID [--json] [--config FILE]

list   newest first: id, state, class, when, client, traces, title
show   one incident: what was expected and seen, the client and how it is known, trace ids

--class CLASS   only security, operational, telemetry or inventory
--open          only those still open
--most N        how many (default 50)
--json          one JSON object a line
--config FILE   the YAML file; CLICKHOUSE_URL names the server, else the embedded one that runs here is asked
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      class: { type: 'string' },
      open: { type: 'boolean' },
      most: { type: 'string' },
      json: { type: 'boolean' },
      config: { type: 'string' },
    });
    const [what, id, ...extra] = positionals;
    if (extra.length > 0 || (what !== 'list' && what !== 'show') || (what === 'show') !== (id !== undefined)) {
      throw new UsageError('incidents takes list, or show and an id');
    }
    if (values.class !== undefined && !CLASSES.includes(values.class)) {
      throw new UsageError(`--class takes one of ${CLASSES.join(', ')}`);
    }
    const most = wholeNumber('most', values.most, 50, 1, 10_000);
    const config = loadConfig({ file: values.config, env: processEnvironment() });
    const clickhouse = await connectClickHouse(config.clickhouse, { attachOnly: true });
    try {
      const rows =
        id === undefined
          ? await list(clickhouse, values.class, values.open ?? false, most)
          : await show(clickhouse, id);
      const text = values.json === true ? rows.map(toJson) : id === undefined ? rows.map(line) : rows.map(story);
      process.stdout.write(text.length > 0 ? `${text.join('\n')}\n` : 'no incidents\n');
      return ExitCode.ok;
    } finally {
      await clickhouse.stop();
    }
  },
};

async function query(
  clickhouse: ClickHouse,
  where: string,
  most: number,
  parameters: Record<string, unknown>,
): Promise<Row[]> {
  const result = await clickhouse.client.query({
    query: `SELECT * FROM ${clickhouse.database}.incidents_latest WHERE ${where} ORDER BY opened DESC LIMIT ${most}`,
    query_params: parameters,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  });
  return result.json<Row>();
}

const list = (clickhouse: ClickHouse, incidentClass: string | undefined, open: boolean, most: number): Promise<Row[]> =>
  query(
    clickhouse,
    `${incidentClass === undefined ? '1' : 'class = {class: String}'} AND ${open ? "state = 'open'" : '1'}`,
    most,
    { class: incidentClass ?? '' },
  );

async function show(clickhouse: ClickHouse, id: string): Promise<Row[]> {
  const rows = await query(clickhouse, 'startsWith(id, {id: String})', 2, { id });
  if (rows.length === 1) return rows;
  throw new SpanwardenError(
    'INPUT_UNREADABLE',
    rows.length === 0
      ? `no incident '${id}'; 'spanwarden incidents list' shows them`
      : `'${id}' is the start of several ids`,
  );
}

const toJson = (row: Row): string =>
  JSON.stringify({ ...row, client: JSON.parse(row.client), findings: JSON.parse(row.findings) });

const line = (row: Row): string =>
  [
    row.id,
    row.state.padEnd(6),
    row.class.padEnd(11),
    row.start,
    (row.client_address || 'unknown').padEnd(15),
    `${row.trace_count} traces`,
    row.title,
  ].join('  ');

function story(row: Row): string {
  const client = JSON.parse(row.client) as ClientRecord;
  const findings = JSON.parse(row.findings) as IncidentFinding[];
  const hops = client.hops.length > 0 ? `, through ${client.hops.join(', ')}` : '';
  const others = row.clients.filter((address) => address !== client.address).join(', ');
  const also = others === '' ? '' : `; also ${others}`;
  const known =
    client.address !== null
      ? `${client.address} (${client.source}, ${client.confidence} confidence${hops})${also}`
      : client.reason === 'several-origins'
        ? `one of ${others}`
        : `unknown (${client.reason})${also}`;
  return [
    `${row.title}`,
    `  ${row.id}  ${row.state}  ${row.class}  ${row.kind}  severity ${row.severity.toFixed(1)}  p ${row.p.toExponential(1)}`,
    `  from ${row.start} to ${row.end}, ${row.trace_count} traces, ${row.occurrences} occurrences, baseline ${row.version}`,
    `  client    ${known}`,
    `  match     ${row.match_text}`,
    ...findings.map(
      ({ kind, service, operation, expected, seen, count }) =>
        `  ${kind} in ${service} ${operation} (${count}×)\n    expected  ${expected}\n    seen      ${seen}`,
    ),
    `  traces    ${row.trace_ids.join('\n            ')}`,
  ].join('\n');
}
