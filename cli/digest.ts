/** `spanwarden digest`: what was odd in a day but opened no incident, and whether the rate of false alerts is kept. */
import { connectClickHouse } from '../runtime/clickhouse/client.ts';
import { type BudgetRow, type DigestRow, type RateRow, readDigest } from '../runtime/clickhouse/read-digest.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { type Command, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { printJson, printLines } from './terminal.ts';

export const digest: Command = {
  summary: 'what was odd but told nobody, ranked; target and realised rate of alerts',
  help: `
usage: spanwarden digest [--day YYYY-MM-DD] [--most N] [--json] [--config FILE]

What stayed under the threshold of a day: novelties, the most unusual first, with how often, by whom, and the trace of the
strangest. Above them how many false alerts chance may cause, how many it does, and whether p keeps its promise.

--day DAY       UTC; default: today
--most N        how many (default 20)
--json          one JSON object: day, budget, rates, entries
--config FILE   the YAML file; CLICKHOUSE_URL names the server, else the embedded one that runs here is asked
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      day: { type: 'string' },
      most: { type: 'string' },
      json: { type: 'boolean' },
      config: { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError(`digest takes no '${positionals[0]}'`);
    const day = dayOf(values.day);
    const most = wholeNumber('most', values.most, 20, 1, 500);
    const config = loadConfig({ file: values.config, env: processEnvironment() });
    const clickhouse = await connectClickHouse(config.clickhouse, { attachOnly: true });
    try {
      const said = await readDigest(clickhouse, day, most);
      if (values.json === true) printJson({ day, ...said });
      else {
        printLines([...ratesLines(said.budget, said.rates), ...said.entries.flatMap(entryLines)]);
        if (said.entries.length === 0) printLines([`nothing on ${day}`]);
      }
      return ExitCode.ok;
    } finally {
      await clickhouse.stop();
    }
  },
};

function dayOf(text: string | undefined): string {
  if (text === undefined) return new Date().toISOString().slice(0, 10);
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text)
    throw new UsageError(`--day takes a date like 2026-11-20, not '${text}'`);
  return text;
}

const short = (value: number): string => (value === 0 ? '0' : Number(value.toPrecision(2)).toString());

function ratesLines(budget: BudgetRow | null, rates: readonly RateRow[]): string[] {
  if (budget === null && rates.length === 0) return ['budget      nothing was judged yet'];
  const lines: string[] = [];
  if (budget !== null) {
    lines.push(
      `budget      ${short(budget.target_per_day)} false alerts a day, chance causes ${short(budget.expected_last_day)}; told at p ≤ ${budget.threshold.toExponential(1)}; ${budget.soft_last_day} without a certain finding in the last day`,
    );
  }
  for (const { nominal, realised, segments } of rates) {
    lines.push(
      `p ≤ ${short(nominal).padEnd(7)} ${short(realised)} of ${segments.toLocaleString('en')} requests (${short(realised / nominal)}× as promised)`,
    );
  }
  return lines;
}

function entryLines(row: DigestRow): string[] {
  const clients =
    row.clients.length === 0
      ? 'client unknown'
      : `${row.clients.slice(0, 3).join(', ')}${row.clients.length > 3 ? ', …' : ''}`;
  return [
    `${String(row.rank).padStart(3)}  ${row.kind} ${row.explanation_key}`,
    `     p ${row.p.toExponential(1)}, ${row.requests}×, ${row.class}, ${row.service} ${row.operation}, ${clients}`,
    `     expected  ${row.expected}`,
    `     seen      ${row.seen}`,
    `     trace     ${row.trace_id}, ${row.first_seen} to ${row.last_seen}`,
  ];
}
