/** From a merged timing partial to the keys of a version: influence bounded, tails pooled, back-off keys summed up. */
import type { BaselineEntry, CompileOptions, LearningProfile, Maturity } from '../model.ts';
import { type FeatureForm, featureForm, poolTails } from './feature.ts';
import type { TimingPartial } from './partial.ts';
import { boundInfluence, createSketch, mergeSketch, type Sketch } from './sketch.ts';

/** What a key stands for: a label under a parent, a label anywhere, or a kind of span of a service. */
export type KeyLevel = 'exact' | 'label' | 'kind';

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
  readonly self: FeatureForm;
  /** Of spans with children; theirs differs from the self time. */
  readonly total: FeatureForm;
}

interface Collected {
  level: KeyLevel;
  parent: string;
  label: string;
  outcome: number;
  kind: number;
  buckets: Set<number>;
  maxChildren: number;
  self: Sketch;
  total: Sketch;
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
        self: createSketch(),
        total: createSketch(),
      };
      collected.set(id, target);
    }
    mergeSketch(target.self, key.self);
    mergeSketch(target.total, key.total);
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
  const keys = [...collected.values()];
  for (const key of keys) {
    boundInfluence(key.self, profile.influenceShare, profile.influenceFree);
    boundInfluence(key.total, profile.influenceShare, profile.influenceFree);
  }
  const exact = keys.filter((key) => key.level === 'exact');
  const pooled = poolTails(exact.flatMap((key) => [key.self, key.total]));
  return keys
    .map(
      (key): TimingKeyForm => ({
        level: key.level,
        parent: key.parent,
        label: key.label,
        outcome: key.outcome,
        kind: key.kind,
        state: maturityOf(key.self.n, key.buckets.size, profile),
        maxChildren: key.maxChildren,
        self: featureForm(key.self, pooled),
        total: featureForm(key.total, pooled),
      }),
    )
    .sort((a, b) => compare(keyName(a), keyName(b)));
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
  return key.level === 'label' ? `${key.label} · ${outcome}` : `${key.parent} → ${key.label} · ${outcome}`;
}

export const keyEntry = (key: TimingKeyForm): BaselineEntry => ({
  group: 'timing',
  kind: 'histogram',
  key: keyName(key),
  value: JSON.stringify(key),
});
