/** From a merged timing partial to the keys of a version: influence bounded, tails pooled, back-off keys summed up. */
import type { BaselineEntry, CompileOptions, LearningProfile, Maturity } from '../model.ts';
import { holdBack, type Usual } from './drift.ts';
import { type FeatureForm, featureForm, poolTails } from './feature.ts';
import type { TimingPartial } from './partial.ts';
import { boundInfluence, createSketch, mergeSketch, type Sketch } from './sketch.ts';

/** What a key stands for: a label under a parent, a label anywhere, a kind of span of a service; whole requests of a family. */
export type KeyLevel = 'exact' | 'label' | 'kind' | 'family';

/** One key of a version, as its entry holds it. */
export interface TimingKeyForm {
  readonly level: KeyLevel;
  /** Label texts; '' for none. On level kind the service is in `label`. */
  readonly parent: string;
  readonly label: string;
  readonly outcome: number;
  readonly kind: number;
  readonly state: Maturity;
  readonly maxChildren: number;
  /** Of level family: its number. */
  readonly family?: number;
  /** What its medians are held against; not of keys that are only observed. */
  readonly usual?: Usual;
  /** Level family has none. */
  readonly self?: FeatureForm;
  /** Of spans with children; theirs differs from the self time. */
  readonly total?: FeatureForm;
  /** Asynchronous lag. */
  readonly lag?: FeatureForm;
}

interface Collected {
  level: KeyLevel;
  parent: string;
  label: string;
  outcome: number;
  kind: number;
  buckets: Set<number>;
  maxChildren: number;
  family: number;
  self: Sketch;
  total: Sketch;
  lag: Sketch;
}

export function compileTiming(partial: TimingPartial, options: CompileOptions): TimingKeyForm[] {
  const { profile, symbols } = options;
  const collected = new Map<string, Collected>();
  const add = (
    level: KeyLevel,
    parent: string,
    label: string,
    outcome: number,
    kind: number,
    key: TimingPartial['keys'][number],
  ): void => {
    const id = JSON.stringify([level, parent, label, outcome, kind]);
    let target = collected.get(id);
    if (target === undefined) {
      target = {
        level,
        parent,
        label,
        outcome,
        kind,
        buckets: new Set(),
        maxChildren: 0,
        family: 0,
        self: createSketch(),
        total: createSketch(),
        lag: createSketch(),
      };
      collected.set(id, target);
    }
    mergeSketch(target.self, key.self);
    mergeSketch(target.total, key.total);
    if (key.lag !== undefined) mergeSketch(target.lag, key.lag);
    for (const bucket of key.buckets) target.buckets.add(bucket);
    target.maxChildren = Math.max(target.maxChildren, key.maxChildren);
  };
  for (const key of partial.keys) {
    const label = partial.labels[key.label]!;
    const { service, kind } = symbols.labelOf(symbols.labelFromText(label));
    add('exact', partial.labels[key.parent]!, label, key.outcome, 0, key);
    add('label', '', label, key.outcome, 0, key);
    add('kind', '', symbols.text(service), key.outcome, kind, key);
  }
  // in one order, whatever order they were met in: sums of fractions depend on it
  const keys = [...collected].sort((a, b) => compare(a[0], b[0])).map(([, key]) => key);
  for (const one of partial.families.values()) {
    const total = createSketch();
    mergeSketch(total, one.total);
    keys.push({
      level: 'family',
      parent: '',
      label: partial.labels[one.label]!,
      outcome: one.outcome,
      kind: 0,
      buckets: new Set(one.buckets),
      maxChildren: 0,
      family: one.family,
      self: createSketch(),
      total,
      lag: createSketch(),
    });
  }
  for (const { self, total, lag } of keys) {
    for (const sketch of [self, total, lag]) boundInfluence(sketch, profile.influenceShare, profile.influenceFree);
  }
  const exact = keys.filter((key) => key.level === 'exact');
  const pooled = poolTails(exact.flatMap((key) => [key.self, key.total]));
  const feature = (name: 'self' | 'total' | 'lag', sketch: Sketch): { [N in typeof name]?: FeatureForm } =>
    sketch.n === 0 ? {} : { [name]: featureForm(sketch, pooled) };
  const forms = keys
    // of families those that answer for nothing are only ballast: each rare request would be one
    .filter((key) => key.level !== 'family' || maturityOf(key.total.n, key.buckets.size, profile) !== 'observe')
    .map(
      (key): TimingKeyForm => ({
        level: key.level,
        parent: key.parent,
        label: key.label,
        outcome: key.outcome,
        kind: key.kind,
        state: maturityOf(Math.max(key.self.n, key.total.n), key.buckets.size, profile),
        maxChildren: key.maxChildren,
        ...(key.level === 'family' ? { family: key.family } : {}),
        ...feature('self', key.self),
        ...feature('total', key.total),
        ...feature('lag', key.lag),
      }),
    )
    .sort((a, b) => compare(keyName(a), keyName(b)));
  return holdBack(forms, options);
}

export function maturityOf(count: number, buckets: number, profile: LearningProfile): Maturity {
  if (count < profile.observeBelow || buckets < profile.observeBuckets) return 'observe';
  return count < profile.activeFrom ? 'learning' : 'active';
}

const OUTCOMES = ['unknown', 'ok', 'client error', 'error'] as const;
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** For people and as the entry's key: `GET /cart → postgresql SELECT cart · ok`. */
export function keyName(key: TimingKeyForm): string {
  const outcome = OUTCOMES[key.outcome] ?? 'unknown';
  if (key.level === 'kind') return `any of ${key.label} kind ${key.kind} · ${outcome}`;
  if (key.level === 'family') return `${key.label} end to end ${(key.family ?? 0).toString(16)} · ${outcome}`;
  return key.level === 'label' ? `${key.label} · ${outcome}` : `${key.parent} → ${key.label} · ${outcome}`;
}

export const keyEntry = (key: TimingKeyForm): BaselineEntry => ({
  group: 'timing',
  kind: 'histogram',
  key: keyName(key),
  value: JSON.stringify(key),
});
