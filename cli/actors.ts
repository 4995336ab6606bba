/** `spanwarden actors`: who does what over many requests: risk, stages, what for, and who is behind the address. */
import { connectClickHouse } from '../runtime/clickhouse/client.ts';
import { type ActorRow, readActors } from '../runtime/clickhouse/stored-actors.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { type Command, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { printJson, printLines } from './terminal.ts';

export const actors: Command = {
  summary: 'who does what over many requests: risk, stages, evidence',
  help: `
usage: spanwarden actors [--min-risk N] [--key KEY] [--most N] [--json] [--config FILE]

Clients, users, networks, accounts that others try, and everybody together, the riskiest first: what they are over a bound for, stages
of the kill chain with techniques of MITRE ATT&CK, why, and how many users are behind an address. Risk is as of now: it halves in
hours for an address, in days for a user.

--min-risk N    only those of at least this risk, 0 to 100 (default 0)
--key KEY       only this address, user, network or account
--most N        how many (default 50)
--json          one JSON object a line
--config FILE   the YAML file; CLICKHOUSE_URL names the server, else the embedded one that runs here is asked
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      'min-risk': { type: 'string' },
      key: { type: 'string' },
      most: { type: 'string' },
      json: { type: 'boolean' },
      config: { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError(`actors takes no '${positionals[0]}'`);
    const minRisk = wholeNumber('min-risk', values['min-risk'], 0, 0, 100);
    const limit = wholeNumber('most', values.most, 50, 1, 10_000);
    const config = loadConfig({ file: values.config, env: processEnvironment() });
    const clickhouse = await connectClickHouse(config.clickhouse, { attachOnly: true });
    try {
      const rows = await readActors(clickhouse, { minRisk, key: values.key, limit });
      if (values.json === true) printJson(...rows);
      else printLines(rows.length === 0 ? ['no actors'] : rows.flatMap(actorLines));
      return ExitCode.ok;
    } finally {
      await clickhouse.stop();
    }
  },
};

export function actorLines(row: ActorRow): string[] {
  const lines = [
    `${String(row.risk).padStart(3)}  ${row.subject}${row.key === '' ? '' : ` ${row.key}`}  ${row.abuses.join(', ') || 'nothing over a bound'}`,
  ];
  const more = (name: string, text: string): void => {
    if (text !== '') lines.push(`     ${name.padEnd(9)} ${text}`);
  };
  more('stages', [row.stages.join(' → '), row.techniques.join(', ')].filter((part) => part !== '').join('; '));
  for (const seen of row.seen.slice(0, 4)) more('seen', seen);
  more('because', row.reasons.slice(0, 4).join('; '));
  const who = [
    row.client_address === '' || row.client_address === row.key ? '' : `client ${row.client_address}`,
    row.client_count > 1 ? `${row.client_count} clients` : '',
    row.users.length > 0 ? `as ${row.users.slice(0, 4).join(', ')}` : '',
    row.subject === 'client' || row.subject === 'user' ? `${row.facts_users} users behind the address` : '',
    row.facts_misattributed ? 'named by our own misconfiguration: not to be blamed' : '',
  ];
  more('who', who.filter((part) => part !== '').join(', '));
  more('where', `${row.service} ${row.operation}`.trim());
  more('when', `${row.start} to ${row.end}`);
  more('traces', row.trace_ids.slice(0, 3).join(', '));
  return lines;
}
