/** The compiled timing group: scores total and self times, lag and time end to end of a segment (DETECTION §2). */
import type { Finding } from '../../schemas/log/verdict.ts';
import type { Segment, Symbols } from '../../traces/segment.ts';
import {
  type BaselineEntry,
  type CoverageRow,
  type Evidence,
  JudgementStage,
  type Maturity,
  type Model,
  NO_FINDINGS,
} from '../model.ts';
import { binOf, octavesOf } from './bins.ts';
import { alignClocks, createClocks } from './clocks.ts';
import { keyEntry, type TimingKeyForm } from './compile.ts';
import { createFamilyReader } from './family.ts';
import { compileFeatures, FACTS, Fact, type FeatureSource, formOf, inverseOutside } from './feature-tables.ts';
import { createExplainer, MOST_TOLD } from './findings.ts';
import { createKeyTable, findKey, putKey } from './key-table.ts';
import { lagOf } from './lag.ts';
import { familyKey } from './partial.ts';

/** Columns over the nodes of the segment scored last; reused, valid until the next score(). */
export interface TimingNodes {
  count: number;
  /** Timing key the node was held against, −1 where none was mature enough. */
  key: Int32Array;
  /** The same for its total: a family's, for an entry. */
  totalKey: Int32Array;
  /** 1/p of its self time, two-sided, against the key; 0 where it was not judged. */
  selfInverse: Float64Array;
  /** Octaves of its self time over the key's median. */
  selfShift: Float64Array;
  totalInverse: Float64Array;
  totalShift: Float64Array;
  /** Beyond all that was learned: see Beyond. */
  beyond: Uint8Array;
  /** To be added to its start, nanoseconds, for its clock to agree with its caller's. */
  shiftNs: Float64Array;
  /** Self time with the clocks aligned. */
  selfNs: Float64Array;
}

export const Beyond = { selfAbove: 1, totalAbove: 2, selfBelow: 4, totalBelow: 8 } as const;

export interface TimingModel extends Model {
  readonly nodes: TimingNodes;
  /** Observations that key `k` rests on. */
  learned(k: number, feature: 'self' | 'total'): number;
  /** By how much a self time lies above the maximum of key `k`, nanoseconds; 0 when it does not. */
  aboveNs(k: number, ns: number): number;
}

/** One key, its features by their places in the tables; −1 = none. */
export interface CompiledKey {
  readonly form: KeyFacts;
  readonly state: Maturity;
  readonly maxChildren: number;
  readonly self: number;
  readonly total: number;
  readonly lag: number;
}

/** What of a key's form is not in the tables. */
type KeyFacts = Omit<TimingKeyForm, 'self' | 'total' | 'lag'>;

/** A node's feature is listed when its p, times the features of the segment, is below this. */
const TELL_BELOW = 0.01;
/** The hard candidate of DETECTION §6. */
const CANDIDATE_RATIO = 8;
const CANDIDATE_NS = 1e9;
/** Octaves outside the learned range at which a node counts as wholly unlike. */
const OCTAVES_UNLIKE = 4;

