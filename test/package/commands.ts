/** Runs the installed command as a user's shell would: with an environment of its own, its output kept, within a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly withinMs: number;
  /** Also show standard output as it comes. */
  readonly show?: boolean;
}

/** Rejects when it does not end in time; the process is killed then. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  const child = spawn(command, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = gather(child, options.show ?? false);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, options.withinMs);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (late)
      throw new Error(`${args.join(' ')} did not end within ${options.withinMs} ms: ${texts.err.slice(-2_000)}`);
    return { code, ...texts };
  } finally {
    clearTimeout(timer);
  }
}

/** What a process says, as it comes. */
export function gather(child: ChildProcess, show = false): { out: string; err: string } {
  const texts = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
    if (show) process.stdout.write(text);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    texts.err += text;
  });
  return texts;
}

export function mustBe(what: string, seen: unknown, wanted: unknown, said = ''): void {
  if (seen !== wanted)
    throw new Error(`${what}: ${String(seen)}, not ${String(wanted)}${said === '' ? '' : `\n${said}`}`);
}
