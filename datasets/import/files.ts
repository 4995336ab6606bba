/**
 * Files of traces in any of the formats, for `train` and `score`: each input is told by its content, and all of them become
 * the same parts that OTLP/JSON lines give.
 */
import { MAX_LINE_BYTES, nameOf, openInputs, peek, type ReadOptions } from '../../runtime/files/bytes.ts';
import { linesOf } from '../../runtime/files/lines.ts';
import { otlpLine, otlpText } from '../../runtime/files/otlp-lines.ts';
import { partsTimeRange, timeRange } from '../../runtime/files/time-range.ts';
import type { TraceFiles } from '../../runtime/files/trace-files.ts';
import { type TracesPart, toTraceRecords } from '../../runtime/files/trace-records.ts';
import { objectToTracesData } from '../../schemas/otlp/json.ts';
import { detectLayout, type Format, HEAD_BYTES, type Layout } from './detect.ts';
import { elementsOf } from './elements.ts';
import { jsonElements } from './json-elements.ts';
import { otlpMessages } from './otlp-messages.ts';
import { toTracesData } from './otlp-shape.ts';
import { jaegerFormat, type TraceFormat, zipkinFormat } from './trace-formats.ts';
import { createTraceWindow, type TraceGroup, type TraceWindow } from './trace-window.ts';

export interface ImportOptions {
  /** The format of all inputs; without it each is told by its content. */
  readonly format?: Format;
  /** Bytes of JSON whose spans are held to bring traces together and in order. */
  readonly windowBytes?: number;
  /** A longer line is an error, a longer element is passed over: it would have to be held whole. */
  readonly maxElementBytes?: number;
}

const WINDOW_BYTES = 64 * 1024 * 1024;

export function createTraceFiles(options: ImportOptions = {}): TraceFiles {
  return {
    records: (inputs, counts, reading) => toTraceRecords(readParts(inputs, options, reading), counts),
    async timeRange(inputs, reading) {
      return (await areAllLines(inputs, options))
        ? timeRange(inputs, reading)
        : partsTimeRange(readParts(inputs, options, reading));
    },
  };
}

/** Whether all is OTLP/JSON lines, which can be looked through without parsing them. */
async function areAllLines(inputs: readonly string[], { format }: ImportOptions): Promise<boolean> {
  const opened = await openInputs(inputs);
  for (const input of inputs) {
    const { head, rest } = await peek(opened.chunks(input), HEAD_BYTES);
    await rest.return(undefined);
    const layout = detectLayout(head, format);
    if (layout.format !== 'otlp' || layout.framing !== 'lines') return false;
  }
  return true;
}

interface Source {
  readonly input: string;
  /** What people call it. */
  readonly name: string;
  readonly chunks: AsyncIterable<Buffer>;
  readonly layout: Layout;
  readonly maxBytes: number;
}

/**
 * Parts of all inputs: OTLP as it comes; traces of other formats brought together and in order, across inputs. Throws
 * INPUT_UNREADABLE, STOPPED.
 */
export async function* readParts(
  inputs: readonly string[],
  options: ImportOptions = {},
  reading: ReadOptions = {},
): AsyncGenerator<TracesPart> {
  const opened = await openInputs(inputs, reading);
  const maxBytes = options.maxElementBytes ?? reading.maxLineBytes ?? MAX_LINE_BYTES;
  const jaeger = createGathering(jaegerFormat, options);
  const zipkin = createGathering(zipkinFormat, options);
  for (const input of inputs) {
    const { head, rest } = await peek(opened.chunks(input), HEAD_BYTES);
    const layout = detectLayout(head, options.format);
    const source: Source = { input, name: nameOf(input), chunks: rest, layout, maxBytes };
    const told = (): void => opened.told(input);
    if (layout.format === 'otlp') yield* otlpParts(source, told);
    else yield* layout.format === 'jaeger' ? jaeger.add(source, told) : zipkin.add(source, told);
  }
  yield* jaeger.end();
  yield* zipkin.end();
}

async function* otlpParts(
  { input, name, chunks, layout, maxBytes }: Source,
  told: () => void,
): AsyncGenerator<TracesPart> {
  if (layout.framing === 'messages') {
    for await (const part of otlpMessages(name, chunks, maxBytes)) {
      yield part;
      told();
    }
  } else if (layout.framing === 'lines') {
    for await (const line of linesOf(input, chunks, maxBytes)) {
      const part = otlpLine(line);
      if (part !== undefined) yield part;
      told();
    }
  } else {
    for await (const { number, byte, text, problem } of jsonElements(chunks, { maxElementBytes: maxBytes })) {
      const where = `${name}: document ${number} at byte ${byte}`;
      yield problem === undefined ? otlpText(text, where) : { where, problems: [problem] };
      told();
    }
  }
}

interface Gathering {
  add(source: Source, told: () => void): AsyncGenerator<TracesPart>;
  end(): Generator<TracesPart>;
}

/** Nothing of it is lost that it can be used for; it tells what is wrong. */
const NO_SPANS = new Uint8Array(0);

function createGathering<T>(format: TraceFormat<T>, { windowBytes = WINDOW_BYTES }: ImportOptions): Gathering {
  const window: TraceWindow<T> = createTraceWindow(windowBytes, format.startOf);

  function* partsOf(groups: readonly TraceGroup<T>[]): Generator<TracesPart> {
    for (const { traceId, spans, bytes } of groups) {
      const where = `trace ${traceId}`;
      const read = objectToTracesData(toTracesData(format.toOtlp(spans)), bytes);
      if (read.outcome === 'malformed')
        yield { where, problems: [read.problem ?? 'malformed'], rejected: spans.length };
      else if (read.rejected === 0) yield { where, bytes: read.bytes };
      else {
        const problems = [`${read.rejected} spans cannot be read`];
        yield { where, bytes: read.bytes, rejected: read.rejected, problems };
      }
    }
  }

  return {
    async *add({ input, name, chunks, layout, maxBytes }, told) {
      for await (const element of elementsOf(chunks, layout, { input, name, maxBytes, wanted: format.wanted })) {
        const problems = element.problem === undefined ? [] : [element.problem];
        let rejected = 0;
        let used = false;
        for (const value of element.values) {
          const read = format.read(value);
          problems.push(...read.problems);
          rejected += read.rejected;
          const share = Math.ceil(element.bytes / Math.max(1, read.spans.length * element.values.length));
          for (const span of read.spans) window.add(format.traceIdOf(span), span, share);
          used ||= read.spans.length > 0;
        }
        if (problems.length > 0) yield { where: element.where, problems, rejected, ...(used && { bytes: NO_SPANS }) };
        yield* partsOf(window.overflow());
        told();
      }
    },
    *end() {
      yield* partsOf(window.end());
    },
  };
}
