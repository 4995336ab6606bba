/** `spanwarden run ROLE` as a process of its own, for benches that measure what a role costs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startHeld } from '../kafka/held-process.ts';

/** BENCH_PROFILE=DIR: each role leaves a CPU profile there when it ends (Chrome's DevTools read it). */
const profiles = process.env.BENCH_PROFILE;
const NODE_OPTIONS = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
const DRAIN_MS = 20_000;

export interface RunningRole {
  readonly pid: number;
  /** Of `/metrics` and `/status`. */
  readonly url: string;
  /** A metric of this process summed over its labels; 0 when it is not there. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** The last it said, and its status: for an error. */
  story(): Promise<string>;
  stop(): Promise<void>;
}

/** `config` holds the sections of the configuration file; `httpPort` one that is free. */
export async function startRole(
  role: string,
  httpPort: number,
  config: Readonly<Record<string, object>>,
): Promise<RunningRole> {
  const home = await mkdtemp(join(tmpdir(), 'spanwarden-bench-'));
  const file = join(home, 'config.yaml');
  await writeFile(file, JSON.stringify({ ...config, http: { port: httpPort } }), { mode: 0o600 }); // JSON is YAML
  const held = await startHeld({
    what: `spanwarden run ${role}`,
    command: process.execPath,
    args: [...NODE_OPTIONS, join(import.meta.dirname, '../../cli/spanwarden.ts'), 'run', role, '--config', file],
    removeAlso: home,
  });
  const stop = async (): Promise<void> => {
    if (profiles !== undefined) {
      held.signal('SIGTERM'); // the profile is written at the end of a process that ends by itself
      await Promise.race([held.exited, pause(DRAIN_MS, undefined, { ref: false })]);
    }
    held.signal('SIGKILL');
    await held.exited;
    await rm(home, { recursive: true, force: true });
  };
  try {
    await held.says('"msg":"roles started"', 60_000);
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://127.0.0.1:${httpPort}`;
  return {
    pid: held.pid,
    url,
    async metric(name, labels = {}) {
      const text = await (await fetch(`${url}/metrics`)).text();
      let sum = 0;
      for (const line of text.split('\n')) {
        if (!line.startsWith(`${name} `) && !line.startsWith(`${name}{`)) continue;
        if (Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)))
          sum += Number(line.slice(line.lastIndexOf(' ') + 1));
      }
      return sum;
    },
    async story() {
      const status = await fetch(`${url}/status`).then(
        (response) => response.text(),
        () => 'it does not answer',
      );
      return [status, ...held.lastLines().slice(-10)].join('\n');
    },
    stop,
  };
}
