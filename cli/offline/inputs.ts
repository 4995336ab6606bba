/** Inputs of `train` and `score`: which formats they may have, and what was passed over of them. */
import { FORMATS, type Format } from '../../datasets/import/detect.ts';
import { createTraceFiles } from '../../datasets/import/files.ts';
import type { TraceFiles } from '../../runtime/files/trace-files.ts';
import type { FileCounts } from '../../runtime/files/trace-records.ts';
import { UsageError } from '../command.ts';

/** The part of `--help` that both commands share, indented for `column`. */
export const formatHelp = (column: number): string =>
  [
    "otlp (what the Collector's file exporter writes: OTLP/JSON lines, or length-prefixed messages),",
    'jaeger (JSON of the UI or of /api/traces), zipkin (JSON v2). Without it every INPUT is told by its',
    'content. gzip and Zstandard are told by content too.',
  ].join(`\n${' '.repeat(column)}`);

export function traceFiles(format: string | undefined): TraceFiles {
  if (format === undefined) return createTraceFiles();
  if (!isFormat(format)) throw new UsageError(`--format takes ${FORMATS.join(', ')}, not '${format}'`);
  return createTraceFiles({ format });
}

const isFormat = (text: string): text is Format => (FORMATS as readonly string[]).includes(text);

/** One line with the counts, then the first problems; nothing when all was used. */
export function passedOver({ malformedLines, rejectedSpans, problems }: FileCounts): string[] {
  if (malformedLines + rejectedSpans + problems.length === 0) return [];
  const n = (value: number): string => value.toLocaleString('en');
  return [
    `passed over: ${n(malformedLines)} lines or elements, ${n(rejectedSpans)} spans`,
    ...problems.map((problem) => `passed over: ${problem}`),
  ];
}
