/** `spanwarden alerts …`: dead letters, sending them once more, and a test of every destination. */
import type { DeadLetter } from '../console/dead-letters.ts';
import { plain } from '../responder/alerts/text.ts';
import { connectClickHouse } from '../runtime/clickhouse/client.ts';
import { readDeadLetters } from '../runtime/clickhouse/stored-deliveries.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import { sendTests, type TestAnswer } from './alerts/send-test.ts';
import { type Command, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { CONSOLE_HELP, CONSOLE_OPTIONS, connectConsole } from './console/client.ts';
import { printJson, printLines } from './terminal.ts';

export const alerts: Command = {
  summary: 'alerts that could not be told, telling them again, a test of every destination',
  help: `
usage: spanwarden alerts dead [ID] [--destination NAME] [--since WHEN] [--most N] [--json] [--config FILE]
       spanwarden alerts replay [ID] [--destination NAME] [--since WHEN] [--dry-run]
       spanwarden alerts test [--destination NAME] [--json] [--config FILE]

dead    alerts that were given up, newest first: id, destination, when, attempts, why, title
replay  sends them once more, under the same webhook-id: one alert by its id or the start of it, all of a destination, or all
        given up since a time; at least one of these, and all that are given must hold. Asks the console; the responder sends
test    sends a marked alert to every destination of the configuration from here, and its end where ends are told, and says
        what each answered; nothing of it is kept. Exit code 1 when one did not take it

--destination NAME  only this one
--since WHEN        given up since: 30m, 12h, 7d ago, or a date
--most N            how many (default 50; replay: 1000)
--dry-run           show which would be sent
dead asks ClickHouse: CLICKHOUSE_URL names the server, else the embedded one that runs here is asked.

${CONSOLE_HELP}
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      ...CONSOLE_OPTIONS,
      destination: { type: 'string' },
      since: { type: 'string' },
      most: { type: 'string' },
      'dry-run': { type: 'boolean' },
    });
    const [what, id, ...extra] = positionals;
    if (extra.length > 0 || (what === 'test' && id !== undefined))
      throw new UsageError(`alerts ${what} takes no '${extra[0] ?? id}'`);
    const sinceMs = sinceOf(values.since, Date.now());
    const which = {
      ...(id !== undefined && { id }),
      ...(values.destination !== undefined && { destination: values.destination }),
      ...(sinceMs !== undefined && { sinceMs }),
    };
    if (what === 'dead')
      return listDead({ ...which, limit: wholeNumber('most', values.most, 50, 1, 1_000) }, values.config, values.json);
    if (what === 'test') return test(values.destination, values.config, values.json);
    if (what !== 'replay') throw new UsageError('alerts takes dead, replay or test');
    if (Object.keys(which).length === 0)
      throw new UsageError('alerts replay takes an id, --destination or --since: say which are to be sent again');
    const console = await connectConsole(values);
    const limit = wholeNumber('most', values.most, 1_000, 1, 1_000);
    const dryRun = values['dry-run'] === true;
    const answer = await console.send<{ replayed: readonly DeadLetter[] }>('POST', 'alerts/replays', {
      ...which,
      limit,
      dryRun,
      by: console.by,
    });
    if (values.json === true) printJson(answer);
    else {
      const many = answer.replayed.length === 1 ? '1 alert' : `${answer.replayed.length} alerts`;
      printLines([...answer.replayed.map(line), `${many} ${dryRun ? 'would be' : 'will be'} sent again`]);
    }
    return ExitCode.ok;
  },
};

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

function sinceOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit] = /^(\d+)([mhdw])$/.exec(text) ?? [];
  const ms = count === undefined ? Date.parse(text) : nowMs - Number(count) * UNIT_MS[unit!]!;
  if (!Number.isFinite(ms)) throw new UsageError(`--since takes 30m, 12h, 7d, 4w or a date, not '${text}'`);
  return Math.max(0, ms);
}

async function listDead(
  filter: NonNullable<Parameters<typeof readDeadLetters>[1]>,
  file: string | undefined,
  json: boolean | undefined,
): Promise<number> {
  const config = loadConfig({ file, env: processEnvironment() });
  const clickhouse = await connectClickHouse(config.clickhouse, { attachOnly: true });
  try {
    const found = await readDeadLetters(clickhouse, filter);
    if (json === true) printJson(...found);
    else if (found.length === 0) printLines(['no dead letters']);
    else
      printLines(
        found.map(({ alert, delivery }) =>
          line({
            alertId: alert.id,
            destination: delivery.destination,
            givenUpMs: delivery.updatedMs,
            attempt: delivery.attempt,
            error: delivery.error,
            title: (JSON.parse(alert.body) as { data: { title: string } }).data.title,
          }),
        ),
      );
    return ExitCode.ok;
  } finally {
    await clickhouse.stop();
  }
}

const line = (one: Pick<DeadLetter, 'alertId' | 'destination' | 'givenUpMs' | 'attempt' | 'error' | 'title'>): string =>
  [
    one.alertId,
    one.destination,
    new Date(one.givenUpMs).toISOString(),
    `${one.attempt} attempts`,
    plain(one.error),
    plain(one.title), // of a release before it may hold anything
  ].join('  ');

async function test(only: string | undefined, file: string | undefined, json: boolean | undefined): Promise<number> {
  const config = loadConfig({ file, env: processEnvironment() });
  const names = config.alerts.destinations.map(({ name }) => name);
  if (names.length === 0)
    throw new SpanwardenError('CONFIG_INVALID', 'alerts.destinations is empty: there is nothing to test');
  if (only !== undefined && !names.includes(only))
    throw new UsageError(`no destination '${only}'; there are ${names.join(', ')}`);
  const answers = await sendTests(config.alerts, config.clickhouse.database, only);
  if (json === true) printJson(...answers);
  else printLines(answers.map(answerLine));
  return answers.every(({ delivered }) => delivered) ? ExitCode.ok : ExitCode.failed;
}

const answerLine = ({ destination, type, event, delivered, httpStatus, error, ms }: TestAnswer): string =>
  `${destination.padEnd(20)}${type.padEnd(22)}${event.padEnd(8)}${delivered ? `delivered (${httpStatus})` : `FAILED: ${error}`}  ${ms} ms`;
