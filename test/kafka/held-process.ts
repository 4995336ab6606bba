/**
 * A process that cannot outlive us: a shell holds it, and kills it when its own stdin ends, which it does when we
 * die, however we die (SIGKILL included).
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * $1: a directory to remove when we die, or nothing; the rest: the command. Its output ends when it does, as nobody else
 * holds it; we say so by one line, and only then the shell lets go of the process id. An end without that line is our death.
 */
const HOLD = `
exec 3<&0 </dev/null
remove=$1; shift
"$@" 3<&- &
pid=$!
echo "pid $pid"
exec >/dev/null 2>&1
if read -r _ <&3; then wait $pid; exit $?; fi
kill -KILL $pid
wait $pid
if [ -n "$remove" ]; then sleep 1; rm -rf "$remove"; fi
`;
const LAST_LINES = 30;
/** Of Java: they would push out what was said. */
const STACK_FRAME = /^\s+(at |\.\.\. \d+ more)/;

/** Whether a process of this id runs, ours or not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export interface HeldProcess {
  readonly pid: number;
  /** Settles when it has ended, for whatever reason. */
  readonly exited: Promise<void>;
  readonly running: boolean;
  /** Does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** The last it said. */
  lastLines(): string[];
  /** Resolves when a line has `text`; rejects with the last lines when the process ends first, or after `withinMs`. */
  says(text: string, withinMs: number): Promise<void>;
}

export interface HeldOptions {
  /** For errors: `the Kafka broker`. */
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
  /** A directory that goes when we die without stopping it. */
  readonly removeAlso?: string;
}

export async function startHeld({ what, command, args, removeAlso = '' }: HeldOptions): Promise<HeldProcess> {
  const shell = spawn('sh', ['-c', HOLD, 'sh', removeAlso, command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // Ctrl-C is for us: we end it
  });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  let running = true;
  shell.stdin.on('error', () => {});
  let open = 2;
  const ended = (): void => {
    if (--open > 0) return;
    running = false;
    shell.stdin.end('ended\n');
  };
  shell.stdout.on('end', ended);
  shell.stderr.on('end', ended);
  const exited = new Promise<void>((resolve, reject) => {
    shell.on('error', reject);
    shell.on('close', () => resolve());
  });
  exited.catch(() => {});
  const hear = (line: string): void => {
    if (!STACK_FRAME.test(line)) lines.push(line);
    if (lines.length > LAST_LINES) lines.shift();
    for (const listener of listeners) listener(line);
  };
  createInterface({ input: shell.stderr }).on('line', hear);
  const pid = await new Promise<number>((resolve, reject) => {
    exited.then(() => reject(new Error(`${what} could not be started:\n${lines.join('\n')}`)), reject);
    createInterface({ input: shell.stdout }).on('line', (line) => {
      if (line.startsWith('pid ')) resolve(Number(line.slice(4)));
      else hear(line);
    });
  });
  return {
    pid,
    exited,
    get running() {
      return running;
    },
    signal(signal) {
      if (!running) return;
      try {
        process.kill(pid, signal);
      } catch {
        // it ended just now
      }
    },
    lastLines: () => [...lines],
    says(text, withinMs) {
      return new Promise((resolve, reject) => {
        const end = (how: () => void): void => {
          clearTimeout(late);
          listeners.delete(listener);
          how();
        };
        const fail = (problem: string): void =>
          end(() => reject(new Error(`${what} ${problem}; it said last:\n${lines.join('\n')}`)));
        const late = setTimeout(() => fail(`was not ready in ${withinMs / 1_000} s`), withinMs);
        const listener = (line: string): void => {
          if (line.includes(text)) end(resolve);
        };
        listeners.add(listener);
        if (lines.some((line) => line.includes(text))) end(resolve);
        else exited.then(() => fail('ended while starting'));
      });
    },
  };
}
