/**
 * The reference Collector as a process: REFERENCE_COLLECTOR names the directory with `bin/otelcol` (or `otelcol`), as setup.sh
 * builds it. Without it, what is measured beside it says "not measured".
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHeld } from '../../kafka/held-process.ts';

const directory = process.env.REFERENCE_COLLECTOR;
const binary =
  directory === undefined
    ? undefined
    : ['bin/otelcol', 'otelcol'].map((name) => join(directory, name)).find((path) => existsSync(path));

/** Why there is none; undefined when there is one. */
export const noReference: string | undefined =
  binary !== undefined
    ? undefined
    : directory === undefined
      ? 'REFERENCE_COLLECTOR names no directory (test/bench/reference/setup.sh builds one)'
      : 'there is no otelcol in REFERENCE_COLLECTOR';

export interface Reference {
  readonly pid: number;
  /** The last it said: for an error. */
  story(): Promise<string>;
  stop(): Promise<void>;
}

export async function startReference(config: object): Promise<Reference> {
  if (binary === undefined) throw new Error(noReference);
  const home = await mkdtemp(join(tmpdir(), 'spanwarden-reference-'));
  const file = join(home, 'config.yaml');
  await writeFile(file, JSON.stringify(config), { mode: 0o600 }); // JSON is YAML
  const held = await startHeld({
    what: 'the reference Collector',
    command: binary,
    args: ['--config', file],
    removeAlso: home,
  });
  const stop = async (): Promise<void> => {
    held.signal('SIGKILL'); // what it holds is of no use to anybody
    await held.exited;
    await rm(home, { recursive: true, force: true });
  };
  try {
    await held.says('Everything is ready', 60_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: held.pid, story: async () => held.lastLines().slice(-10).join('\n'), stop };
}
