/** Lines of files, one after another. Streaming: memory is bounded by the longest line. */
import { SpanwardenError } from '../errors.ts';
import { MAX_LINE_BYTES, nameOf, openInputs, type ReadOptions } from './bytes.ts';

const NEWLINE = 10;

export interface InputLine {
  readonly input: string;
  /** From 1. */
  readonly number: number;
  /** Without line end. */
  readonly text: string;
}

/** Every line, empty ones too. Throws INPUT_UNREADABLE, STOPPED. */
export async function* readLines(inputs: readonly string[], options: ReadOptions = {}): AsyncGenerator<InputLine> {
  const bytes = await openInputs(inputs, options);
  for (const input of inputs) {
    for await (const line of linesOf(input, bytes.chunks(input), options.maxLineBytes)) {
      yield line;
      bytes.told(input);
    }
  }
}

export async function* linesOf(
  input: string,
  chunks: AsyncIterable<Buffer>,
  maxLineBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<InputLine> {
  let pieces: Buffer[] = [];
  let held = 0;
  let number = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end < 0) break;
      pieces.push(chunk.subarray(from, end));
      yield { input, number: ++number, text: textOf(pieces) };
      pieces = [];
      held = 0;
      from = end + 1;
    }
    pieces.push(chunk.subarray(from));
    held += chunk.length - from;
    if (held > maxLineBytes) {
      throw new SpanwardenError('INPUT_UNREADABLE', `${nameOf(input)}: a line is longer than ${maxLineBytes} bytes`);
    }
  }
  if (held > 0) yield { input, number: ++number, text: textOf(pieces) };
}

const textOf = (pieces: readonly Buffer[]): string => {
  const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  const end = bytes.length > 0 && bytes[bytes.length - 1] === 13 ? bytes.length - 1 : bytes.length;
  return bytes.toString('utf8', 0, end);
};
