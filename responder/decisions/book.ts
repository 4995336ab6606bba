/** The decisions there are: those in force, and for a while those that were, with how many were made within the hour. Pure. */
import { createHash } from 'node:crypto';
import type { Decision } from '../../schemas/alerts/decision.ts';
import { createDueQueue } from './due.ts';

/** What makes a decision the same one: an incident decides once about one subject and target, until it is over. */
export interface DecisionKey {
  readonly incidentId: string;
  readonly scope: Decision['scope'];
  readonly value: string;
  readonly target: Decision['target'];
  readonly operations: readonly string[];
}

export interface Book {
  /** The newest occurrence under this key. */
  newest(key: DecisionKey): Decision | undefined;
  /** Another incident's, in force, about the same. */
  standing(key: DecisionKey): Decision | undefined;
  /** Whether one about the same ended by itself, whichever incident made it. */
  hasExpired(key: DecisionKey): boolean;
  put(decision: Decision): void;
  /** A row of an earlier run; false where this book knows it or something newer under its key. */
  adopt(row: Decision): boolean;
  inForce(): readonly Decision[];
  all(): readonly Decision[];
  /** In force, the first to end. */
  nextDue(): Decision | undefined;
  /** Made within the hour before. */
  madeSince(nowMs: number): number;
  countMade(atMs: number): void;
  id(key: DecisionKey, occurrence: number, atMs: number): string;
  number(id: string): number;
  occurrenceOf(key: DecisionKey): number;
  forget(nowMs: number): void;
  snapshot(): BookSnapshot;
}

export interface BookSnapshot {
  readonly decisions: readonly (readonly [key: string, occurrence: number, Decision])[];
  readonly made: readonly number[];
  /** Absent in snapshots of before. */
  readonly expired?: readonly (readonly [string, number])[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Ended ones are remembered so long, as closed incidents are. */
const KEPT_MS = 7 * DAY_MS;
const MOST_ENDED = 10_000;
/** Refused ones are forgotten first: whoever makes many addresses must not push out what keeps a decision from being made again. */
const MOST_REFUSED = 2_000;
/** Which occurrence a row of an earlier run is, its id tells; looked for so far. */
const MOST_OCCURRENCES = 64;

export const isInForce = ({ state }: Decision): boolean => state === 'simulated' || state === 'enforced';

const textOf = ({ incidentId, scope, value, target, operations }: DecisionKey): string =>
  JSON.stringify([incidentId, scope, value, target, operations]);
const subjectOf = ({ scope, value, target, operations }: DecisionKey): string =>
  JSON.stringify([scope, value, target, operations]);

interface Entry {
  readonly occurrence: number;
  readonly decision: Decision;
}

export function createBook(snapshot?: BookSnapshot): Book {
  const entries = new Map<string, Entry>();
  /** In force by subject: at most one, whichever incident made it. */
  const standing = new Map<string, Decision>();
  /** When the last one ended by itself, by subject. */
  const expired = new Map<string, number>(snapshot?.expired);
  const numbers = new Set<number>();
  /** Keys of those not in force, the newest last. */
  const over = { refused: new Set<string>(), ended: new Set<string>() };
  const due = createDueQueue<string>(({ rank, what }) => standing.get(what)?.id === rank);
  const made: number[] = [...(snapshot?.made ?? [])];

  function remove(key: string): void {
    entries.delete(key);
    over.refused.delete(key);
    over.ended.delete(key);
  }

  function put(decision: Decision, occurrence: number): void {
    const key = textOf(decision);
    remove(key); // the newest last
    entries.set(key, { occurrence, decision });
    const subject = subjectOf(decision);
    if (isInForce(decision)) {
      standing.set(subject, decision);
      numbers.add(decision.number);
      due.add({ dueMs: decision.expiresMs, rank: decision.id, what: subject });
      return;
    }
    const [kind, most] = decision.state === 'refused' ? [over.refused, MOST_REFUSED] : [over.ended, MOST_ENDED];
    kind.add(key);
    if (kind.size > most) remove(kind.values().next().value!);
    if (decision.state === 'expired') {
      expired.delete(subject);
      expired.set(subject, decision.expiresMs);
      if (expired.size > MOST_ENDED) expired.delete(expired.keys().next().value!);
    }
    if (standing.get(subject)?.id === decision.id) {
      standing.delete(subject);
      numbers.delete(decision.number);
    }
  }
  for (const [, occurrence, decision] of snapshot?.decisions ?? []) put(decision, occurrence);

  // with the day: what is made again after it was forgotten is another one, whose first row counts
  const idOf = (key: DecisionKey, occurrence: number, atMs: number): string =>
    createHash('sha256')
      .update(`${textOf(key)} ${occurrence} ${Math.floor(atMs / DAY_MS)}`)
      .digest('hex')
      .slice(0, 16);

  return {
    newest: (key) => entries.get(textOf(key))?.decision,
    standing: (key) => standing.get(subjectOf(key)),
    hasExpired: (key) => expired.has(subjectOf(key)),
    put(decision) {
      const known = entries.get(textOf(decision));
      const same = known?.decision.id === decision.id;
      put(decision, same ? known.occurrence : (known?.occurrence ?? 0) + 1);
    },
    adopt(row) {
      const known = entries.get(textOf(row));
      if (known !== undefined && (known.decision.id === row.id || isInForce(known.decision))) return false;
      const before = known?.occurrence ?? 0;
      for (let n = 1; n <= MOST_OCCURRENCES; n++)
        if (idOf(row, n, row.createdMs) === row.id) {
          if (n > before) put(row, n);
          return n > before;
        }
      put(row, before + 1); // named otherwise by another version of ours
      return true;
    },
    inForce: () => [...standing.values()],
    all: () => [...entries.values()].map(({ decision }) => decision),
    nextDue() {
      const first = due.first();
      return first === undefined ? undefined : standing.get(first.what);
    },
    madeSince(nowMs) {
      while (made.length > 0 && made[0]! <= nowMs - HOUR_MS) made.shift();
      return made.length;
    },
    countMade: (atMs) => void made.push(atMs),
    id: idOf,
    number(id) {
      // 31 bits of the id; the next free one where two meet
      let number = Number.parseInt(id.slice(0, 8), 16) & 0x7fffffff || 1;
      while (numbers.has(number)) number = number === 0x7fffffff ? 1 : number + 1;
      return number;
    },
    occurrenceOf: (key) => entries.get(textOf(key))?.occurrence ?? 0,
    forget(nowMs) {
      for (const [subject, endedMs] of expired) if (endedMs < nowMs - KEPT_MS) expired.delete(subject);
      for (const [key, { decision }] of entries) {
        if (isInForce(decision)) continue;
        const endedMs = Math.max(decision.undoneMs, Math.min(decision.expiresMs, nowMs));
        if (endedMs < nowMs - KEPT_MS) remove(key);
      }
    },
    snapshot: () => ({
      decisions: [...entries].map(([key, { occurrence, decision }]) => [key, occurrence, decision] as const),
      made: [...made],
      expired: [...expired],
    }),
  };
}
