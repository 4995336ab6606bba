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

/** Exit code and one line for what went wrong. */
export function failureOf(error: unknown): { code: number; line: string } {
  if (error instanceof UsageError) return { code: ExitCode.usage, line: error.message };
  if (error instanceof SpanwardenError) {
    return { code: error.code === 'CONFIG_INVALID' ? ExitCode.usage : ExitCode.failed, line: error.message };
  }
  return { code: ExitCode.failed, line: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
