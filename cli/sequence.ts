/** `spanwarden sequence`: would a model of call sequences find more in this traffic than counts do? */
import { createRecentFiles } from '../detector/check/recent-files.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { createAssembler } from '../traces/assembly/assembler.ts';
import { createReadingKit } from '../traces/kit.ts';
import type { SegmentSpans } from '../traces/segment.ts';
import {
  type Comparison,
  compareSequenceModels,
  RERANKERS,
  type Recall,
  shareOf,
} from '../trainer/sequence/comparison.ts';
import { FIT_DEFAULTS } from '../trainer/sequence/fit.ts';
import { type Command, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { formatHelp, passedOver, traceFiles } from './offline/inputs.ts';
import { createProgressLine } from './offline/progress.ts';
import { type WindowFacts, windowsOf } from './sequence/windows.ts';

/** Requests below which a rate of 1e-3 in a fifth of them rests on too few. */
const LEAST = 50_000;

export const sequence: Command = {
  summary: 'would a model of call sequences find more in recorded traffic than counts do?',
  help: `
usage: spanwarden sequence --input FILE [--input FILE…] [--format FORMAT] [--segments N] [--steps N] [--seed N] [--json]

Learns two models of which call follows which, one that counts contexts (PPM) and a recurrent one (TensorFlow.js), from the
first 60 % of the traffic; holds benign call chains of the last 20 % that were never seen before against recombinations of known
calls (left out, moved, swapped), and says which share each finds at a false-positive rate of 1e-3, beside counts alone. Nothing
is stored, and no verdict uses these models.

--input FILE       recorded traffic, in order of time; at least ${LEAST.toLocaleString('en')} requests
--format FORMAT    ${formatHelp(19)}
--segments N       requests used, at most; of more, a sample spread over the time (default 200000)
--steps N          optimiser steps of the recurrent model (default ${FIT_DEFAULTS.steps})
--seed N           of the sample, of what is planted and of training: the same again (default 1)
--json             the comparison as one JSON object

Progress goes to stderr.
exit codes: 0 done · 1 too little traffic, or TensorFlow.js is not installed · 2 wrong command line
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      input: { type: 'string', multiple: true },
      format: { type: 'string' },
      segments: { type: 'string' },
      steps: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'boolean' },
    });
    if (positionals.length > 0) throw new UsageError(`sequence takes no '${positionals[0]}': files go behind --input`);
    if (values.input === undefined) throw new UsageError('sequence needs --input FILE');
    const seed = wholeNumber('seed', values.seed, 1, 0, 2 ** 31);
    const steps = wholeNumber('steps', values.steps, FIT_DEFAULTS.steps, 1, 1_000_000);
    const most = wholeNumber('segments', values.segments, 200_000, 1, 5_000_000);
    const config = loadConfig({ file: undefined, env: processEnvironment() });
    const recent = createRecentFiles(values.input, {
      files: traceFiles(values.format),
      assembly: config.assembly,
      createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
    });
    const line = createProgressLine(process.stderr, Date.now);
    try {
      const traffic: SegmentSpans[] = [];
      for await (const spans of recent.segments({ most, seed, progress: (n) => line.show(`reading: ${n} requests`) }))
        traffic.push(spans);
      for (const text of passedOver(recent.counts)) process.stderr.write(`${text}\n`);
      if (traffic.length < LEAST) {
        line.end();
        process.stderr.write(
          `spanwarden: ${traffic.length} requests are too few to compare at 1e-3: ${LEAST} are needed\n`,
        );
        return ExitCode.failed;
      }
      const windows = windowsOf(
        traffic,
        { learning: { ...config.learning, profile: 'export' }, seed, each: Math.floor(traffic.length / 50) },
        createReadingKit(config),
      );
      const onStep = (step: number, loss: number): void =>
        line.show(`training: step ${step} of ${steps}, loss ${loss.toFixed(2)}`);
      const comparison = await compareSequenceModels(windows, { steps, seed, onStep });
      line.end();
      const { signatures, dropped } = windows;
      process.stdout.write(
        values.json === true
          ? `${JSON.stringify({ ...comparison, signatures, dropped })}\n`
          : textOf(comparison, { signatures, dropped }),
      );
      return ExitCode.ok;
    } finally {
      line.end();
    }
  },
};

const percent = (recall: Recall): string => `${(100 * shareOf(recall)).toFixed(1)} %`;

function textOf(comparison: Comparison, { signatures, dropped }: WindowFacts): string {
  const { recall, novel, adopt } = comparison;
  const kinds = Object.keys(recall.none.byKind);
  const rows = RERANKERS.map((model) => {
    const name = model === 'none' ? 'counts alone' : `counts and ${model}`;
    const each = kinds.map((kind) => percent(recall[model].byKind[kind]!).padStart(11));
    return `${name.padEnd(16)}${percent(recall[model].all).padStart(11)}${each.join('')}\n`;
  });
  return `${signatures} signatures; ${percent(novel)} of the later requests are new as a whole; ${recall.none.all.of} anomalies, ${dropped} left out as normal

found at 1e-3   ${['all', ...kinds].map((kind) => kind.padStart(11)).join('')}
${rows.join('')}
${adopt ? 'The recurrent model finds at least 3 points more than PPM.' : 'The recurrent model does not find 3 points more than PPM: not worth having here.'}
`;
}
