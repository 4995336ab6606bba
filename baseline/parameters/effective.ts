/**
 * From raw counters to effective counts, once, when a version is published (DETECTION §7): influence cap, at most 3 a client
 * and bucket, diversity admission, Good–Turing over distinct occasions.
 */
import { ParameterSource } from '../../traces/segment.ts';
import type { CompileOptions, Maturity } from '../model.ts';
import {
  boundOf,
  type CountEntry,
  type Counts,
  distinctOf,
  entriesOf,
  KEY_MASK,
  kindOf,
  overflowed,
} from './counts.ts';
import { estimateDistinct } from './distinct.ts';
import { ADMITTED, HINT, Kind, TOP_TEMPLATES } from './features.ts';
import { hiddenName, isNamedOutside } from './hidden-names.ts';
import type { ParameterCounts } from './partial.ts';
import type { KindCounts, ProfileData } from './profile.ts';

/** Of one client in one time bucket at most so many observations count: retries and duplicates break Good–Turing. */
const PER_OCCASION = 3;

/** Kinds of which a value may have several keys: their share is of all values, not of all keys. */
const SETS: readonly number[] = [Kind.character, Kind.bigram, Kind.pattern];

export const maturityOf = (n: number, buckets: number, options: CompileOptions): Maturity => {
  const { observeBelow, observeBuckets, activeFrom } = options.profile;
  if (n < observeBelow || buckets < observeBuckets) return 'observe';
  return n < activeFrom ? 'learning' : 'active';
};

/** Nobody can be told apart in the whole window (a test environment, or one proxy for all): there is no share to cap. */
const isBlind = (options: CompileOptions): boolean => options.clients < options.profile.admitClients;

/** Observations of an entry that count. `whole`: effective observations of the key it belongs to. */
export const effectiveCount = (entry: CountEntry, whole: number, options: CompileOptions): number => {
  if (isBlind(options)) return entry.known + entry.unknown;
  const { influenceShare, influenceFree } = options.profile;
  const each = Math.max(influenceFree, influenceShare * whole);
  const byClient = entry.clients * each;
  const byOccasion = PER_OCCASION * entry.clients * entry.buckets;
  return Math.floor(Math.min(entry.known, byClient, byOccasion)) + entry.unknown;
};

/** Effective observations of a key from its total: with fewer clients than 1/share each is held to the free count. */
export const effectiveTotal = (entry: CountEntry | undefined, options: CompileOptions): number => {
  if (entry === undefined) return 0;
  if (isBlind(options)) return entry.known + entry.unknown;
  const { influenceShare, influenceFree } = options.profile;
  const occasions = PER_OCCASION * entry.clients * entry.buckets;
  const raw = Math.min(entry.known, occasions);
  if (entry.clients * influenceShare >= 1) return Math.floor(raw) + entry.unknown;
  // c clients at a share s of what all give: n = c·s·(n + unknown), or the free count each.
  const shared = (entry.clients * influenceShare * entry.unknown) / (1 - entry.clients * influenceShare);
  return Math.floor(Math.min(raw, Math.max(entry.clients * influenceFree, shared))) + entry.unknown;
};

/** DETECTION §7: enough occurrences in enough buckets from enough clients; twice both where no client is known. */
export const isAdmitted = (entry: CountEntry, options: CompileOptions): boolean => {
  const { admitOccurrences, admitBuckets, admitClients } = options.profile;
  const times = entry.known + entry.unknown;
  if (entry.clients >= admitClients && times >= admitOccurrences && entry.buckets >= admitBuckets) return true;
  // No client can be told apart, in this entry or in the whole window (a test environment has one).
  const blind = entry.clients === 0 || isBlind(options);
  return blind && times >= 2 * admitOccurrences && entry.buckets >= 2 * admitBuckets;
};

/**
 * Of an admitted entry's observations, those without which it would not be admitted. What is not listed in a window weighs
 * as much as what would not be without the observation at hand (Good–Turing, leaving one out): the entries that just failed
 * to be admitted came by chance a little too rarely, and together weigh more than was seen of them.
 */
