/** `spanwarden score`: scores files with a baseline. */
import { createLearners } from '../baseline/all-learners.ts';
import { createEdges } from '../detector/edges.ts';
import { scoreFiles } from '../detector/offline.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { createAssembler } from '../traces/assembly/assembler.ts';
import { createForeignTest } from '../traces/attribution/foreign.ts';
import { createReadingKit } from '../traces/kit.ts';
import { createRedactor } from '../traces/redaction/redactor.ts';
import { redactVerdict } from '../traces/redaction/verdict.ts';
import { type Command, ExitCode, parse, UsageError } from './command.ts';
import { createOfflineIncidents } from './offline/incidents.ts';
import { formatHelp, passedOver, traceFiles } from './offline/inputs.ts';
import { createProgressLine } from './offline/progress.ts';

export const score: Command = {
  summary: 'score files of traces with a baseline: OTLP, Jaeger or Zipkin',
  help: `
usage: spanwarden score --baseline FILE INPUT… --out FILE [--incidents FILE] [--alpha P] [--format FORMAT]
                        [--config FILE]

--baseline FILE    what 'spanwarden train' wrote
INPUT              files of traces, or - for standard input
--out FILE         one JSON object a line and trace id (its worst segment): traceId, score (higher = more anomalous), p and
                   its 95 % interval, anomalous, groups (p of each model), match (what it was held against: similarity,
                   threshold and deviation of each component, and a sentence), client, origins (of a batch of several
                   clients' work all of them), findings, each with its share of
                   the evidence; - for standard output
--incidents FILE   one JSON object a line and incident, of all classes: start, end, class, kind, service, operation, client,
                   traces, disposition (alert: would go to webhooks; notice: would not). Without a finding that is
                   near-certain by its kind, one opens at p ≤ incidents.budgetPerDay / segments a day of the learning
--alpha P          a trace is anomalous at p ≤ P (default: the baseline's)
--format FORMAT    ${formatHelp(19)}
--config FILE      the YAML file

The code is the live detector's, driven by the spans' own times. It never learns. Progress goes to stderr.
exit codes: 0 written · 1 the baseline or an input cannot be used · 2 wrong command line
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      baseline: { type: 'string' },
      out: { type: 'string' },
      incidents: { type: 'string' },
      alpha: { type: 'string' },
      format: { type: 'string' },
      config: { type: 'string' },
    });
    const files = traceFiles(values.format);
    if (positionals.length === 0) throw new UsageError('score takes at least one input');
    if (values.baseline === undefined || values.out === undefined)
      throw new UsageError('score needs --baseline FILE and --out FILE');
    const alpha = values.alpha === undefined ? undefined : Number(values.alpha);
    if (alpha !== undefined && !(alpha > 0 && alpha <= 0.1))
      throw new UsageError(`--alpha takes a number above 0, at most 0.1, not '${values.alpha}'`);
    const config = loadConfig({ file: values.config, env: processEnvironment() });
    const { symbols, reader, segment } = createReadingKit(config);
    const redactor = createRedactor(config.redaction);
    const line = createProgressLine(process.stderr, Date.now);
    const summary = await scoreFiles(
      positionals,
      {
        baseline: values.baseline,
        out: values.out,
        assembly: config.assembly,
        ...(values.incidents !== undefined && { incidents: values.incidents }),
        ...(alpha !== undefined && { alpha }),
        progress: ({ traces, bytes }) =>
          line.show(`scored ${traces.toLocaleString('en')} traces, ${(bytes / 1e6).toFixed(1)} MB`),
      },
      {
        learners: createLearners({ hashKey: config.redaction.key }),
        symbols,
        segment,
        read: reader.read,
        createAssembler: (assembly, sink, baseline) => {
          const edges = createEdges(() => baseline, reader);
          return createAssembler(assembly, { sink, isForeign: createForeignTest(reader.clientAt, edges) });
        },
        incidents: createOfflineIncidents({
          ...config.incidents,
          sensitiveTables: config.learning.sensitiveTables,
        }),
        redact: (verdict) => redactVerdict(redactor, verdict),
        files,
      },
    );
    line.end();
    const n = (value: number): string => value.toLocaleString('en');
    process.stderr.write(
      `baseline ${summary.version}: ${n(summary.traces)} traces, ${n(summary.anomalous)} anomalous, ${n(summary.incidents)} incidents\n` +
        passedOver(summary.counts)
          .map((line) => `${line}\n`)
          .join(''),
    );
    return ExitCode.ok;
  },
};
