/**
 * What is normal in the copy at hand, as far as planting anomalies needs it: calls to graft elsewhere, pairs that occur,
 * structures that a mutant must not equal. Taken from the traces alone, never from what a detector says of them.
 */
import { type CallTree, calleeOf, callOf, callTreeOf, makesCalls } from './call-tree.ts';
import { orderKey, structuralKey } from './keys.ts';
import type { Random } from './random.ts';
import type { CopiedSpan, TraceCopy } from './trace-copy.ts';

/** A call seen somewhere: its spans, the outgoing one first. */
export interface Donor {
  readonly label: string;
  /** The service that does the work; '' where its span is not there: a database, a queue. */
  readonly callee: string;
  readonly spans: readonly CopiedSpan[];
}

export interface Corpus {
  add(trace: TraceCopy): void;
  /** One of the calls known, each label as likely as another; `wanted` decides which may be. */
  donor(random: Random, wanted: (donor: Donor) => boolean): Donor | undefined;
  /** Whether a call with the label `child` was ever made by `parent`. */
  hasEdge(parent: string, child: string): boolean;
  hasServicePair(caller: string, callee: string): boolean;
  hasStructure(trace: TraceCopy): boolean;
  hasOrder(trace: TraceCopy): boolean;
  readonly traces: number;
}

/** Examples kept a label, labels in all, and the spans of one: a corpus is bounded whatever the traffic is. */
const EXAMPLES = 3;
const MOST_LABELS = 5_000;
const MOST_SPANS = 40;

export function createCorpus(): Corpus {
  const donors = new Map<string, Donor[]>();
  const edges = new Set<string>();
  const servicePairs = new Set<string>();
  const structures = new Set<string>();
  const orders = new Set<string>();
  let traces = 0;

  function addCall(tree: CallTree, span: CopiedSpan): void {
    const parent = tree.parentOf(span)!;
    edges.add(`${parent.label}\n${span.label}`);
    servicePairs.add(`${parent.resource.service}\n${span.resource.service}`);
    if (callOf(tree, span) !== span) return;
    const known = donors.get(span.label);
    if (known === undefined ? donors.size >= MOST_LABELS : known.length >= EXAMPLES) return;
    const spans = tree.subtreeOf(span);
    if (spans.length > MOST_SPANS) return;
    const callee = calleeOf(tree, span);
    const donor = { label: span.label, callee: makesCalls(callee) ? callee.resource.service : '', spans };
    if (known === undefined) donors.set(span.label, [donor]);
    else known.push(donor);
  }

  return {
    add(trace) {
      traces++;
      structures.add(structuralKey(trace));
      orders.add(orderKey(trace));
      const tree = callTreeOf(trace);
      for (const span of trace.spans) if (span !== tree.root && !tree.isOrphan(span)) addCall(tree, span);
    },
    donor(random, wanted) {
      const fit = [...donors.values()].map((all) => all.filter(wanted)).filter((all) => all.length > 0);
      return random.of(random.of(fit) ?? []);
    },
    hasEdge: (parent, child) => edges.has(`${parent}\n${child}`),
    hasServicePair: (caller, callee) => servicePairs.has(`${caller}\n${callee}`),
    hasStructure: (trace) => structures.has(structuralKey(trace)),
    hasOrder: (trace) => orders.has(orderKey(trace)),
    get traces() {
      return traces;
    },
  };
}