const borderline = (entry: CountEntry, options: CompileOptions): number => {
  const { admitOccurrences, admitBuckets, admitClients } = options.profile;
  const times = entry.known + entry.unknown;
  const factor = entry.clients >= admitClients ? 1 : 2;
  if (times <= factor * admitOccurrences) return times;
  // Of `times` observations in `buckets` buckets at least so many are alone in theirs.
  const alone = (distinct: number, least: number): number => (distinct > least ? 0 : Math.max(0, 2 * distinct - times));
  return Math.max(alone(entry.buckets, factor * admitBuckets), factor === 2 ? 0 : alone(entry.clients, admitClients));
};

/**
 * Not admitted, but no single client's doing either: a rare branch of ordinary work looks like this. Without any known
 * client nobody can tell, and it stays unseen.
 */
const isPending = (entry: CountEntry, options: CompileOptions): boolean =>
  entry.clients >= 2 && entry.buckets >= 2 && !isAdmitted(entry, options);

/** Seen on a single occasion. */
const isSingle = (entry: CountEntry): boolean => entry.buckets <= 1 && entry.clients <= 1;

/** Good–Turing's number of singletons, one client's share of them capped like everything of one client. */
const singles = (entries: readonly CountEntry[], whole: number, options: CompileOptions): number => {
  const { influenceShare, influenceFree } = options.profile;
  let known = 0;
  let unknown = 0;
  let low = 0;
  let high = 0;
  for (const entry of entries) {
    if (!isSingle(entry)) continue;
    if (entry.clients === 0) {
      unknown++;
      continue;
    }
    known++;
    low |= entry.clientMap[0];
    high |= entry.clientMap[1];
  }
  if (isBlind(options)) return known + unknown;
  const cap = distinctOf(low, high) * Math.max(influenceFree, influenceShare * whole);
  return Math.floor(Math.min(known, cap)) + unknown;
};

/** Effective counts of one kind. `whole`: values the shares of set kinds refer to. */
export const effectiveKind = (
  counts: Counts,
  kind: Kind,
  entries: readonly CountEntry[],
  whole: number,
  options: CompileOptions,
): KindCounts => {
  const guarded = ADMITTED.includes(kind);
  const listed: { key: number; n: number }[] = [];
  let unadmitted = 0;
  let unlisted = 0;
  let sum = 0;
  for (const entry of entries) {
    const n = effectiveCount(entry, whole, options);
    sum += n;
    if (guarded && !isAdmitted(entry, options)) unadmitted += n;
    else {
      listed.push({ key: entry.key, n });
      if (guarded) unlisted += Math.min(n, borderline(entry, options));
    }
  }
  if (kind === Kind.template && listed.length > TOP_TEMPLATES) {
    // Most frequent first; ties by key, so that the cut is the same everywhere.
    listed.sort((a, b) => b.n - a.n || a.key - b.key);
    for (const cut of listed.splice(TOP_TEMPLATES)) unadmitted += cut.n;
    listed.sort((a, b) => a.key - b.key);
  }
  const unseen = singles(entries, whole, options);
  return {
    kind,
    total: SETS.includes(kind) ? Math.max(whole, 1) : sum,
    other: Math.max(unadmitted + unlisted, unseen),
    unseen,
    bound: overflowed(counts, kind) ? boundOf(counts, kind) : 0xffffffff,
    keys: listed.map(({ key }) => key),
    counts: listed.map(({ n }) => n),
  };
};

/** A hint, or a strong hit that diverse evidence shows to be ordinary here. Other strong hits count nowhere. */
const isBenignHit = (entry: CountEntry, options: CompileOptions): boolean => {
  const id = entry.key & KEY_MASK;
  return id !== 0 && (id >= HINT || isAdmitted(entry, options));
};

/** Values with attack patterns are everyday here: four times the evidence that admits anything else. */
const EVERYDAY = 4;

