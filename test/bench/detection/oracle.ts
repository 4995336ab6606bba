/**
 * How well one node that is slow or fast can be told from clean traffic at all: the likelihood ratio of a judge who is told the factor
 * and knows how each call's self time is distributed, by a histogram of as much traffic as is judged.
 * `node test/bench/detection/oracle.ts [TRACES]`
 */
import { alignClocks, createClocks } from '../../../baseline/timing/clocks.ts';
import { loadConfig } from '../../../runtime/config/load.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { assemble } from './detector.ts';
import { recallAt } from './statistics.ts';
import { JUDGE_MS, LEARN_MS, recordsOf, traffic } from './world.ts';

interface Node {
  /** How it is called, and how it ended. */
  readonly key: string;
  /** Logarithm of its self time. */
  readonly log: number;
}

/** Width of a bin in the logarithm of the time: a third of the spread that self times have at least. */
const BIN = 0.1;
const LEAST = 200;

const kit = createReadingKit(loadConfig({ file: undefined, env: {} }));
const clocks = createClocks();

function segmentsOf(seed: number, traces: number, startMs: number): Node[][] {
  const found: Node[][] = [];
  assemble(recordsOf(traffic({ seed, traces, startMs })), (spans) => {
    const { segment, reader } = kit;
    if (!reader.read(spans, segment)) return;
    alignClocks(clocks, segment);
    const nodes: Node[] = [];
    for (let i = 0; i < segment.spanCount; i++) {
      const up = segment.parent[i]!;
      const ns = clocks.selfNs[i]!;
      const key = `${up < 0 ? '' : segment.label[up]} ${segment.label[i]} ${segment.outcome[i]}`;
      if (ns > 0) nodes.push({ key, log: Math.log(ns) });
    }
    found.push(nodes);
  });
  return found;
}

type Density = (log: number) => number;

/** Log density: bins and their neighbours, and half an observation where none came. */
function densitiesOf(segments: readonly (readonly Node[])[]): Map<string, Density> {
  const densities = new Map<string, Density>();
  for (const [key, nodes] of Map.groupBy(segments.flat(), (node) => node.key)) {
    if (nodes.length < LEAST) continue;
    const bins = new Map<number, number>();
    for (const { log } of nodes) {
      const bin = Math.floor(log / BIN);
      for (const [to, weight] of [
        [bin - 1, 0.25],
        [bin, 0.5],
        [bin + 1, 0.25],
      ] as const) {
        bins.set(to, (bins.get(to) ?? 0) + weight);
      }
    }
    densities.set(key, (log) => Math.log(Math.max(0.5, bins.get(Math.floor(log / BIN)) ?? 0) / nodes.length));
  }
  return densities;
}

/** Log likelihood ratio of any one node having taken e^shift times as long, to none. */
function ratioOf(nodes: readonly Node[], densities: ReadonlyMap<string, Density>, shift: number): number {
  const ratios = nodes.map(({ key, log }) => densities.get(key)!(log - shift) - densities.get(key)!(log));
  if (ratios.length === 0) return Number.NEGATIVE_INFINITY;
  const most = Math.max(...ratios);
  return most + Math.log(ratios.reduce((sum, ratio) => sum + Math.exp(ratio - most), 0) / ratios.length);
}

const traces = Number(process.argv[2] ?? 40_000);
const densities = densitiesOf(segmentsOf(1_000, traces, LEARN_MS));
const clean = segmentsOf(501_000, traces, JUDGE_MS).map((nodes) => nodes.filter(({ key }) => densities.has(key)));
for (const [name, factor] of [
  ['slow ×4', 4],
  ['slow ×8', 8],
  ['fast ÷8', 1 / 8],
] as const) {
  const shift = Math.log(factor);
  const negatives = Float64Array.from(clean, (nodes) => ratioOf(nodes, densities, shift));
  const positives = clean
    .filter((nodes, i) => nodes.length > 1 && i % 10 === 0)
    .map((nodes, i) => {
      const which = (Math.imul(i + 1, 0x9e3779b1) >>> 0) % nodes.length;
      const moved = nodes.map((node, at) => (at === which ? { ...node, log: node.log + shift } : node));
      return ratioOf(moved, densities, shift);
    });
  const recall = [1e-2, 3e-3, 1e-3].map((rate) => `${rate}: ${recallAt(positives, negatives, rate).value.toFixed(3)}`);
  process.stdout.write(`${name}: recall at a false-positive rate of ${recall.join(', ')}\n`);
}
