/** Anomalies of structure (DETECTION §11): calls missing, moved, repeated, foreign, out of order, and ways around a check. */
import {
  byStart,
  type CallTree,
  calleeOf,
  callOf,
  callTreeOf,
  graft,
  makesCalls,
  newSpanId,
  pickInner,
} from './call-tree.ts';
import type { Donor } from './corpus.ts';
import type { MutationContext, Plant, Planted } from './mutation.ts';
import { closeGap, makeRoom, momentsIn, moveEnd, moveSubtree } from './times.ts';
import type { CopiedSpan, TraceCopy } from './trace-copy.ts';

const without = (trace: TraceCopy, gone: readonly CopiedSpan[]): TraceCopy => {
  const set = new Set(gone);
  return { ...trace, spans: trace.spans.filter((span) => !set.has(span)) };
};

const withSpans = (trace: TraceCopy, added: readonly CopiedSpan[]): TraceCopy => ({
  ...trace,
  spans: [...trace.spans, ...added],
});

/** What a call is called in words: by the callee where it is there. */
const named = (tree: CallTree, span: CopiedSpan): string => calleeOf(tree, span).label;

function removeCall(trace: TraceCopy, tree: CallTree, span: CopiedSpan): Planted {
  const parent = tree.parentOf(span)!;
  const gone = tree.subtreeOf(span);
  const words = `${tree.root.label} without ${named(tree, span)} under ${parent.label}`;
  closeGap(tree, span);
  return { trace: without(trace, gone), at: parent, words };
}

/** A call and all it caused never happened. */
export const missing: Plant = (trace, { random }) => {
  const tree = callTreeOf(trace);
  const span = pickInner(tree, trace, random);
  return span === undefined ? undefined : removeCall(trace, tree, callOf(tree, span));
};

/** Where a call may be put: spans that make calls and are not part of it. */
const hosts = (trace: TraceCopy, not: ReadonlySet<CopiedSpan>): CopiedSpan[] =>
  trace.spans.filter((span) => makesCalls(span) && !not.has(span));

/** Outgoing spans belong to who makes the call: the host's process, which may change the label. */
function adopt(spans: CopiedSpan[], host: CopiedSpan, context: MutationContext): void {
  const first = spans[0]!;
  if (makesCalls(first) || first.resource.service === host.resource.service) return;
  first.resource = host.resource;
  first.label = context.label(first);
}

/** A call and all it caused is made by another span than the one that makes it. */
export const moved: Plant = (trace, context) => {
  const tree = callTreeOf(trace);
  const picked = pickInner(tree, trace, context.random);
  if (picked === undefined) return undefined;
  const span = callOf(tree, picked);
  const spans = tree.subtreeOf(span);
  const parent = tree.parentOf(span)!;
  const host = context.random.of(hosts(trace, new Set(spans)).filter(({ label }) => label !== parent.label));
  if (host === undefined) return undefined;
  const words = `${named(tree, span)} under ${host.label} instead of ${parent.label}`;
  closeGap(tree, span);
  const rest = without(trace, spans);
  const inner = callTreeOf(rest);
  const at = context.random.of(momentsIn(inner, host)) ?? host.startNs;
  makeRoom(inner, host, at, span.endNs - span.startNs);
  moveSubtree(tree, span, at - span.startNs);
  span.parentId = host.spanId;
  adopt(spans, host, context);
  return { trace: withSpans(rest, spans), at: span, words };
};

/** A call is made `times` times in a row. */
export const repeated =
  (times: number): Plant =>
  (trace, { random }) => {
    const tree = callTreeOf(trace);
    const picked = pickInner(tree, trace, random);
    if (picked === undefined) return undefined;
    const span = callOf(tree, picked);
    const parent = tree.parentOf(span)!;
    const spans = tree.subtreeOf(span);
    const ns = Math.max(1, span.endNs - span.startNs);
    const parentId = tree.isOrphan(span) ? span.parentId : parent.spanId;
    const copies = Array.from({ length: times - 1 }, (_, i) => graft(spans, parentId, ns * (i + 1), random)).flat();
    moveEnd(tree, span, ns * (times - 1)); // what waited for it waits for all of them
    span.endNs -= ns * (times - 1);
    return { trace: withSpans(trace, copies), at: span, words: `${named(tree, span)} ${times} times in a row` };
  };

function graftCall(
  trace: TraceCopy,
  tree: CallTree,
  host: CopiedSpan,
  donor: Donor,
  context: MutationContext,
): Planted {
  const { random } = context;
  const [first] = donor.spans;
  const at = random.of(momentsIn(tree, host)) ?? host.startNs;
  makeRoom(tree, host, at, first!.endNs - first!.startNs);
  const spans = graft(donor.spans, host.spanId, at - first!.startNs, random);
  adopt(spans, host, context);
  const words = `${spans[0]!.label} under ${host.label}, which never made it`;
  return { trace: withSpans(trace, spans), at: spans[0]!, words };
}

/** A call that others make, from a span that never makes it. */
export const foreign: Plant = (trace, context) => {
  const tree = callTreeOf(trace);
  const host = context.random.of(hosts(trace, new Set()));
  if (host === undefined) return undefined;
  const donor = context.corpus.donor(context.random, ({ label }) => !context.corpus.hasEdge(host.label, label));
  return donor === undefined ? undefined : graftCall(trace, tree, host, donor, context);
};

/** A service calls another that it never called. */
export const servicePair: Plant = (trace, context) => {
  const tree = callTreeOf(trace);
  const host = context.random.of(hosts(trace, new Set()));
  if (host === undefined) return undefined;
  const { service } = host.resource;
  const donor = context.corpus.donor(
    context.random,
    ({ callee }) => callee !== '' && callee !== service && !context.corpus.hasServicePair(service, callee),
  );
  if (donor === undefined) return undefined;
  const { trace: mutant, at } = graftCall(trace, tree, host, donor, context);
  return { trace: mutant, at, words: `${service} calls ${donor.callee}, from ${host.label}` };
};

