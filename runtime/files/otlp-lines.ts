/** OTLP/JSON lines (one TracesData a line, as the Collector's file exporter writes them) as parts. */

import { jsonToTracesData } from '../../schemas/otlp/json.ts';
import type { ReadOptions } from './bytes.ts';
import { type InputLine, readLines } from './lines.ts';
import type { TracesPart } from './trace-records.ts';

export async function* otlpLines(inputs: readonly string[], options: ReadOptions = {}): AsyncGenerator<TracesPart> {
  for await (const line of readLines(inputs, options)) {
    const part = otlpLine(line);
    if (part !== undefined) yield part;
  }
}

/** One line; undefined for an empty one. */
export const otlpLine = ({ input, number, text }: InputLine): TracesPart | undefined =>
  text.trim() === '' ? undefined : otlpText(text, `${input}:${number}`);

/** One TracesData or ExportTraceServiceRequest as JSON. */
export function otlpText(text: string, where: string): TracesPart {
  const read = jsonToTracesData(text);
  if (read.outcome === 'malformed') return { where, problems: [read.problem ?? 'malformed'] };
  if (read.rejected === 0) return { where, bytes: read.bytes };
  return { where, bytes: read.bytes, rejected: read.rejected, problems: [`${read.rejected} spans cannot be read`] };
}
