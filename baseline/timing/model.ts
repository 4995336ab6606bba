/** The compiled timing group: scores total and self times of a segment's nodes (DETECTION §2). */
import type { Finding } from '../../schemas/log/verdict.ts';
import { type Segment, type Symbols, spanIdHex } from '../../traces/segment.ts';
import { grouped } from '../fusion/match-line.ts';
import {
  type BaselineEntry,
  type CoverageRow,
  type Evidence,
  JudgementStage,
  type Maturity,
  type Model,
  NO_FINDINGS,
} from '../model.ts';
import { binOf, nsAt, octavesOf } from './bins.ts';
import { keyEntry, type TimingKeyForm } from './compile.ts';
import { compileFeature, type FeatureTable, inverseOutside, severityOf } from './feature.ts';
import { calleeOf } from './gap.ts';
import { createKeyTable, findKey, putKey } from './key-table.ts';
import { durationText } from './words.ts';

/** Columns over the nodes of the segment scored last; reused, valid until the next score(). */
export interface TimingNodes {
  count: number;
  /** Timing key the node was held against, −1 where none was mature enough. */
  key: Int32Array;
  /** 1/p of its self time, two-sided, against the key; 0 where it was not judged. */
  selfInverse: Float64Array;
  /** Octaves of its self time over the key's median. */
  selfShift: Float64Array;
  totalInverse: Float64Array;
  totalShift: Float64Array;
  /** Bit 1: self above the learned maximum; bit 2: total above it. */
  above: Uint8Array;
}

export interface TimingModel extends Model {
  readonly nodes: TimingNodes;
}

interface CompiledKey {
  readonly form: TimingKeyForm;
  readonly self: FeatureTable;
  readonly total: FeatureTable;
}

/** A node's feature is listed when its p, times the features of the segment, is below this. */
const TELL_BELOW = 0.01;
const MOST_TOLD = 3;
/** The hard candidate of DETECTION §6. */
const CANDIDATE_RATIO = 8;
const CANDIDATE_NS = 1e9;
/** Octaves outside the learned range at which a node counts as wholly unlike. */
const OCTAVES_UNLIKE = 4;

