/** Options of a command of this checkout: its usage on `--help`; one line and status 2 where they are wrong. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>>;

/** `names`: what positional words name; without it there are none. */
export function readOptions<const T extends Options>(usage: string, options: T, names = ''): Parsed<T> {
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
    process.stdout.write(`${usage.trim()}\n`);
    process.exit(0);
  }
  try {
    const parsed = parseArgs({ options, allowPositionals: true });
    const [first] = parsed.positionals;
    if (first !== undefined && names === '') return wrongUsage(`unexpected '${first}'`);
    return parsed;
  } catch (error) {
    return wrongUsage(error instanceof Error ? error.message : String(error));
  }
}

export function wrongUsage(message: string): never {
  process.stderr.write(`${message}\n--help tells more\n`);
  process.exit(2);
}
