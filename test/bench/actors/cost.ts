/** What actors cost: CPU time a segment, and memory of quiet and of full ones. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ACTORS_DEFAULTS } from '../../../responder/actors/actors.ts';
import type { Spread } from '../bench.ts';

export interface Quiet {
  readonly clients: number;
  readonly bytes: number;
  readonly fixed: number;
  readonly resident: number;
}

export interface Full {
  readonly full: number;
  readonly bytes: number;
}

/** CPU time of an event that was read, and of reading it. */
export interface Speed {
  readonly microseconds: Spread;
  readonly reading: Spread;
}

export interface Cost extends Speed {
  /** Runs, by what they held. */
  readonly quiet: readonly Quiet[];
  /** With everything at its most, and as ordinary days leave them. */
  readonly full: Full;
  readonly usual: Full;
}

const QUIET_RUNS = 5;

export function measureCost(samples: number): Cost {
  return {
    ...child<Speed>('./speed-child.ts', `${samples}`),
    quiet: Array.from({ length: QUIET_RUNS }, () => memory<Quiet>('quiet', 1_000_000)).sort(
      (a, b) => a.bytes - b.bytes,
    ),
    full: memory('full', ACTORS_DEFAULTS.maxFull),
    usual: memory('usual', 20_000),
  };
}

/** In a process of its own, as the owner of the actors has one: what ran before in the same one is measured too otherwise. */
const child = <T>(file: string, ...args: string[]): T =>
  JSON.parse(
    execFileSync(process.execPath, ['--expose-gc', fileURLToPath(new URL(file, import.meta.url)), ...args], {
      maxBuffer: 1e6,
      stdio: ['ignore', 'pipe', 'inherit'],
    }).toString(),
  ) as T;

const memory = <T>(what: string, count: number): T => child('./memory-child.ts', what, `${count}`);
