/** What a subcommand is, and the exit codes all of them share. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { SpanwardenError } from '../runtime/errors.ts';

export const ExitCode = {
  ok: 0,
  /** The command could not do its work; one line on stderr says why. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** `demo --once`: an attack was missed or wrongly attributed, or something benign alerted. */
  demoFailed: 3,
  /** `check`: the detector is not to be trusted on this traffic. */
  checkFailed: 3,
  /** Ended by a second signal, without draining. */
  interrupted: 130,
} as const;

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** Whole text of `--help`. */
  readonly help: string;
  run(args: readonly string[]): Promise<number>;
}

/** Wrong use of a command: the message, and a hint to `--help`. */
export class UsageError extends Error {}

type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: O; allowPositionals: true; strict: true }>
>;

/** node:util's parseArgs with our error. */
export function parse<const O extends ParseArgsOptionsConfig>(args: readonly string[], options: O): Parsed<O> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** An option that is a whole number within bounds. */
export function wholeNumber(
  name: string,
  text: string | undefined,
  byDefault: number,
  min: number,
  max: number,
): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, not '${text}'`);
  }
  return value;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** An option that is a length of time: a number and s, m, h or d. */
export function durationMs(name: string, text: string | undefined, byDefault: number): number {
  if (text === undefined) return byDefault;
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * UNIT_MS[unit ?? '']!;
  if (!(ms > 0)) throw new UsageError(`--${name} takes a time such as 90s, 30m, 6h or 1d, not '${text}'`);
  return ms;
}

/** Exit code and one line for what went wrong. */
export function failureOf(error: unknown): { code: number; line: string } {
  if (error instanceof UsageError) return { code: ExitCode.usage, line: error.message };
  if (error instanceof SpanwardenError) {
    return { code: error.code === 'CONFIG_INVALID' ? ExitCode.usage : ExitCode.failed, line: error.message };
  }
  return { code: ExitCode.failed, line: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