/** Two calls made one after the other change places. */
export const reorder: Plant = (trace, { random }) => {
  const tree = callTreeOf(trace);
  const pairs: (readonly [CopiedSpan, CopiedSpan])[] = [];
  for (const parent of trace.spans) {
    const children = tree.childrenOf(parent);
    for (let i = 0; i + 1 < children.length; i++) {
      const first = children[i]!;
      const second = children[i + 1]!;
      if (tree.isOrphan(first) || tree.isOrphan(second)) continue;
      if (first.endNs <= second.startNs && first.label !== second.label) pairs.push([first, second]);
    }
  }
  const pair = random.of(pairs);
  if (pair === undefined) return undefined;
  const [first, second] = pair;
  const to = first.startNs;
  const later = second.endNs - first.endNs;
  moveSubtree(tree, second, to - second.startNs);
  moveSubtree(tree, first, later);
  const parent = tree.parentOf(first)!;
  return { trace, at: parent, words: `${named(tree, second)} before ${named(tree, first)} under ${parent.label}` };
};

/** Names of calls that decide who may do what; `author` is no authorisation. */
const AUTHORISATION =
  /auth(?!or(?!i[sz]))|permission|entitle|privilege|\bacl\b|polic(?:y|ies)|(?:check|verify|validate|introspect).{0,12}(?:access|token|session|user|login|rights)|(?:session|token|access).{0,12}(?:check|verify|validate|introspect)|\/(?:check|verify|introspect)\b/i;

export const looksLikeAuthorisation = (label: string): boolean => AUTHORISATION.test(label);

/** A request is served without the check that comes before it. */
export const missingAuthorisation: Plant = (trace, { random, required }) => {
  const tree = callTreeOf(trace);
  const calls = [...new Set(trace.spans.filter((span) => span !== tree.root).map((span) => callOf(tree, span)))];
  const checks = (matches: (span: CopiedSpan) => boolean): CopiedSpan[] =>
    calls.filter((span) => {
      const inside = tree.subtreeOf(span);
      // what holds most of the trace is the request itself, and a check that found nobody is none to leave out
      return (
        inside.length * 2 <= trace.spans.length && inside.every(({ statusCode }) => statusCode < 2) && matches(span)
      );
    });
  const byName = checks((span) => looksLikeAuthorisation(named(tree, span)));
  const byRule = (span: CopiedSpan): boolean => required?.has(`${tree.parentOf(span)!.label}\n${span.label}`) ?? false;
  const span = random.of(byName.length > 0 ? byName : checks(byRule));
  return span === undefined ? undefined : removeCall(trace, tree, span);
};

/** What a service calls is called without it: by whoever called that service. */
export const skippedAncestor: Plant = (trace, context) => {
  const tree = callTreeOf(trace);
  const skippable = trace.spans.filter((span) => {
    if (span === tree.root || !makesCalls(span) || tree.childrenOf(span).length === 0) return false;
    const caller = tree.parentOf(callOf(tree, span))!;
    return caller.label !== span.label && makesCalls(caller) && !tree.isOrphan(span);
  });
  const span = context.random.of(skippable);
  if (span === undefined) return undefined;
  const call = callOf(tree, span);
  const caller = tree.parentOf(call)!;
  const children = [...tree.childrenOf(span)].sort(byStart);
  for (const child of children) {
    child.parentId = caller.spanId;
    adopt([child], caller, context);
  }
  const gone = call === span ? [span] : [call, span];
  const words = `${children.map((child) => named(tree, child)).join(', ')} from ${caller.label}, around ${span.label}`;
  return { trace: without(trace, gone), at: caller, words };
};

/** A call to a host of which nothing was ever seen: data going out, or a server made to fetch. */
export const newDestination: Plant = (trace, context) => {
  const { random } = context;
  const tree = callTreeOf(trace);
  const host = random.of(hosts(trace, new Set()));
  if (host === undefined) return undefined;
  const number = 1 + random.below(250);
  const destination = random.of([
    { address: `203.0.113.${number}`, port: 8443, scheme: 'https', words: 'a public address' },
    { address: '169.254.169.254', port: 80, scheme: 'http', words: 'the metadata address' },
    { address: `collector-${number}.example.net`, port: 443, scheme: 'https', words: 'a public name' },
  ])!;
  const ns = 20e6 + random.below(40) * 1e6;
  const at = random.of(momentsIn(tree, host)) ?? host.startNs;
  makeRoom(tree, host, at, ns);
  const { address, port, scheme } = destination;
  const span: CopiedSpan = {
    spanId: newSpanId(random),
    parentId: host.spanId,
    resource: host.resource,
    label: '',
    name: 'POST',
    kind: 3,
    startNs: at,
    endNs: at + ns,
    attributes: [
      { key: 'http.request.method', value: { stringValue: 'POST' } },
      { key: 'url.full', value: { stringValue: `${scheme}://${address}:${port}/upload` } },
      { key: 'server.address', value: { stringValue: address } },
      { key: 'server.port', value: { intValue: String(port) } },
      { key: 'http.response.status_code', value: { intValue: '200' } },
    ],
    events: [],
    links: [],
    statusCode: 0,
    statusMessage: '',
    traceState: '',
    flags: host.flags === undefined ? undefined : 0x100,
  };
  span.label = context.label(span);
  return { trace: withSpans(trace, [span]), at: span, words: `${host.resource.service} sends to ${destination.words}` };
};
