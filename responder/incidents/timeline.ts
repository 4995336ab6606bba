/** What happened in an incident, in the order of evidence times. Bounded: of more the middle is left out, the first and last stay. */
import type { TimelineEntry } from '../../schemas/alerts/incident.ts';
import { cut, hashOf } from './text.ts';

export interface Timeline {
  readonly entries: readonly TimelineEntry[];
  /** Beside each a hash of the verdict or actor it tells of: an amendment may change it, a withdrawal takes it back. 0 = nothing does. */
  readonly keys: readonly number[];
}

export const NO_TIMELINE: Timeline = { entries: [], keys: [] };

/** An entry on its way in. */
export interface NewEntry extends TimelineEntry {
  readonly key: number;
}

/** Characters of a text: it may come from telemetry. */
const MAX_TEXT = 160;
/** What there may be many of. */
const ROUTINE: ReadonlySet<TimelineEntry['what']> = new Set(['finding', 'client']);

export const entryOf = (
  what: TimelineEntry['what'],
  atMs: number,
  text: string,
  of: { readonly traceId?: string; readonly client?: string | null; readonly key?: string } = {},
): NewEntry => ({
  atMs,
  what,
  text: cut(text, MAX_TEXT),
  traceId: of.traceId ?? '',
  client: of.client ?? '',
  key: of.key === undefined ? 0 : hashOf(of.key),
});

export function withEntry({ entries, keys }: Timeline, { key, ...entry }: NewEntry, most: number): Timeline {
  let at = entries.length;
  while (at > 0 && entries[at - 1]!.atMs > entry.atMs) at--;
  const all = { entries: entries.toSpliced(at, 0, entry), keys: keys.toSpliced(at, 0, key) };
  while (all.entries.length > most) {
    const left = leastTelling(all.entries);
    all.entries.splice(left, 1);
    all.keys.splice(left, 1);
  }
  return all;
}

/** The one nearest to the middle, of those there may be many of, before others. */
function leastTelling(entries: readonly TimelineEntry[]): number {
  const middle = entries.length >> 1;
  for (let off = 0; off < middle - 1; off++) {
    for (const at of [middle + off, middle - off]) {
      if (at > 0 && at < entries.length - 1 && ROUTINE.has(entries[at]!.what)) return at;
    }
  }
  return middle;
}

/** Without what is told `of` a verdict or actor; of `what` alone where that is given. */
export function withoutKey(timeline: Timeline, of: string, what?: TimelineEntry['what']): Timeline {
  const { entries, keys } = timeline;
  const key = hashOf(of);
  if (!keys.includes(key)) return timeline;
  const stays = (i: number): boolean => keys[i] !== key || (what !== undefined && entries[i]!.what !== what);
  return { entries: entries.filter((_, i) => stays(i)), keys: keys.filter((_, i) => stays(i)) };
}

/** A verdict told again may name the client by now. */
export function withClient(timeline: Timeline, of: string, client: string): Timeline {
  const { entries, keys } = timeline;
  const key = hashOf(of);
  return entries.some((entry, i) => keys[i] === key && entry.client !== client)
    ? { entries: entries.map((entry, i) => (keys[i] === key ? { ...entry, client } : entry)), keys }
    : timeline;
}

/** Two of them in one. */
export function joinedTimelines(timeline: Timeline, { entries, keys }: Timeline, most: number): Timeline {
  return entries.reduce((all, entry, i) => withEntry(all, { ...entry, key: keys[i]! }, most), timeline);
}