export function createTimingModel(forms: readonly TimingKeyForm[], symbols: Symbols): TimingModel {
  const { keys, tables } = compileKeys(forms);
  const { facts, inverse: inverses } = tables;
  const exact = createKeyTable(keys.length);
  /** label · 4 + outcome → key index + 1. */
  let byLabel = new Int32Array(4 * (symbols.labelCount + 1));
  const byKind = new Map<number, number>();
  const byFamily = new Map<number, number>();
  for (const [index, { form, state }] of keys.entries()) {
    if (state === 'observe') continue;
    if (form.level === 'kind') byKind.set(kindKey(symbols.intern(form.label), form.kind, form.outcome), index);
    else if (form.level === 'family') byFamily.set(familyKey(form.family!, form.outcome), index);
    else {
      const label = symbols.labelFromText(form.label) * 4 + form.outcome;
      if (form.level === 'exact') {
        putKey(exact, form.parent === '' ? 0 : symbols.labelFromText(form.parent), label, index);
      } else {
        if (label >= byLabel.length) byLabel = widened(byLabel, label);
        byLabel[label] = index + 1;
      }
    }
  }
  const nodes = createNodes(256);
  const clocks = createClocks();
  const families = createFamilyReader();
  const told = new Int32Array(64);
  const explain = createExplainer(keys, tables, nodes, isCandidate);
  let severity = 0;
  /** Of the segment scored last. */
  let listed: readonly Finding[] = NO_FINDINGS;

  function score(segment: Segment, stage: JudgementStage, out: Evidence): void {
    const { parent, label, outcome, durationNs, childCount, spanCount } = segment;
    if (nodes.key.length < spanCount) Object.assign(nodes, createNodes(2 * spanCount));
    alignClocks(clocks, segment);
    const { selfNs } = clocks;
    nodes.selfNs = selfNs;
    nodes.shiftNs = clocks.shiftNs;
    const { key: nodeKey, totalKey, selfInverse, selfShift, totalInverse, totalShift, beyond } = nodes;
    nodes.count = spanCount;
    const absence = stage === JudgementStage.absence;
    let sum = 0;
    let features = 0;
    let unknown = 0;
    let unlike = 0;
    let weights = 0;
    let toldCount = 0;
    severity = 0;
    const tellFrom = (2 * spanCount) / TELL_BELOW;

    for (let i = 0; i < spanCount; i++) {
      const up = parent[i]!;
      const labelKey = label[i]! * 4 + outcome[i]!;
      let k = findKey(exact, up < 0 ? 0 : label[up]!, labelKey);
      if (k < 0) {
        k = labelKey < byLabel.length ? byLabel[labelKey]! - 1 : -1;
        if (k < 0) {
          unknown++;
          k = byKind.get(kindKey(segment.service[i]!, segment.kind[i]!, outcome[i]!)) ?? -1;
        }
      }
      nodeKey[i] = k;
      totalKey[i] = k;
      selfInverse[i] = 0;
      totalInverse[i] = 0;
      beyond[i] = 0;
      if (k < 0) continue;
      const key = keys[k]!;
      const f = key.self;
      const ns = selfNs[i]!;
      let tell = false;

      // Until the absence grace is over, missing children make a self time longer: only leaves have one yet.
      if (ns >= 0 && f >= 0 && (absence || key.maxChildren === 0)) {
        const at = f * FACTS;
        const octaves = octavesOf(ns);
        const inverse = inverseOf(f, ns, octaves);
        if (ns > facts[at + Fact.max]!) beyond[i] = Beyond.selfAbove;
        else if (octaves < facts[at + Fact.minOctaves]!) beyond[i] = Beyond.selfBelow;
        selfInverse[i] = inverse;
        selfShift[i] = octaves - facts[at + Fact.median]!;
        sum += inverse;
        features++;
        if (inverse > tellFrom || isCandidate(key, i, ns)) tell = true;
        const weight = ns + facts[at + Fact.medianNs]!;
        const low = facts[at + Fact.q005]!;
        const high = facts[at + Fact.q995]!;
        const outside = octaves < low ? low - octaves : octaves > high ? octaves - high : 0;
        weights += weight;
        if (outside > 0) unlike += weight * (outside < OCTAVES_UNLIKE ? outside / OCTAVES_UNLIKE : 1);
      }
      const duration = durationNs[i]!;
      if (childCount[i]! > 0 && duration >= 0) {
        let t = key.total;
        if (i === 0 && byFamily.size > 0 && absence) {
          const family = byFamily.get(familyKey(families.read(segment), outcome[0]!));
          if (family !== undefined) {
            totalKey[0] = family;
            t = keys[family]!.total;
          }
        }
        if (t >= 0) {
          const octaves = octavesOf(duration);
          const inverse = inverseOf(t, duration, octaves);
          if (duration > facts[t * FACTS + Fact.max]!) beyond[i] = beyond[i]! | Beyond.totalAbove;
          else if (octaves < facts[t * FACTS + Fact.minOctaves]!) beyond[i] = beyond[i]! | Beyond.totalBelow;
          totalInverse[i] = inverse;
          totalShift[i] = octaves - facts[t * FACTS + Fact.median]!;
          sum += inverse;
          features++;
          if (inverse > tellFrom) tell = true;
        }
      }
      if (key.lag >= 0) {
        const lag = lagOf(segment, i);
        if (lag >= 0) {
          // two clocks: never more than the sample bears out, and no severity
          const inverse = Math.min(
            facts[key.lag * FACTS + Fact.n]! + 1,
            inverseOf(key.lag, lag, octavesOf(lag), false),
          );
          sum += inverse;
          features++;
        }
      }
      if (tell && toldCount < told.length) told[toldCount++] = i;
    }
    out.surprise = features === 0 ? 0 : Math.max(0, Math.log10(sum / features));
    out.severity = severity;
    out.similarity = weights === 0 ? 1 : 1 - unlike / weights;
    out.observed = spanCount === 0 ? 0 : unknown / spanCount;
    out.findings = toldCount === 0 ? NO_FINDINGS : explain(segment, told.subarray(0, toldCount));
    listed = out.findings;
  }

  /** All that score() would tell, but for what it listed. */
  function unlisted(segment: Segment): readonly Finding[] {
    if (listed.length < MOST_TOLD) return NO_FINDINGS;
    const tellFrom = (2 * nodes.count) / TELL_BELOW;
    const odd: number[] = [];
    for (let i = 0; i < nodes.count; i++) {
      const self = nodes.selfInverse[i]!;
      if (self > tellFrom || nodes.totalInverse[i]! > tellFrom) odd.push(i);
      else if (self > 0 && isCandidate(keys[nodes.key[i]!]!, i, nodes.selfNs[i]!)) odd.push(i);
    }
    const spans = new Set(listed.map(({ spanId }) => spanId));
    return explain(segment, odd, Number.POSITIVE_INFINITY).filter(({ spanId }) => !spans.has(spanId));
  }

  /** 1/p of a duration under feature `f`; raises the segment's severity by what lies outside. */
  function inverseOf(f: number, ns: number, octaves: number, severe = true): number {
    const at = f * FACTS;
    const bin = binOf(octaves);
    const place = bin - facts[at + Fact.low]!;
    if (bin < facts[at + Fact.exactFrom]! && place >= 0) {
      const inverse = inverses[facts[at + Fact.binsAt]! + place]!;
      return Math.min(inverse, facts[at + Fact.claim]!);
    }
    if (severe) {
      const far = Math.max(octaves - facts[at + Fact.maxOctaves]!, facts[at + Fact.minOctaves]! - octaves);
      if (far > severity) severity = far;
    }
    return inverseOutside(tables, f, ns, octaves);
  }

  /** One node of an active key whose self time is ≥ 8 × its key's maximum and ≥ 1 s above it (DETECTION §6). */
  function isCandidate(key: CompiledKey, i: number, ns: number): boolean {
    if ((nodes.beyond[i]! & Beyond.selfAbove) === 0 || key.state !== 'active') return false;
    const max = facts[key.self * FACTS + Fact.max]!;
    return ns >= CANDIDATE_RATIO * max && ns >= max + CANDIDATE_NS;
  }

  function learned(k: number, feature: 'self' | 'total'): number {
    const f = keys[k]![feature];
    return f < 0 ? 0 : facts[f * FACTS]!;
  }

  function* coverage(): Iterable<CoverageRow> {
    for (const { form, state, self } of keys) {
      if (form.level !== 'label') continue;
      const { service, operation } = symbols.labelOf(symbols.labelFromText(form.label));
      yield {
        group: 'timing',
        service: symbols.text(service),
        operation: symbols.text(operation),
        state,
        count: self < 0 ? 0 : facts[self * FACTS]!,
      };
    }
  }

  function* entries(): Iterable<BaselineEntry> {
    for (const { form, self, total, lag } of keys) {
      yield keyEntry({
        ...form,
        ...(self < 0 ? {} : { self: formOf(tables, self) }),
        ...(total < 0 ? {} : { total: formOf(tables, total) }),
        ...(lag < 0 ? {} : { lag: formOf(tables, lag) }),
      });
    }
  }

  const aboveNs = (k: number, ns: number): number => Math.max(0, ns - facts[keys[k]!.self * FACTS + Fact.max]!);

  return { score, unlisted, entries, coverage, nodes, learned, aboveNs };
}