export function createTimingModel(forms: readonly TimingKeyForm[], symbols: Symbols): TimingModel {
  const keys: CompiledKey[] = forms.map((form) => ({
    form,
    self: compileFeature(form.self, form.state === 'active'),
    total: compileFeature(form.total, form.state === 'active' && form.total.n >= form.self.n / 10),
  }));
  const exact = createKeyTable(keys.length);
  /** label · 4 + outcome → key index + 1. */
  let byLabel = new Int32Array(4 * (symbols.labelCount + 1));
  const byKind = new Map<number, number>();
  for (const [index, { form }] of keys.entries()) {
    if (form.state === 'observe') continue;
    if (form.level === 'kind') byKind.set(kindKey(symbols.intern(form.label), form.kind, form.outcome), index);
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
  const told = new Int32Array(64);

  function score(segment: Segment, stage: JudgementStage, out: Evidence): void {
    const { parent, label, outcome, selfNs, durationNs, childCount, spanCount } = segment;
    if (nodes.key.length < spanCount) Object.assign(nodes, createNodes(2 * spanCount));
    const { key: nodeKey, selfInverse, selfShift, totalInverse, totalShift, above } = nodes;
    nodes.count = spanCount;
    const absence = stage === JudgementStage.absence;
    let sum = 0;
    let features = 0;
    let unknown = 0;
    let severity = 0;
    let unlike = 0;
    let weights = 0;
    let toldCount = 0;
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
      selfInverse[i] = 0;
      totalInverse[i] = 0;
      above[i] = 0;
      if (k < 0) continue;
      const { self, total, form } = keys[k]!;
      let tell = false;

      // Until the absence grace is over, missing children make a self time longer: only leaves have one yet.
      if (absence || form.maxChildren === 0) {
        const ns = selfNs[i]!;
        const octaves = octavesOf(ns);
        const bin = binOf(octaves);
        const place = bin - self.low;
        let inverse: number;
        if (bin < self.exactFrom && place >= 0) inverse = self.inverse[place]!;
        else {
          inverse = inverseOutside(self, ns, octaves);
          const far = severityOf(self, octaves);
          if (far > severity) severity = far;
        }
        if (inverse > self.claim) inverse = self.claim;
        if (ns > self.max) above[i] = 1;
        selfInverse[i] = inverse;
        selfShift[i] = octaves - self.median;
        sum += inverse;
        features++;
        if (inverse > tellFrom) tell = true;
        const weight = ns + self.medianNs;
        const outside = octaves < self.q005 ? self.q005 - octaves : octaves > self.q995 ? octaves - self.q995 : 0;
        weights += weight;
        if (outside > 0) unlike += weight * (outside < OCTAVES_UNLIKE ? outside / OCTAVES_UNLIKE : 1);
      }
      if (childCount[i]! > 0 && total.n > 0) {
        const ns = durationNs[i]!;
        const octaves = octavesOf(ns);
        const bin = binOf(octaves);
        const place = bin - total.low;
        let inverse: number;
        if (bin < total.exactFrom && place >= 0) inverse = total.inverse[place]!;
        else {
          inverse = inverseOutside(total, ns, octaves);
          const far = severityOf(total, octaves);
          if (far > severity) severity = far;
        }
        if (inverse > total.claim) inverse = total.claim;
        if (ns > total.max) above[i] = above[i]! | 2;
        totalInverse[i] = inverse;
        totalShift[i] = octaves - total.median;
        sum += inverse;
        features++;
        if (inverse > tellFrom) tell = true;
      }
      if ((tell || isCandidate(self, selfNs[i]!, form.state, above[i]!)) && toldCount < told.length)
        told[toldCount++] = i;
    }
    out.surprise = features === 0 ? 0 : Math.max(0, Math.log10(sum / features));
    out.severity = severity;
    out.similarity = weights === 0 ? 1 : 1 - unlike / weights;
    out.observed = spanCount === 0 ? 0 : unknown / spanCount;
    out.findings = toldCount === 0 ? NO_FINDINGS : explain(segment, toldCount);
  }

  function explain(segment: Segment, toldCount: number): Finding[] {
    const order = [...told.subarray(0, toldCount)].sort((a, b) => strength(b) - strength(a) || a - b);
    const findings: Finding[] = [];
    for (const i of order) {
      const { self, form } = keys[nodes.key[i]!]!;
      const candidate = nodes.selfInverse[i]! > 0 && isCandidate(self, segment.selfNs[i]!, form.state, nodes.above[i]!);
      if (findings.length >= MOST_TOLD && !candidate) continue;
      findings.push(findingOf(segment, i, candidate));
    }
    return findings;
  }

  /** A node's own time before its total, which only passes on what its children did. */
  const strength = (i: number): number =>
    2 * Math.log(1 + nodes.selfInverse[i]!) + Math.log(1 + nodes.totalInverse[i]!);

  function findingOf(segment: Segment, i: number, candidate: boolean): Finding {
    const key = keys[nodes.key[i]!]!;
    const own = candidate || nodes.selfInverse[i]! >= nodes.totalInverse[i]! / 10;
    const table = own ? key.self : key.total;
    const ns = own ? segment.selfNs[i]! : segment.durationNs[i]!;
    const inverse = own ? nodes.selfInverse[i]! : nodes.totalInverse[i]!;
    const octaves = octavesOf(ns);
    const callee = own ? calleeOf(segment, i) : -1;
    const service = segment.symbols.text(segment.service[callee >= 0 ? callee : i]!);
    const what = own && segment.childCount[i]! > 0 ? 'own time' : 'duration';
    const beyond =
      ns > table.max
        ? `, ${ratioText(ns / table.max)} the longest`
        : octaves < table.minOctaves
          ? ', shorter than ever'
          : '';
    const startMs = segment.startMs + segment.startNs[i]! / 1e6;
    return {
      kind: own ? 'self-time' : 'latency',
      group: 'timing',
      hard: false,
      evidence: own && key.form.maxChildren > 0 ? 'absence' : 'presence',
      explanationKey: service,
      service,
      operation: segment.symbols.text(segment.operation[i]!),
      spanId: spanIdHex(segment, i),
      parameter: '',
      expected:
        `${what} ${durationText(nsAt(table.q005))} to ${durationText(nsAt(table.q995))}, ` +
        `at most ${durationText(table.max)}, in ${grouped(table.n)}`,
      seen: `${durationText(ns)}${beyond}`,
      support: table.n,
      severity: severityOf(table, octaves),
      p: Math.min(1, 1 / inverse),
      share: 0,
      candidate,
      startMs,
      endMs: startMs + segment.durationNs[i]! / 1e6,
    };
  }

  function* coverage(): Iterable<CoverageRow> {
    for (const { form } of keys) {
      if (form.level !== 'label') continue;
      const { service, operation } = symbols.labelOf(symbols.labelFromText(form.label));
      yield {
        group: 'timing',
        service: symbols.text(service),
        operation: symbols.text(operation),
        state: form.state,
        count: form.self.n,
      };
    }
  }

  function* entries(): Iterable<BaselineEntry> {
    for (const { form } of keys) yield keyEntry(form);
  }

  return { score, entries, coverage, nodes };
}

/** One node of an active key whose self time is ≥ 8 × its key's maximum and ≥ 1 s above it (DETECTION §6). */
const isCandidate = (self: FeatureTable, ns: number, state: Maturity, above: number): boolean =>
  (above & 1) !== 0 && state === 'active' && ns >= CANDIDATE_RATIO * self.max && ns >= self.max + CANDIDATE_NS;

const kindKey = (service: number, kind: number, outcome: number): number => (service * 8 + kind) * 4 + outcome;

const ratioText = (ratio: number): string => (ratio < 100 ? `${ratio.toFixed(1)}×` : `${ratio.toFixed(0)}×`);

function widened(from: Int32Array<ArrayBuffer>, index: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(2 * index + 4);
  wider.set(from);
  return wider;
}

const createNodes = (size: number): TimingNodes => ({
  count: 0,
  key: new Int32Array(size),
  selfInverse: new Float64Array(size),
  selfShift: new Float64Array(size),
  totalInverse: new Float64Array(size),
  totalShift: new Float64Array(size),
  above: new Uint8Array(size),
});
