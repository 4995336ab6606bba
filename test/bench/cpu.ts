/** CPU time and memory of another process, all of its threads, from Linux' /proc. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** USER_HZ: what /proc counts in, the same on every Linux that Node runs on. */
const TICKS = 100;

/** Why it cannot be measured here; undefined when it can. */
export const noCpuTime: string | undefined =
  process.platform === 'linux' ? undefined : 'CPU time of other processes is read from /proc, which is Linux alone';

/** User and system seconds since the process began. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

export function residentBytesOf(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return found === null ? 0 : Number(found[1]) * 1024;
}

/** Resolves when the process has used less than `share` of a core in each of three steps of `stepMs`. */
export async function quiet(pid: number, share = 0.04, stepMs = 500): Promise<void> {
  let before = cpuSecondsOf(pid);
  for (let calm = 0; calm < 3; ) {
    await pause(stepMs);
    const now = cpuSecondsOf(pid);
    calm = (now - before) * 1000 <= share * stepMs + 1000 / TICKS ? calm + 1 : 0;
    before = now;
  }
}
