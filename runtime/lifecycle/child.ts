/** A process that one of ours starts: asked where it listens, told where the others do, stopped. Its half is attached.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SpanwardenError } from '../errors.ts';
import type { Ports } from './attached.ts';

export interface ChildOptions {
  readonly name: string;
  /** The program: a file URL. */
  readonly program: URL;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Lines the child writes to standard error. */
  onNote(line: string): void;
  /** Lines on its standard output after the first. */
  onLine?(line: string): void;
}

/** A program beside the asking file: TypeScript in a checkout, JavaScript once built. */
export const programBeside = (relative: string, asking: string): URL =>
  new URL(asking.endsWith('.ts') ? relative : relative.replace(/\.ts$/, '.js'), asking);

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves with its ports; rejects when it ends before. */
  readonly ready: Promise<Ports>;
  /** Resolves when the process is gone. */
  readonly gone: Promise<number>;
  /** Writes one line of JSON to its standard input. */
  tell(message: unknown): void;
  /** Closes its input, which ends it; kills it after the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

export function startChild(options: ChildOptions): Child {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(options.program), ...options.args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: options.env,
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new SpanwardenError('STOPPED', 'no pipes to a child');
  stdin.on('error', () => undefined); // it may be gone already
  let lastNote = '';
  createInterface({ input: stderr }).on('line', (line) => {
    if (line.trim() !== '') lastNote = line;
    options.onNote(line);
  });
  const gone = new Promise<number>((resolve) => {
    child.once('close', (code) => resolve(code ?? -1)); // not at `exit`: its last words may still be on their way
    child.once('error', () => resolve(-1));
  });
  const ready = new Promise<Ports>((resolve, reject) => {
    const lines = createInterface({ input: stdout });
    lines.once('line', (line) => {
      lines.on('line', (later) => options.onLine?.(later));
      try {
        resolve((JSON.parse(line) as { ports: Ports }).ports);
      } catch (cause) {
        reject(new SpanwardenError('STOPPED', `${options.name} said ${line}`, { cause }));
      }
    });
    gone.then((code) =>
      reject(new SpanwardenError('STOPPED', `${options.name} ended with ${code} before it was ready: ${lastNote}`)),
    );
  });
  ready.catch(() => undefined); // whoever starts the child awaits it, or stops the child
  return {
    name: options.name,
    pid: child.pid ?? -1,
    ready,
    gone,
    tell: (message) => void stdin.write(`${JSON.stringify(message)}\n`),
    async stop(deadlineMs) {
      stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
      await gone;
      clearTimeout(timer);
    },
  };
}
