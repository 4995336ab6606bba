/**
 * Requests that show an incident, chosen to differ: by kind of finding, deviating operation, entry operation and client. Which of
 * equal ones are kept is decided by a hash of their ids, so that they are spread over the incident's time, and the same over replays.
 */
import type { Evidence } from '../../schemas/alerts/incident.ts';

export interface KeptEvidence {
  readonly chosen: readonly Evidence[];
  /** Beside each what it is chosen by. */
  readonly by: readonly ChosenBy[];
}

export const NO_EVIDENCE: KeptEvidence = { chosen: [], by: [] };

export interface ChosenBy {
  /** Entry operation. */
  readonly entry: string;
  /** Stages it speaks for, a bit each. */
  readonly stages: number;
  /** Of equal ones the smaller stays. */
  readonly priority: number;
}

/** From this many clients on, another one alone is no reason to look. */
const ENOUGH_CLIENTS = 10;

/** What two share: of four things, and much more when it is all of them. */
function shared({ chosen, by }: KeptEvidence, i: number, j: number): number {
  const [a, b] = [chosen[i]!, chosen[j]!];
  const count =
    Number(a.kind === b.kind) +
    Number(a.operation === b.operation && a.service === b.service) +
    Number(a.client === b.client) +
    Number(by[i]!.entry === by[j]!.entry);
  return count === 4 ? 32 : count;
}

/** With one more; of more than `most` the one goes that the others say as well. The first request of all stays. */
export function withEvidence(kept: KeptEvidence, one: Evidence, of: ChosenBy, most: number): KeptEvidence {
  const known = placeOf(kept, one);
  if (known >= 0) return { chosen: kept.chosen.with(known, one), by: kept.by.with(known, of) };
  if (kept.chosen.length >= most && !isWorthALook(kept, one, of)) return kept;
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

function leastSaying(all: KeptEvidence): number {
  let goes = -1;
  let most = -1;
  for (let i = 1; i < all.chosen.length; i++) {
    let said = 0;
    for (let j = 0; j < all.chosen.length; j++) said += shared(all, i, j);
    if (said > most || (said === most && all.by[i]!.priority > all.by[goes]!.priority)) {
      goes = i;
      most = said;
    }
  }
  return goes;
}

/** Most requests of a busy incident are like others: told at once. */
function isWorthALook({ chosen, by }: KeptEvidence, one: Evidence, of: ChosenBy): boolean {
  let newKind = true;
  let newOperation = true;
  let newEntry = true;
  let newClient = true;
  let largest = 0;
  for (let i = 0; i < chosen.length; i++) {
    const other = chosen[i]!;
    if (other.kind === one.kind) newKind = false;
    if (other.operation === one.operation && other.service === one.service) newOperation = false;
    if (other.client === one.client) newClient = false;
    if (by[i]!.entry === of.entry) newEntry = false;
    largest = Math.max(largest, by[i]!.priority);
  }
  if (newKind || newOperation || newEntry || of.priority < largest) return true;
  return newClient && new Set(chosen.map(({ client }) => client)).size < ENOUGH_CLIENTS;
}

export const joinedEvidence = (kept: KeptEvidence, other: KeptEvidence, most: number): KeptEvidence =>
  other.chosen.reduce((all, one, i) => withEvidence(all, one, other.by[i]!, most), kept);
