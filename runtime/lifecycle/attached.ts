/**
 * The life of a process started by child.ts: it says on standard output where it listens, learns on standard input where
 * the others do, and ends when that closes: a parent that dies takes its children along.
 */
import { createInterface } from 'node:readline';

/** Where a process listens, by part; the parent merges them into Addresses. */
export type Ports = Readonly<Record<string, number>>;

export interface Attachment {
  /** Says where this process listens. */
  ready(ports: Ports): void;
  /** Resolves with the ports of all processes, once the parent knows them. */
  readonly others: Promise<Ports>;
}

const DRAIN_MS = 2_000;

export function attach(deps: {
  stop(): Promise<void>;
  onLine?(line: string): void;
  /** A stop that takes longer is cut short. */
  readonly drainMs?: number;
}): Attachment {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(0), deps.drainMs ?? DRAIN_MS).unref();
    deps.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  const lines = createInterface({ input: process.stdin });
  const others = new Promise<Ports>((resolve) => {
    lines.once('line', (line) => {
      lines.on('line', (later) => deps.onLine?.(later));
      resolve(JSON.parse(line) as Ports);
    });
  });
  lines.once('close', stop);
  process.once('SIGTERM', stop);
  process.on('SIGINT', () => undefined); // the terminal sends it to the whole group: the parent decides
  return { ready: (ports) => void process.stdout.write(`${JSON.stringify({ ports })}\n`), others };
}
