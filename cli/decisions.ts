/** `spanwarden decisions …`: what is decided about actors and how many requests that meets, from ClickHouse; undoing, over the console. */
import type { UndoneDecisions } from '../console/decisions.ts';
import { connectClickHouse } from '../runtime/clickhouse/client.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import type { Decision } from '../schemas/alerts/decision.ts';
import { type Command, durationMs, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { CONSOLE_HELP, CONSOLE_OPTIONS, connectConsole } from './console/client.ts';
import { type Asked, readListed, readReported, reportedSince } from './decisions/reading.ts';
import { simulateReport } from './decisions/report.ts';
import { printJson, printLines } from './terminal.ts';

const STATES: readonly Decision['state'][] = ['simulated', 'enforced', 'refused', 'undone', 'expired'];

export const decisions: Command = {
  summary: 'what is decided about actors, whom it would have met, undoing it',
  help: `
usage: spanwarden decisions list [--state STATE] [--in-force] [--since TIME] [--most N] [--json] [--config FILE]
       spanwarden decisions simulate-report [--since TIME] [--most N] [--json] [--config FILE]
       spanwarden decisions undo ID|ADDRESS|RANGE|USER [--comment TEXT] [--dry-run]

list             newest first: id, state, what about, target, until when, requests met and ordinary ones among them, why
simulate-report  what would have been refused or marked since then, and how many ordinary requests with it; what rails refused
undo             lifts what is in force about it, ranges around an address too, and keeps it from being decided again for the
                 incidents there are

--state STATE   only ${STATES.join(', ')}
--in-force      only those that have not ended
--since TIME    made within: 90m, 12h, 7d (default: 7d; with --in-force, whenever)
--most N        how many (default 50; report: 200)
--comment TEXT  why
--dry-run       show what would be lifted
list and simulate-report ask ClickHouse: CLICKHOUSE_URL names the server, else the embedded one that runs here is asked. undo
asks the console.

${CONSOLE_HELP}
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      ...CONSOLE_OPTIONS,
      state: { type: 'string' },
      'in-force': { type: 'boolean' },
      since: { type: 'string' },
      most: { type: 'string' },
      comment: { type: 'string' },
      'dry-run': { type: 'boolean' },
    });
    const [what, about, ...extra] = positionals;
    if (extra.length > 0 || (what === 'undo') !== (about !== undefined))
      throw new UsageError('decisions takes list or simulate-report; or undo and an id, address, range or user');
    if (what === 'undo') {
      const console = await connectConsole(values);
      const dryRun = values['dry-run'] === true;
      const body = { about, by: console.by, comment: values.comment ?? '', dryRun };
      const answer = await console.send<UndoneDecisions>('POST', 'decisions/undo', body);
      if (values.json === true) printJson(answer);
      else
        printLines([
          ...answer.decisions.map((one) => line(one)),
          dryRun ? 'not done: --dry-run' : `${answer.action.about}: what is decided about it is lifted`,
        ]);
      return ExitCode.ok;
    }
    const state = STATES.find((one) => one === values.state);
    if (values.state !== undefined && state === undefined)
      throw new UsageError(`--state takes one of ${STATES.join(', ')}`);
    const nowMs = Date.now();
    const isReport = what === 'simulate-report';
    if (what !== 'list' && !isReport) throw new UsageError('decisions takes list, simulate-report or undo');
    const asked: Asked = {
      nowMs,
      withinMs: values.since === undefined ? undefined : durationMs('since', values.since, 0),
      most: wholeNumber('most', values.most, isReport ? 200 : 50, 1, 10_000),
      state,
      inForce: values['in-force'] === true,
    };
    if (isReport && (state !== undefined || asked.inForce))
      throw new UsageError('simulate-report takes neither --state nor --in-force');
    const config = loadConfig({ file: values.config, env: processEnvironment() });
    const clickhouse = await connectClickHouse(config.clickhouse, { attachOnly: true });
    try {
      if (isReport) {
        const reported = await readReported(clickhouse, asked);
        const span = { sinceMs: reportedSince(asked), nowMs };
        if (values.json === true) printJson(...reported.made, ...reported.refused);
        else printLines(simulateReport(reported, config.response.mode, span));
        return ExitCode.ok;
      }
      const { found, isCut } = await readListed(clickhouse, asked);
      if (values.json === true) printJson(...found);
      else if (found.length === 0) printLines(['no decisions']);
      else
        printLines([
          ...found.map((one) => line(one)),
          ...(isCut ? [`the newest ${asked.most}: --most shows more`] : []),
        ]);
      return ExitCode.ok;
    } finally {
      await clickhouse.stop();
    }
  },
};

const line = (one: Decision): string =>
  [
    one.id,
    one.state.padEnd(9),
    `${one.scope} ${one.value}`.padEnd(24),
    one.target === 'operations' ? one.operations.join(', ') : one.target,
    one.state === 'refused'
      ? new Date(one.createdMs).toISOString()
      : `until ${new Date(one.undoneMs || one.expiresMs).toISOString()}`,
    `${one.matched} requests, ${one.matchedOrdinary} ordinary`,
    one.reason,
  ].join('  ');
