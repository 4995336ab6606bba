/**
 * Storms: more incidents of a class than people can read one by one. The first of a minute are told each by itself; what
 * opens beyond them is gathered for a few seconds into one alert that lists it. Nothing is dropped, nothing waits longer.
 */
import type { IncidentClass } from '../../schemas/alerts/incident.ts';

export interface Storms {
  /** True when the incident is to be told by itself; otherwise it is gathered. */
  opens(incidentClass: IncidentClass, incidentId: string, atMs: number): boolean;
  /** What was gathered long enough: the ids of one alert each, and when it was due. */
  due(nowMs: number): readonly { readonly members: readonly string[]; readonly atMs: number }[];
  snapshot(): StormsSnapshot;
}

export type StormsSnapshot = readonly (readonly [
  IncidentClass,
  /** When the last ones opened. */
  readonly number[],
  readonly string[],
  /** When the first of the gathered ones opened. */
  number,
])[];

interface Storm {
  opened: number[];
  members: string[];
  sinceMs: number;
}

const MINUTE = 60_000;
const GATHER_MS = 10_000;

export function createStorms(perMinute: number, snapshot: StormsSnapshot = []): Storms {
  const classes = new Map<IncidentClass, Storm>(
    snapshot.map(([name, opened, members, sinceMs]) => [name, { opened: [...opened], members: [...members], sinceMs }]),
  );
  return {
    opens(incidentClass, incidentId, atMs) {
      let storm = classes.get(incidentClass);
      if (storm === undefined) {
        storm = { opened: [], members: [], sinceMs: 0 };
        classes.set(incidentClass, storm);
      }
      storm.opened = storm.opened.filter((ms) => ms > atMs - MINUTE).slice(-perMinute);
      storm.opened.push(atMs);
      if (storm.opened.length <= perMinute) return true;
      if (storm.members.length === 0) storm.sinceMs = atMs;
      storm.members.push(incidentId);
      return false;
    },
    due(nowMs) {
      const told: { members: readonly string[]; atMs: number }[] = [];
      for (const storm of classes.values()) {
        if (storm.members.length === 0 || nowMs < storm.sinceMs + GATHER_MS) continue;
        told.push({ members: storm.members, atMs: storm.sinceMs + GATHER_MS });
        storm.members = [];
      }
      return told;
    },
    snapshot: () => [...classes].map(([name, { opened, members, sinceMs }]) => [name, opened, members, sinceMs]),
  };
}
