/** `spanwarden check`: is the detector to be trusted on this traffic? */
import { createLearners } from '../baseline/all-learners.ts';
import { type Baseline, loadBaseline } from '../baseline/baseline.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import { type CheckDeps, checkDetector } from '../detector/check/check.ts';
import type { RecentTraffic } from '../detector/check/recent.ts';
import { createRecentFiles } from '../detector/check/recent-files.ts';
import { createRecentLog } from '../detector/check/recent-log.ts';
import type { CheckReport } from '../detector/check/report.ts';
import { createEdges } from '../detector/edges.ts';
import { readBaseline } from '../detector/offline.ts';
import { createVersions } from '../detector/versions.ts';
import { type ClickHouse, connectClickHouse } from '../runtime/clickhouse/client.ts';
import { loadVersion } from '../runtime/clickhouse/stored-versions.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { createLogReader, type LogReader } from '../runtime/log/create.ts';
import { createLogger } from '../runtime/telemetry/logger.ts';
import { createAssembler } from '../traces/assembly/assembler.ts';
import { createReadingKit } from '../traces/kit.ts';
import { reportLines } from './check/text.ts';
import { type Command, durationMs, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { formatHelp, passedOver, traceFiles } from './offline/inputs.ts';
import { createProgressLine } from './offline/progress.ts';
import { printJson, printLines } from './terminal.ts';

export const check: Command = {
  summary: 'is the detector to be trusted? Plants known anomalies into a copy of recent traffic',
  help: `
usage: spanwarden check [--since TIME] [--segments N] [--seed N] [--each N] [--json] [--config FILE]
       spanwarden check --baseline FILE --input FILE [--input FILE…] [--format FORMAT] [options as above]

Judges a copy of the traffic in the spans log with the version in effect, first as it is, then with known anomalies in it: calls
missing, moved, repeated, foreign, out of order; checks left out; slow, fast and failing calls; attacks in parameters. Says how well
they rank, whether as many normal requests look odd as is promised, how much of the traffic was learned well enough, and what the
version would miss. It only reads: nothing is stored, learned, or sent to the log.

--since TIME       how far back: 90s, 30m, 6h, 1d (default 24h)
--segments N       requests looked at, at most; of more, a sample spread over the time (default 20000)
--each N           anomalies planted of each kind, at most (default 200)
--seed N           of the sample and of what is planted: the same again (default 1)
--baseline FILE    what 'spanwarden train' wrote, in place of the version in effect
--input FILE       recorded traffic in place of the log; not what the baseline was learned from
--format FORMAT    ${formatHelp(19)}
--json             the whole report as one JSON object
--config FILE      the YAML file; CLICKHOUSE_URL names the server, else the embedded one that runs here is asked

It fails when the rate of false positives is not the one promised, when one model drowns the others, when over 5 % of the calls are
only observed, when an operation that always makes a call has no rule, when over 1 % of scores are equal at the top, when scores
do not tell planted anomalies, or when a verdict has no match. Progress goes to stderr.
exit codes: 0 passed · 1 could not be checked: no version, too little traffic · 2 wrong command line · 3 failed, with the reasons
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      since: { type: 'string' },
      segments: { type: 'string' },
      each: { type: 'string' },
      seed: { type: 'string' },
      baseline: { type: 'string' },
      input: { type: 'string', multiple: true },
      format: { type: 'string' },
      json: { type: 'boolean' },
      config: { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError(`check takes no '${positionals[0]}': files go behind --input`);
    const inputs = values.input ?? [];
    if (inputs.length > 0 && values.baseline === undefined) throw new UsageError('--input needs --baseline FILE');
    const files = traceFiles(values.format);
    const options = {
      most: wholeNumber('segments', values.segments, 20_000, 1, 1_000_000),
      each: wholeNumber('each', values.each, 200, 1, 10_000),
      seed: wholeNumber('seed', values.seed, 1, 0, 2 ** 31),
      sinceMs: durationMs('since', values.since, 24 * 3_600_000),
    };
    const config = loadConfig({ file: values.config, env: processEnvironment() });
    const { symbols, reader, segment } = createReadingKit(config);
    const learners = createLearners({ hashKey: config.redaction.key });
    const line = createProgressLine(process.stderr, Date.now);
    const assemblerOf =
      (baseline: Baseline) =>
      (...[assembly, sink]: Parameters<Parameters<typeof createRecentLog>[0]['createAssembler']>) =>
        createAssembler(assembly, { sink, isEdge: createEdges(() => baseline, reader).isEdge });
    const judge = (baseline: Baseline, recent: RecentTraffic, incidentTraces?: ReadonlySet<string>) =>
      checkDetector(
        baseline,
        {
          ...options,
          ...(incidentTraces && { incidentTraces }),
          progress: ({ phase, count }) => line.show(`${phase}: ${count.toLocaleString('en')}`),
        },
        { recent, symbols, segment, reader } satisfies CheckDeps,
      );

    let report: CheckReport;
    if (inputs.length > 0) {
      const baseline = await readBaseline(values.baseline!, symbols, learners);
      const recent = createRecentFiles(inputs, {
        files,
        assembly: config.assembly,
        createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
      });
      report = await judge(baseline, recent);
      line.end();
      for (const text of passedOver(recent.counts)) process.stderr.write(`${text}\n`);
    } else {
      const log = createLogReader(config);
      let clickhouse: ClickHouse | undefined;
      try {
        await log.start();
        if (values.baseline === undefined)
          clickhouse = await connectClickHouse(config.clickhouse, { attachOnly: true });
        const load = async (version: string): Promise<Baseline> => {
          const { entries } = await loadVersion<Baseline['manifest'], BaselineEntry>(clickhouse!, version);
          return loadBaseline(entries, symbols, learners);
        };
        const baseline =
          values.baseline === undefined
            ? await inEffect(log, load)
            : await readBaseline(values.baseline, symbols, learners);
        if (baseline === null) {
          process.stderr.write('no version that can raise alerts is in effect yet: see spanwarden status\n');
          return ExitCode.failed;
        }
        const incidentTraces = clickhouse === undefined ? undefined : await openIncidentTraces(clickhouse);
        const recent = createRecentLog({
          log,
          assembly: config.assembly,
          createAssembler: assemblerOf(baseline),
          now: Date.now,
        });
        report = await judge(baseline, recent, incidentTraces);
      } finally {
        line.end();
        await clickhouse?.stop();
        await log.stop(5_000);
      }
    }
    if (values.json === true) printJson(report);
    else printLines(reportLines(report));
    return { passed: ExitCode.ok, failed: ExitCode.checkFailed, 'not enough': ExitCode.failed }[report.outcome];
  },
};

/** The version that judges what comes now; null while none can raise alerts. */
async function inEffect(log: LogReader, load: (version: string) => Promise<Baseline>): Promise<Baseline | null> {
  const versions = createVersions({
    log,
    logger: createLogger({ name: 'check', level: 'error' }),
    now: Date.now,
    load,
  });
  const now = Date.now();
  await versions.ready(now, now);
  return versions.at(now);
}

/** Trace ids that open security incidents list. */
async function openIncidentTraces(clickhouse: ClickHouse): Promise<ReadonlySet<string>> {
  const result = await clickhouse.client.query({
    query: `SELECT DISTINCT arrayJoin(trace_ids) AS id FROM ${clickhouse.database}.incidents_latest WHERE state = 'open' AND class = 'security'`,
    format: 'JSONEachRow',
  });
  return new Set((await result.json<{ id: string }>()).map(({ id }) => id));
}
