/** What the timing group says in words: the nodes that are odd, the oddest by itself first. */
import type { Finding } from '../../schemas/log/verdict.ts';
import { endMsOf, type Segment, spanIdHex } from '../../traces/segment.ts';
import { grouped } from '../fusion/match-line.ts';
import { nsAt, octavesOf } from './bins.ts';
import { FACTS, Fact, type FeatureTables, severityOf } from './feature-tables.ts';
import { calleeOf } from './gap.ts';
import type { CompiledKey, TimingNodes } from './model.ts';
import { durationText } from './words.ts';

export const MOST_TOLD = 3;

export function createExplainer(
  keys: readonly CompiledKey[],
  tables: FeatureTables,
  nodes: TimingNodes,
  isCandidate: (key: CompiledKey, i: number, ns: number) => boolean,
) {
  const { facts } = tables;
  /** A node's own time before its total, which only passes on what its children did. */
  const strength = (i: number): number =>
    2 * Math.log(1 + nodes.selfInverse[i]!) + Math.log(1 + nodes.totalInverse[i]!);

  function findingOf(segment: Segment, i: number, candidate: boolean): Finding {
    const key = keys[nodes.key[i]!]!;
    const own = candidate || nodes.selfInverse[i]! >= nodes.totalInverse[i]! / 10;
    const feature = own ? key.self : keys[nodes.totalKey[i]!]!.total;
    const at = feature * FACTS;
    const ns = own ? nodes.selfNs[i]! : segment.durationNs[i]!;
    const octaves = octavesOf(ns);
    const callee = own ? calleeOf(segment, i) : -1;
    const service = segment.symbols.text(segment.service[callee >= 0 ? callee : i]!);
    const what = own && segment.childCount[i]! > 0 ? 'own time' : 'duration';
    const max = facts[at + Fact.max]!;
    const n = facts[at + Fact.n]!;
    const beyond =
      ns > max
        ? `, ${ratioText(ns / max)} the longest`
        : octaves < facts[at + Fact.minOctaves]!
          ? ', shorter than ever'
          : '';
    const startMs = segment.startMs + segment.startNs[i]! / 1e6;
    return {
      kind: own ? 'self-time' : 'latency',
      group: 'timing',
      hard: false,
      evidence: own && key.maxChildren > 0 ? 'absence' : 'presence',
      explanationKey: service,
      service,
      operation: segment.symbols.text(segment.operation[i]!),
      spanId: spanIdHex(segment, i),
      parameter: '',
      expected:
        `${what} ${durationText(nsAt(facts[at + Fact.q005]!))} to ${durationText(nsAt(facts[at + Fact.q995]!))}, ` +
        `at most ${durationText(max)}, in ${grouped(n)}`,
      seen: `${durationText(ns)}${beyond}`,
      support: n,
      severity: severityOf(tables, feature, octaves),
      p: Math.min(1, 1 / (own ? nodes.selfInverse[i]! : nodes.totalInverse[i]!)),
      share: 0,
      candidate,
      ...(own && ns > max && { excessMs: (ns - max) / 1e6 }),
      startMs,
      endMs: endMsOf(segment, i),
    };
  }

  return (segment: Segment, told: Iterable<number>, most = MOST_TOLD): Finding[] => {
    const order = [...told].sort((a, b) => strength(b) - strength(a) || a - b);
    const findings: Finding[] = [];
    for (const i of order) {
      const key = keys[nodes.key[i]!]!;
      const candidate = nodes.selfInverse[i]! > 0 && isCandidate(key, i, nodes.selfNs[i]!);
      if (findings.length >= most && !candidate) continue;
      findings.push(findingOf(segment, i, candidate));
    }
    return findings;
  };
}

const ratioText = (ratio: number): string => (ratio < 100 ? `${ratio.toFixed(1)}×` : `${ratio.toFixed(0)}×`);
