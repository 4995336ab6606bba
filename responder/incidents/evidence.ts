/**
 * Requests that show an incident, chosen to differ: by kind of finding, deviating operation, entry operation and client. Which of
 * equal ones are kept is decided by a hash of their ids, so that they are spread over the incident's time, and the same over replays.
 */
import type { Evidence } from '../../schemas/alerts/incident.ts';
import { hashOf } from './text.ts';

export interface KeptEvidence {
  readonly chosen: readonly Evidence[];
  /** Beside each what it is chosen by. */
  readonly by: readonly ChosenBy[];
}

export const NO_EVIDENCE: KeptEvidence = { chosen: [], by: [] };

export interface ChosenBy {
  /** Kind, deviating operation, client and entry operation, as hashes. */
  readonly features: Features;
  /** Stages it speaks for, a bit each. */
  readonly stages: number;
  /** Of equal ones the smaller stays. */
  readonly priority: number;
}

type Features = readonly [kind: number, operation: number, client: number, entry: number];

export const featuresOf = ({ kind, service, operation, client }: Evidence, entry: string): Features => [
  hashOf(kind),
  hashOf(service, operation),
  hashOf(client),
  hashOf(entry),
];

/** From this many clients on, another one alone is no reason to look. */
const ENOUGH_CLIENTS = 10;

/** What two share: of four things, and much more when it is all of them. */
function shared(a: Features, b: Features): number {
  const count = Number(a[0] === b[0]) + Number(a[1] === b[1]) + Number(a[2] === b[2]) + Number(a[3] === b[3]);
  return count === 4 ? 32 : count;
}

/** With one more; of more than `most` the one goes that the others say as well. The first request of all stays. */
export function withEvidence(kept: KeptEvidence, one: Evidence, of: ChosenBy, most: number): KeptEvidence {
  const known = placeOf(kept, one);
  if (known >= 0) return { chosen: kept.chosen.with(known, one), by: kept.by.with(known, of) };
  if (kept.chosen.length >= most && !isWorthALook(kept, of)) return kept;
  const all = { chosen: [...kept.chosen, one], by: [...kept.by, of] };
  if (all.chosen.length <= most) return all;
  const goes = leastSaying(all);
  return goes === kept.chosen.length ? kept : withoutAt(all, goes);
}

export const placeOf = (
  { chosen }: KeptEvidence,
  { traceId, entrySpanId }: Pick<Evidence, 'traceId' | 'entrySpanId'>,
) => chosen.findIndex((one) => one.traceId === traceId && one.entrySpanId === entrySpanId);

export const withoutAt = ({ chosen, by }: KeptEvidence, at: number): KeptEvidence => ({
  chosen: chosen.toSpliced(at, 1),
  by: by.toSpliced(at, 1),
});

function leastSaying({ by }: KeptEvidence): number {
  let goes = -1;
  let most = -1;
  for (let i = 1; i < by.length; i++) {
    let said = 0;
    for (const { features } of by) said += shared(by[i]!.features, features);
    if (said > most || (said === most && by[i]!.priority > by[goes]!.priority)) {
      goes = i;
      most = said;
    }
  }
  return goes;
}

/** Most requests of a busy incident are like others: told at once. */
function isWorthALook(
  { by }: KeptEvidence,
  { features: [kind, operation, client, entry], priority }: ChosenBy,
): boolean {
  let newKind = true;
  let newOperation = true;
  let newEntry = true;
  let newClient = true;
  let largest = 0;
  for (const { features, priority: of } of by) {
    if (features[0] === kind) newKind = false;
    if (features[1] === operation) newOperation = false;
    if (features[2] === client) newClient = false;
    if (features[3] === entry) newEntry = false;
    if (of > largest) largest = of;
  }
  if (newKind || newOperation || newEntry || priority < largest) return true;
  return newClient && new Set(by.map(({ features }) => features[2])).size < ENOUGH_CLIENTS;
}

export const joinedEvidence = (kept: KeptEvidence, other: KeptEvidence, most: number): KeptEvidence =>
  other.chosen.reduce((all, one, i) => withEvidence(all, one, other.by[i]!, most), kept);
