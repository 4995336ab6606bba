/** Injected faults against incidents: which were found, and whether the earliest incident names the service. */
import type { IncidentLine } from '../../../detector/offline-incidents.ts';

/** A fault that was injected; `traces` 0 = none shows it. */
export interface Fault {
  readonly service: string;
  readonly atMs: number;
  readonly traces: number;
}

export interface FoundFaults {
  readonly withTraces: number;
  readonly found: number;
  readonly named: number;
  readonly false: number;
}

const FOUND_WITHIN_MS = 200_000;
const BEFORE_MS = 30_000;
const AFTER_MS = 500_000;

/** One incident counts for one fault; the earliest, of several the one with most traces; false = near no fault. */
export function faultsFound(faults: readonly Fault[], incidents: readonly IncidentLine[]): FoundFaults {
  const sorted = incidents
    .map(({ start, service, traces }) => ({ atMs: Date.parse(start), service, traces, used: false }))
    .sort((a, b) => a.atMs - b.atMs || b.traces - a.traces);
  let found = 0;
  let named = 0;
  const real = faults.filter(({ traces }) => traces > 0);
  for (const { atMs, service } of real) {
    const hit = sorted.find((one) => !one.used && one.atMs >= atMs && one.atMs <= atMs + FOUND_WITHIN_MS);
    if (hit === undefined) continue;
    hit.used = true;
    found++;
    if (hit.service.startsWith(service)) named++;
  }
  const near = (atMs: number): boolean =>
    faults.some((fault) => atMs >= fault.atMs - BEFORE_MS && atMs <= fault.atMs + AFTER_MS);
  return { withTraces: real.length, found, named, false: sorted.filter(({ atMs }) => !near(atMs)).length };
}
