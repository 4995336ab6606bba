/**
 * What commands print. Names, operations and values in it are telemetry's, an attacker's words: what steers a terminal, a new line
 * included, is shown as an escape. JSON keeps its meaning: the same characters, written as JSON escapes.
 */
import { plain } from '../responder/alerts/text.ts';
import { withoutSteering } from '../traces/steering.ts';

export const printLines = (lines: readonly string[]): void => void process.stdout.write(linesText(lines));

/** One JSON object a line. */
export const printJson = (...values: readonly unknown[]): void =>
  void process.stdout.write(values.map((value) => `${jsonText(value)}\n`).join(''));

export const linesText = (lines: readonly string[]): string => lines.map((line) => `${plain(line)}\n`).join('');

/** JSON.stringify escapes what is below a space, not what else steers a terminal. */
export const jsonText = (value: unknown): string => withoutSteering(JSON.stringify(value), inJson);

const inJson = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