/** Keys and the tables of their features; equal features are held once, texts too. */
function compileKeys(forms: readonly TimingKeyForm[]) {
  const sources: FeatureSource[] = [];
  const place = (form: TimingKeyForm['self'], active: boolean): number => {
    if (form === undefined || form.n === 0) return -1;
    sources.push({ form, active });
    return sources.length - 1;
  };
  const texts = new Map<string, string>();
  const once = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  const compiled = (whole: TimingKeyForm): CompiledKey => {
    const { self, total, lag, ...form } = whole;
    const active = whole.state === 'active';
    return {
      form: { ...form, parent: once(form.parent), label: once(form.label) },
      state: whole.state,
      maxChildren: whole.maxChildren,
      self: place(self, active),
      total: place(total, active && (whole.level === 'family' || (total?.n ?? 0) >= (self?.n ?? 0) / 10)),
      lag: place(lag, active),
    };
  };
  const keys: CompiledKey[] = new Array(forms.length);
  /** A label's only key under any parent: index, −1 when it has several. */
  const alone = new Map<string, number>();
  const labelOf = ({ label, outcome }: TimingKeyForm): string => `${label} ${outcome}`;
  for (const [i, form] of forms.entries()) {
    if (form.level !== 'exact') continue;
    keys[i] = compiled(form);
    alone.set(labelOf(form), alone.has(labelOf(form)) ? -1 : i);
  }
  for (const [i, form] of forms.entries()) {
    if (form.level === 'exact') continue;
    const only = form.level === 'label' ? (alone.get(labelOf(form)) ?? -1) : -1;
    keys[i] =
      only >= 0 && isSame(forms[only]!, form)
        ? { ...keys[only]!, form: { ...keys[only]!.form, level: 'label', parent: '' } }
        : compiled(form);
  }
  return { keys, tables: compileFeatures(sources) };
}

/** A label's sums are those of its only key when they count as many. */
const isSame = (a: TimingKeyForm, b: TimingKeyForm): boolean =>
  a.state === b.state &&
  a.maxChildren === b.maxChildren &&
  a.self?.n === b.self?.n &&
  a.total?.n === b.total?.n &&
  a.lag?.n === b.lag?.n &&
  a.self?.scale === b.self?.scale &&
  a.total?.scale === b.total?.scale;

const kindKey = (service: number, kind: number, outcome: number): number => (service * 8 + kind) * 4 + outcome;

function widened(from: Int32Array<ArrayBuffer>, index: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(2 * index + 4);
  wider.set(from);
  return wider;
}

const createNodes = (size: number): TimingNodes => ({
  count: 0,
  key: new Int32Array(size),
  totalKey: new Int32Array(size),
  selfInverse: new Float64Array(size),
  selfShift: new Float64Array(size),
  totalInverse: new Float64Array(size),
  totalShift: new Float64Array(size),
  beyond: new Uint8Array(size),
  shiftNs: new Float64Array(0),
  selfNs: new Float64Array(0),
});
