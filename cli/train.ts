/** `spanwarden train`: learns a baseline from files. */
import { createLearners } from '../baseline/all-learners.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { createAssembler } from '../traces/assembly/assembler.ts';
import { createForeignTest } from '../traces/attribution/foreign.ts';
import { createReadingKit } from '../traces/kit.ts';
import { createSegment } from '../traces/reading/columns.ts';
import { type TrainSummary, trainFiles } from '../trainer/offline.ts';
import { type Command, ExitCode, parse, UsageError } from './command.ts';
import { formatHelp, passedOver, traceFiles } from './offline/inputs.ts';
import { createProgressLine } from './offline/progress.ts';

export const train: Command = {
  summary: 'learn a baseline from files of traces: OTLP, Jaeger or Zipkin',
  help: `
usage: spanwarden train INPUT… --out FILE [--format FORMAT] [--config FILE]

INPUT             files of traces, or - for standard input (read once: no path templates are learned); in order of time as
                  far as they can be
--out FILE        the baseline; .gz and .zst compress
--format FORMAT   ${formatHelp(18)}
--config FILE     the YAML file; the learning profile is 'export' unless it says otherwise

Progress and a summary go to stderr. A line, element or span that cannot be read is counted and passed over; the first few
are told with their place.
exit codes: 0 written · 1 nothing could be learned, or an input cannot be read · 2 wrong command line
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      out: { type: 'string' },
      format: { type: 'string' },
      config: { type: 'string' },
    });
    const files = traceFiles(values.format);
    if (positionals.length === 0) throw new UsageError('train takes at least one input');
    if (values.out === undefined) throw new UsageError('train needs --out FILE');
    const config = loadConfig({
      file: values.config,
      env: { SPANWARDEN_LEARNING_PROFILE: 'export', ...processEnvironment() },
    });
    const { symbols, reader, segment } = createReadingKit(config);
    const line = createProgressLine(process.stderr, Date.now);
    const summary = await trainFiles(
      positionals,
      {
        out: values.out,
        learning: config.learning,
        assembly: config.assembly,
        progress: ({ phase, segments, bytes }) =>
          line.show(`${phase}: ${segments.toLocaleString('en')} requests, ${(bytes / 1e6).toFixed(1)} MB`),
      },
      {
        learners: createLearners({ hashKey: config.redaction.key }),
        symbols,
        segment,
        spare: createSegment(symbols),
        read: reader.read,
        createAssembler: (assembly, sink) =>
          createAssembler(assembly, { sink, isForeign: createForeignTest(reader.clientAt) }),
        files,
      },
    );
    line.end();
    process.stderr.write(summaryText(summary));
    return ExitCode.ok;
  },
};

function summaryText({
  version,
  traces,
  tracesLearned,
  segments,
  quarantined,
  calibrated,
  learning,
  counts,
}: TrainSummary): string {
  const n = (value: number): string => value.toLocaleString('en');
  const lines = [
    `baseline ${version}: ${n(tracesLearned)} of ${n(traces)} traces learned, ${n(segments)} segments (${n(quarantined)} in quarantine), calibrated on ${n(calibrated)}`,
    ...learning.map((missing) => `still learning: ${missing}`),
    ...passedOver(counts),
  ];
  return `${lines.join('\n')}\n`;
}
