/**
 * Storms: more incidents of a class than people can read one by one. The first of a minute are told each by itself; what
 * opens beyond them is gathered into one alert that lists it: after ten seconds, then ever more rarely while the storm goes on, at
 * last one a minute. Nothing waits longer; all are counted, and so many listed as people can read.
 */
import type { IncidentClass } from '../../schemas/alerts/incident.ts';

export interface Storms {
  /** True when the incident is to be told by itself; otherwise it is gathered. */
  opens(incidentClass: IncidentClass, incidentId: string, atMs: number): boolean;
  /** What was gathered long enough: the ids that one alert lists, how many there were, and when it was due. */
  due(nowMs: number): readonly { readonly members: readonly string[]; readonly count: number; readonly atMs: number }[];
  snapshot(): StormsSnapshot;
}

export type StormsSnapshot = readonly (readonly [
  IncidentClass,
  /** When the last ones opened. */
  readonly number[],
  readonly string[],
  /** When the first of the gathered ones opened. */
  number,
  /** How many were gathered, alerts of this storm so far, and when the last was told. */
  number?,
  number?,
  number?,
])[];

interface Storm {
  opened: number[];
  members: string[];
  sinceMs: number;
  count: number;
  told: number;
  toldMs: number;
}

const MINUTE = 60_000;
const GATHER_MS = 10_000;
const MOST_GATHER_MS = 60_000;
/** A storm is over when nothing was gathered for so long. */
const OVER_MS = 300_000;
/** Incidents that one storm alert lists. */
const MAX_MEMBERS = 200;

const gatherMs = (told: number): number => Math.min(MOST_GATHER_MS, GATHER_MS * 2 ** Math.min(told, 10));

export function createStorms(perMinute: number, snapshot: StormsSnapshot = []): Storms {
  const classes = new Map<IncidentClass, Storm>(
    snapshot.map(([name, opened, members, sinceMs, count = members.length, told = 0, toldMs = 0]) => [
      name,
      { opened: [...opened], members: [...members], sinceMs, count, told, toldMs },
    ]),
  );
  return {
    opens(incidentClass, incidentId, atMs) {
      let storm = classes.get(incidentClass);
      if (storm === undefined) {
        storm = { opened: [], members: [], sinceMs: 0, count: 0, told: 0, toldMs: 0 };
        classes.set(incidentClass, storm);
      }
      storm.opened = storm.opened.filter((ms) => ms > atMs - MINUTE).slice(-perMinute);
      storm.opened.push(atMs);
      if (storm.opened.length <= perMinute) return true;
      if (storm.count === 0) {
        storm.sinceMs = atMs;
        if (atMs > storm.toldMs + OVER_MS) storm.told = 0;
      }
      storm.count++;
      if (storm.members.length < MAX_MEMBERS) storm.members.push(incidentId);
      return false;
    },
    due(nowMs) {
      const told: { members: readonly string[]; count: number; atMs: number }[] = [];
      for (const storm of classes.values()) {
        const atMs = storm.sinceMs + gatherMs(storm.told);
        if (storm.count === 0 || nowMs < atMs) continue;
        told.push({ members: storm.members, count: storm.count, atMs });
        Object.assign(storm, { members: [], count: 0, told: storm.told + 1, toldMs: atMs });
      }
      return told;
    },
    snapshot: () =>
      [...classes].map(([name, { opened, members, sinceMs, count, told, toldMs }]) => [
        name,
        opened,
        members,
        sinceMs,
        count,
        told,
        toldMs,
      ]),
  };
}