/** Shapes of such values. A few attackers of the learning window must not make theirs normal; editors of pages may. */
const hitKindsOf = (
  parameter: ParameterCounts,
  anyHit: CountEntry | undefined,
  options: CompileOptions,
): KindCounts[] => {
  const { hits } = parameter;
  if (hits === null || anyHit === undefined) return [];
  const { admitOccurrences, admitBuckets, admitClients } = options.profile;
  const profile = {
    ...options.profile,
    admitOccurrences: EVERYDAY * admitOccurrences,
    admitBuckets: EVERYDAY * admitBuckets,
    admitClients: options.clients < admitClients ? admitClients : EVERYDAY * admitClients,
  };
  if (!isAdmitted(anyHit, { ...options, profile })) return [];
  const whole = effectiveCount(anyHit, anyHit.known + anyHit.unknown, options);
  const kinds: KindCounts[] = [];
  for (const [kind, entries] of byKindOf(hits)) {
    kinds.push(effectiveKind(hits, kind as Kind, entries, whole, options));
  }
  return kinds;
};

const byKindOf = (counts: Counts): [number, CountEntry[]][] => {
  const byKind = new Map<number, CountEntry[]>();
  for (const entry of entriesOf(counts)) {
    const kind = kindOf(entry.key);
    const list = byKind.get(kind);
    if (list === undefined) byKind.set(kind, [entry]);
    else list.push(entry);
  }
  return [...byKind].sort(([a], [b]) => a - b);
};

/** `quarantined`: its observations in quarantined segments, which are said beside the others; `seed`: the hashes' key. */
export const effectiveProfile = (
  parameter: ParameterCounts,
  quarantined: number,
  seed: number,
  options: CompileOptions,
): ProfileData => {
  const byKind = new Map(byKindOf(parameter.counts));
  const total = byKind.get(Kind.total)?.[0];
  const n = effectiveTotal(total, options);
  const patterns = byKind.get(Kind.pattern) ?? [];
  const anyHit = patterns.find((entry) => (entry.key & KEY_MASK) === 0);
  const hits = anyHit === undefined ? 0 : anyHit.known + anyHit.unknown;
  const benign = Math.max(0, n - (anyHit === undefined ? 0 : effectiveCount(anyHit, n, options)));
  const kinds: KindCounts[] = [];
  for (const [kind, entries] of byKind) {
    if (kind === Kind.total) continue;
    // More values than an enumeration has: no dictionary, whatever sample of it was kept.
    if (kind === Kind.value && overflowed(parameter.counts, kind)) continue;
    // Rates of pattern hits are of all values, theirs included.
    const whole = kind === Kind.pattern ? n : benign;
    const counted = kind === Kind.pattern ? entries.filter((entry) => isBenignHit(entry, options)) : entries;
    kinds.push(effectiveKind(parameter.counts, kind as Kind, counted, whole, options));
  }
  const pending =
    parameter.source === ParameterSource.statement
      ? (byKind.get(Kind.form) ?? []).filter((entry) => isPending(entry, options)).map(({ key }) => key)
      : [];
  const listed = new Set(kinds.find(({ kind }) => kind === Kind.form)?.keys ?? []);
  for (const key of pending) listed.add(key);
  const hidden = isNamedOutside(parameter.source) && (total === undefined || !isAdmitted(total, options));
  return {
    source: parameter.source,
    name: hidden ? hiddenName(parameter.name, seed) : parameter.name,
    hidden,
    n: benign,
    hits,
    clients: estimateDistinct(parameter.clients),
    buckets: total?.buckets ?? 0,
    quarantined,
    state: maturityOf(n, total?.buckets ?? 0, options),
    kinds,
    hitKinds: hitKindsOf(parameter, anyHit, options),
    texts: [...parameter.texts].filter(([key]) => listed.has(key)).sort(([a], [b]) => a - b),
    pending,
    anyPublic: false,
  };
};
