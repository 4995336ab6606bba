/** First and last span start in files of OTLP/JSON lines, without parsing them: how wide a time bucket should be. */
import { type LineOptions, readLines } from './lines.ts';

const START = '"startTimeUnixNano"';
/** Samples of a line: spans of one line lie close together, so a few tell. */
const PER_LINE = 64;
/** 1971 to 2200: what a broken clock says must not stretch the range. */
const LEAST_MS = 31_536_000_000;
const MOST_MS = 7_258_118_400_000;

/** Milliseconds since the epoch of the earliest and latest start found; undefined without any. */
export async function timeRange(
  inputs: readonly string[],
  options: LineOptions = {},
): Promise<{ readonly firstMs: number; readonly lastMs: number } | undefined> {
  const starts: number[] = [];
  for await (const { text } of readLines(inputs, options)) {
    const step = Math.max(1, Math.floor(text.length / PER_LINE));
    let at = text.indexOf(START);
    while (at >= 0) {
      const digits = /\d{10,20}/y;
      digits.lastIndex = at + START.length;
      while (digits.lastIndex < text.length && !isDigit(text, digits.lastIndex)) digits.lastIndex++;
      const found = digits.exec(text);
      const ms = found === null ? Number.NaN : Number(found[0].slice(0, -6));
      if (ms >= LEAST_MS && ms <= MOST_MS) starts.push(ms);
      at = text.indexOf(START, at + step);
    }
  }
  if (starts.length === 0) return undefined;
  starts.sort((a, b) => a - b);
  const cut = Math.floor(starts.length / 1_000); // the odd clock
  return { firstMs: starts[cut]!, lastMs: starts[starts.length - 1 - cut]! };
}

const isDigit = (text: string, i: number): boolean => {
  const code = text.charCodeAt(i);
  return code >= 48 && code <= 57;
};
