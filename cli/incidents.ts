/** `spanwarden incidents …`: what was found, from ClickHouse; an operator's word on it, over the console. */
import { type ClickHouse, connectClickHouse } from '../runtime/clickhouse/client.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { IncidentActionKind } from '../schemas/log/incident-action.ts';
import { type Command, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { CONSOLE_HELP, CONSOLE_OPTIONS, connectConsole } from './console/client.ts';
import { expiryOf } from './edits/build.ts';
import { type IncidentRow, incidentLine, incidentObject, incidentStory } from './incidents/story.ts';
import { sayWord } from './incidents/word.ts';
import { printJson, printLines } from './terminal.ts';

const CLASSES = ['security', 'operational', 'telemetry', 'inventory'];

export const incidents: Command = {
  summary: 'list incidents, show one whole, say what it was: expected, resolved, bad',
  help: `
usage: spanwarden incidents list [--class CLASS] [--open] [--most N] [--json] [--config FILE]
       spanwarden incidents show ID [--json] [--config FILE]
       spanwarden incidents expect ID --once|--always [--dry-run] [--no-preview] [--expires WHEN] [--owner NAME] [--comment TEXT]
       spanwarden incidents acknowledge|resolve|reopen|bad ID [--comment TEXT]

list   newest first: id, state, class, when, client, how far it got, risk, traces, title; a client with a ? is not to be relied on
show   the story of one: the client and how it is known, stages, risk and why, what was expected and seen, the calls side by side
       (− missing, + extra, ~ another count, or where calls are the same what else deviates), what happened when, requests that
       show it, what they reached, similar ones before
expect --once: it was expected, and what is still to come of it is not told. --always: an edit of the baseline keeps it from
       coming again: the smallest one, for its own novelties at their operation, with what it would have changed over the last day
bad    it was an attack: it counts as a true alert, and cannot be expected before it is reopened

--dry-run       show what would be done, do nothing
--no-preview    without looking what the edit would have changed
--expires WHEN  of the edit: 30m, 12h, 30d, 4w or a date; without, it never ends
--owner NAME    who answers for the edit
--comment TEXT  why
--class CLASS   only security, operational, telemetry or inventory
--open          only those still open
--most N        how many (default 50)
list and show ask ClickHouse: CLICKHOUSE_URL names the server, else the embedded one that runs here is asked. The others ask
the console.

${CONSOLE_HELP}
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      ...CONSOLE_OPTIONS,
      class: { type: 'string' },
      open: { type: 'boolean' },
      most: { type: 'string' },
      once: { type: 'boolean' },
      always: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      'no-preview': { type: 'boolean' },
      expires: { type: 'string' },
      owner: { type: 'string' },
      comment: { type: 'string' },
    });
    const [what, id, ...extra] = positionals;
    const word = wordOf(what, values);
    if (word !== undefined) {
      if (id === undefined || extra.length > 0) throw new UsageError(`incidents ${what} takes one id`);
      const expiresMs = expiryOf(values.expires, Date.now());
      await sayWord(await connectConsole(values), id, word, { ...values, expiresMs });
      return ExitCode.ok;
    }
    if (extra.length > 0 || (what !== 'list' && what !== 'show') || (what === 'show') !== (id !== undefined)) {
      throw new UsageError('incidents takes list; or show, expect, acknowledge, resolve, reopen or bad and an id');
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
      if (values.json === true) printJson(...rows.map(incidentObject));
      else if (rows.length === 0) printLines(['no incidents']);
      else printLines(id === undefined ? rows.map(incidentLine) : rows.flatMap(incidentStory));
      return ExitCode.ok;
    } finally {
      await clickhouse.stop();
    }
  },
};

const WORDS: readonly IncidentActionKind[] = ['acknowledge', 'resolve', 'reopen', 'bad'];

function wordOf(
  what: string | undefined,
  { once, always }: { once?: boolean | undefined; always?: boolean | undefined },
): IncidentActionKind | undefined {
  if (what !== 'expect') return WORDS.find((word) => word === what);
  if ((once === true) === (always === true)) throw new UsageError('incidents expect takes either --once or --always');
  return once === true ? 'expect-once' : 'expect-always';
}

async function query(
  clickhouse: ClickHouse,
  where: string,
  most: number,
  parameters: Record<string, unknown>,
): Promise<IncidentRow[]> {
  const result = await clickhouse.client.query({
    query: `SELECT * FROM ${clickhouse.database}.incidents_latest WHERE ${where} ORDER BY opened DESC LIMIT ${most}`,
    query_params: parameters,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  });
  return result.json<IncidentRow>();
}

const list = (
  clickhouse: ClickHouse,
  incidentClass: string | undefined,
  open: boolean,
  most: number,
): Promise<IncidentRow[]> =>
  query(
    clickhouse,
    `${incidentClass === undefined ? '1' : 'class = {class: String}'} AND ${open ? "state = 'open'" : '1'}`,
    most,
    { class: incidentClass ?? '' },
  );

async function show(clickhouse: ClickHouse, id: string): Promise<IncidentRow[]> {
  const rows = await query(clickhouse, 'startsWith(id, {id: String})', 2, { id });
  if (rows.length === 1) return rows;
  throw new SpanwardenError(
    'INPUT_UNREADABLE',
    rows.length === 0
      ? `no incident '${id}'; 'spanwarden incidents list' shows them`
      : `'${id}' is the start of several ids`,
  );
}
