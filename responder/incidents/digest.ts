/**
 * The digest: what was odd but stayed under the threshold, by day and novelty (DETECTION §6). A verdict counts once, under its
 * leading finding, until it joins an incident or is withdrawn. Bounded: of many novelties the least unusual are left out.
 */
import type { DayDigest, DigestEntry } from '../../schemas/alerts/digest.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import { classOf, noveltyKey } from './explanation.ts';
import { addDistinct } from './state.ts';
import { cut } from './text.ts';

export interface Digest {
  /** Counts the verdict under `lead`, or amends what it counted under `place` before. Returns where it counts now; '' nowhere. */
  note(verdict: Verdict, lead: Finding, place: string, appendMs: number): string;
  /** It is in the digest no more. */
  leave(place: string, appendMs: number): void;
  /** Entries that changed since they were last given. */
  takeChanged(): DigestEntry[];
  /** Ranked: the most unusual first. */
  of(day: string): DayDigest;
  /** Days that were over `afterMs` after midnight and were not given yet. */
  due(nowMs: number, afterMs: number): readonly DayDigest[];
  snapshot(): DigestSnapshot;
}

export interface DigestSnapshot {
  readonly days: readonly (readonly [day: string, entries: readonly DigestEntry[], leftOut: number])[];
  readonly given: string;
}

interface Day {
  readonly entries: Map<string, Mutable<DigestEntry>>;
  leftOut: number;
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const DAY_MS = 86_400_000;
/** Novelties of a day, and days: today and the one that is told of. */
const MAX_ENTRIES = 500;
const MAX_DAYS = 2;
const MAX_CLIENTS = 16;
const MAX_TEXT = 300;
const MAX_KEY = 500;

export function createDigest(snapshot?: DigestSnapshot): Digest {
  const days = new Map<string, Day>(
    snapshot?.days.map(([day, entries, leftOut]) => [
      day,
      { entries: new Map(entries.map((entry) => [keyOf(entry), { ...entry }])), leftOut },
    ]),
  );
  const changed = new Map<string, DigestEntry>();
  /** The last day that was given. */
  let given = snapshot?.given ?? '';

  function dayOf(name: string): Day | undefined {
    const known = days.get(name);
    if (known !== undefined) return known;
    const names = [...days.keys()].sort();
    if (names.length >= MAX_DAYS) {
      if (name < names[0]!) return undefined; // of a day that was told of
      days.delete(names[0]!);
    }
    const day: Day = { entries: new Map(), leftOut: 0 };
    days.set(name, day);
    return day;
  }

  function change(entry: Mutable<DigestEntry>, appendMs: number): void {
    entry.revision = Math.max(entry.revision, appendMs);
    changed.set(`${entry.day} ${keyOf(entry)}`, { ...entry, clients: [...entry.clients] });
  }

  const placed = (place: string): { day: Day; entry: Mutable<DigestEntry> } | undefined => {
    const day = days.get(place.slice(0, 10));
    const entry = day?.entries.get(place.slice(11));
    return day === undefined || entry === undefined ? undefined : { day, entry };
  };

  function leave(place: string, appendMs: number): void {
    const at = placed(place);
    if (at === undefined) return;
    at.entry.count--;
    if (at.entry.count <= 0) at.day.entries.delete(keyOf(at.entry));
    change(at.entry, appendMs);
  }

  /** Room for one more: the least unusual goes; false when that is the new one itself. */
  function makeRoom(day: Day, p: number, appendMs: number): boolean {
    if (day.entries.size < MAX_ENTRIES) return true;
    let least: Mutable<DigestEntry> | undefined;
    for (const entry of day.entries.values()) if (least === undefined || byRank(entry, least) > 0) least = entry;
    day.leftOut++;
    if (least === undefined || least.p <= p) return false;
    day.entries.delete(keyOf(least));
    change(least, appendMs); // its row stays as it was
    return true;
  }

  function note(verdict: Verdict, lead: Finding, place: string, appendMs: number): string {
    const key = novelty(lead);
    const name = dayName(verdict.appendMs);
    const here = `${name} ${key}`;
    const isNew = place !== here;
    if (isNew && place !== '') leave(place, appendMs);
    const day = dayOf(name);
    if (day === undefined) return '';
    let entry = day.entries.get(key);
    if (entry === undefined) {
      if (!isNew || !makeRoom(day, verdict.p, appendMs)) return '';
      entry = newEntry(name, verdict, lead);
      day.entries.set(key, entry);
    }
    if (isNew) entry.count++;
    if (verdict.p < entry.p || entry.count === 1) Object.assign(entry, evidenceOf(verdict, lead));
    entry.severity = Math.max(entry.severity, lead.severity);
    entry.firstMs = Math.min(entry.firstMs, verdict.startMs);
    entry.lastMs = Math.max(entry.lastMs, verdict.endMs);
    const clients = [...entry.clients];
    addDistinct(clients, verdict.client.address, MAX_CLIENTS);
    entry.clients = clients;
    change(entry, appendMs);
    return here;
  }

  const of = (name: string): DayDigest => ({
    day: name,
    entries: [...(days.get(name)?.entries.values() ?? [])].sort(byRank).map((entry) => ({ ...entry })),
    leftOut: days.get(name)?.leftOut ?? 0,
  });

  return {
    note,
    leave,
    takeChanged() {
      const entries = [...changed.values()];
      changed.clear();
      return entries;
    },
    of,
    due(nowMs, afterMs) {
      const last = dayName(nowMs - afterMs - DAY_MS);
      if (given === '') given = last; // what was before the first start is not told
      if (last <= given) return [];
      const found = [...days.keys()].filter((day) => day > given && day <= last).sort();
      given = last;
      return found.map(of).filter(({ entries }) => entries.length > 0);
    },
    snapshot: () => ({ days: [...days].map(([day, d]) => [day, [...d.entries.values()], d.leftOut]), given }),
  };
}

export const dayName = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const novelty = (finding: Finding): string => cut(noveltyKey(finding), MAX_KEY);
const keyOf = ({ kind, explanationKey }: DigestEntry): string => `${kind}|${explanationKey}`;

const byRank = (a: DigestEntry, b: DigestEntry): number =>
  a.p - b.p || b.severity - a.severity || b.count - a.count || (keyOf(a) < keyOf(b) ? -1 : 1);

const evidenceOf = (verdict: Verdict, lead: Finding) => ({
  p: verdict.p,
  expected: cut(lead.expected, MAX_TEXT),
  seen: cut(lead.seen, MAX_TEXT),
  matchText: cut(verdict.match?.text ?? '', MAX_TEXT),
  traceId: verdict.traceId,
});

const newEntry = (day: string, verdict: Verdict, lead: Finding): Mutable<DigestEntry> => ({
  day,
  kind: lead.kind,
  explanationKey: novelty(lead).slice(lead.kind.length + 1),
  revision: 0,
  class: classOf(lead),
  service: lead.service,
  operation: lead.operation,
  count: 0,
  clients: [],
  severity: lead.severity,
  firstMs: verdict.startMs,
  lastMs: verdict.endMs,
  ...evidenceOf(verdict, lead),
});
