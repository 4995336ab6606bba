/** Known anomalies planted into copies of traces: the wire survives the copy, times stay plausible, and what equals normal is recognised. */
import { expect, test } from 'vitest';
import { callTreeOf } from '../../../detector/check/mutations/call-tree.ts';
import {
  copyOfRecords,
  copyOfSegment,
  createCorpus,
  createRandom,
  labelOf,
  looksLikeAuthorisation,
  MUTATION_KINDS,
  type MutationContext,
  type MutationKind,
  mutate,
  orderKey,
  recordOf,
  segmentOfCopy,
  structuralKey,
  type TraceCopy,
} from '../../../detector/check/mutations/index.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { newKit, searchTrace } from '../detector/traffic.ts';
import { segmentSpansOf, tracesData, type WireSpan } from '../traces/otlp.ts';

const TRACE = 'ab'.repeat(16);
let next = 1;

/** A call of `service` from its parent: a client span and the callee's server span, or a database call without one. */
function call(from: WireSpan, service: string, name: string, start: number, ms: number, query = ''): WireSpan[] {
  const client: WireSpan = {
    traceId: TRACE,
    spanId: (next++).toString(16).padStart(16, '0'),
    parent: from.spanId,
    flags: 0x100,
    service: from.service!,
    name: `GET ${service}`,
    kind: 'client',
    start,
    end: start + ms,
    attributes: { 'http.request.method': 'GET', 'server.address': service },
  };
  const server: WireSpan = {
    traceId: TRACE,
    spanId: (next++).toString(16).padStart(16, '0'),
    parent: client.spanId,
    flags: 0x300,
    service,
    name,
    kind: 'server',
    start: start + 1,
    end: start + ms - 1,
    attributes: {
      'http.request.method': 'GET',
      'http.route': name.split(' ')[1]!,
      'http.response.status_code': 200,
      ...(query !== '' && { 'url.query': query }),
    },
  };
  return [client, server];
}

/** Gateway (0–100): auth (10–20), orders (30–80) → stock (40–60). */
function checkout(): WireSpan[] {
  const root: WireSpan = {
    traceId: TRACE,
    spanId: (next++).toString(16).padStart(16, '0'),
    service: 'gateway',
    name: 'POST /checkout',
    kind: 'server',
    start: 0,
    end: 100,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/checkout',
      'url.query': 'coupon=spring&page=2',
      ratio: 0.5,
      tags: ['a', 'b'],
      fine: true,
    },
  };
  const auth = call(root, 'auth', 'POST /check', 10, 10);
  const orders = call(root, 'orders', 'POST /orders', 30, 50, 'sku=12');
  const stock = call(orders[1]!, 'stock', 'GET /stock', 40, 20);
  return [root, ...auth, ...orders, ...stock];
}

const copy = (spans: readonly WireSpan[] = checkout()): TraceCopy => copyOfRecords([tracesData(spans)])!;

function contextOf(seed: number, ...traces: readonly TraceCopy[]): MutationContext {
  const corpus = createCorpus();
  for (const trace of traces) corpus.add(trace);
  return { corpus, random: createRandom(seed), label: labelOf };
}

const other = (): TraceCopy => copy(searchTrace(7, 0, '198.51.100.9'));

/** A parent that its calls fit into, ids that are distinct and lead to the root. */
function expectPlausible(trace: TraceCopy): void {
  const ids = new Set(trace.spans.map(({ spanId }) => spanId));
  expect(ids.size).toBe(trace.spans.length);
  const tree = callTreeOf(trace);
  for (const span of trace.spans) {
    expect(span.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(span.endNs).toBeGreaterThanOrEqual(span.startNs);
    if (span === tree.root) continue;
    expect(ids.has(span.parentId)).toBe(true);
    const parent = tree.parentOf(span)!;
    expect(span.startNs).toBeGreaterThanOrEqual(parent.startNs);
    expect(span.endNs).toBeLessThanOrEqual(parent.endNs + 1);
  }
}

test('a copy written and read again is the same, down to the types of its attributes', () => {
  const trace = copy();
  const again = copyOfRecords([recordOf(trace)])!;
  const byId = ({ spans }: TraceCopy) => [...spans].sort((a, b) => (a.spanId < b.spanId ? -1 : 1));
  expect(again.spans[0]).toEqual(trace.spans[0]);
  expect(byId(again)).toEqual(byId(trace)); // spans of a process lie together
  expect(trace.spans[0]!.attributes).toContainEqual({ key: 'ratio', value: { doubleValue: 0.5 } });
  expect(trace.spans[0]!.attributes).toContainEqual({ key: 'fine', value: { boolValue: true } });
});

test('a segment that was copied is read by the reader as the original was', () => {
  const spans = segmentSpansOf(searchTrace(3, 0, '198.51.100.9'));
  const kit = newKit();
  const before = createSegment(kit.symbols);
  const after = createSegment(kit.symbols);
  expect(kit.reader.read(spans, before)).toBe(true);
  expect(kit.reader.read(segmentOfCopy(copyOfSegment(spans)!, spans), after)).toBe(true);
  expect(after.spanCount).toBe(before.spanCount);
  expect([...after.label.subarray(0, 4)]).toEqual([...before.label.subarray(0, 4)]);
  expect([...after.selfNs.subarray(0, 4)]).toEqual([...before.selfNs.subarray(0, 4)]);
  expect(after.parameterCount).toBe(before.parameterCount);
  expect(after.client).toEqual(before.client);
});

test.each(MUTATION_KINDS)('%s leaves the original alone, times plausible and ids valid', (kind) => {
  const trace = copy();
  const frozen = JSON.stringify(trace.spans);
  let planted = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const mutant = mutate(kind, trace, contextOf(seed, trace, other()));
    if (typeof mutant === 'string') continue;
    planted++;
    expectPlausible(mutant.trace);
    expect(mutant.words).not.toBe('');
    expect(copyOfRecords([recordOf(mutant.trace)])!.spans).toHaveLength(mutant.trace.spans.length);
    expect(mutant.trace.spans).not.toEqual(trace.spans);
  }
  expect(planted).toBeGreaterThan(0);
  expect(JSON.stringify(trace.spans)).toBe(frozen);
});

test.each(MUTATION_KINDS)('%s is the same for the same seed', (kind) => {
  const trace = copy();
  const donor = other();
  expect(mutate(kind, trace, contextOf(5, trace, donor))).toEqual(mutate(kind, trace, contextOf(5, trace, donor)));
});

const planted = (kind: MutationKind, seeds = 200) => {
  const trace = copy();
  const all = Array.from({ length: seeds }, (_, seed) => mutate(kind, trace, contextOf(seed + 1, trace, other())));
  return { trace, mutants: all.filter((one) => typeof one !== 'string') };
};

test('a missing call takes both of its halves and its time out of its parents', () => {
  const { trace, mutants } = planted('missing');
  const sizes = new Set(mutants.map((mutant) => mutant.trace.spans.length));
  expect([...sizes].sort()).toEqual([3, 5]); // without orders, or without auth or stock
  const noAuth = mutants.find(({ words }) => words.includes('auth'))!;
  expect(noAuth.trace.spans[0]!.endNs).toBe(90e6);
  const orders = noAuth.trace.spans.find((span) => span.label === 'orders server GET /orders')!;
  expect(orders.startNs).toBe(trace.spans.find((span) => span.label === orders.label)!.startNs - 10e6);
});

test.each([
  ['repeated ×2', 2],
  ['repeated ×3', 3],
  ['repeated ×10', 10],
] as const)('%s makes the call so often, one after the other, and the request that much longer', (kind, times) => {
  const { mutants } = planted(kind);
  const auth = mutants.find(({ words }) => words.startsWith('auth'))!;
  const checks = auth.trace.spans.filter((span) => span.label === 'auth server GET /check');
  expect(checks).toHaveLength(times);
  expect(auth.trace.spans[0]!.endNs).toBe(100e6 + (times - 1) * 10e6);
  const starts = checks.map(({ startNs }) => startNs).sort((a, b) => a - b);
  for (let i = 1; i < starts.length; i++) expect(starts[i]! - starts[i - 1]!).toBe(10e6);
});

test('a moved call is made elsewhere, by the process that makes it there', () => {
  const { trace, mutants } = planted('moved');
  expect(mutants.length).toBeGreaterThan(0);
  for (const mutant of mutants) {
    expect(mutant.trace.spans).toHaveLength(trace.spans.length);
    const tree = callTreeOf(mutant.trace);
    for (const span of mutant.trace.spans)
      if (span.kind === 3) expect(span.resource.service).toBe(tree.parentOf(span)!.resource.service);
    expect(structuralKey(mutant.trace)).not.toBe(structuralKey(trace));
  }
});

test('a foreign call was never made from there; a new service pair never called', () => {
  const trace = copy();
  const donor = other();
  const context = contextOf(3, trace, donor);
  for (let i = 0; i < 50; i++) {
    const mutant = mutate('foreign', trace, context);
    if (typeof mutant === 'string') continue;
    const parent = callTreeOf(mutant.trace).parentOf(mutant.at)!;
    expect(context.corpus.hasEdge(parent.label, mutant.at.label)).toBe(false);
    const pair = mutate('new service pair', trace, context);
    if (typeof pair === 'string') continue;
    const [caller, callee] = /^(\S+) calls (\S+),/.exec(pair.words)!.slice(1);
    expect(context.corpus.hasServicePair(caller!, callee!)).toBe(false);
  }
});

test('reordering swaps calls of different labels that do not overlap, and no more', () => {
  const { trace, mutants } = planted('reorder');
  expect(mutants.length).toBeGreaterThan(0);
  for (const mutant of mutants) {
    expect(structuralKey(mutant.trace)).toBe(structuralKey(trace));
    expect(orderKey(mutant.trace)).not.toBe(orderKey(trace));
    expect(mutant.trace.spans[0]!.endNs).toBe(trace.spans[0]!.endNs);
  }
});

test('the missing authorisation is the check by its name, else what a rule requires', () => {
  const { mutants } = planted('missing authorisation', 20);
  expect(mutants).toHaveLength(20);
  for (const mutant of mutants) expect(mutant.trace.spans.some(({ label }) => label.startsWith('auth '))).toBe(false);
  const plain = copy(searchTrace(1, 0, '198.51.100.1'));
  const context = contextOf(1, plain);
  expect(mutate('missing authorisation', plain, context)).toBe('impossible');
  const [, , server, database] = plain.spans;
  const required = new Set([`${server!.label}\n${database!.label}`]);
  const mutant = mutate('missing authorisation', plain, { ...context, required });
  expect(typeof mutant === 'string' ? mutant : mutant.trace.spans).toHaveLength(3);
});

test.each([
  ['auth server POST /check', true],
  ['gateway client hipstershop.Auth/Authorize', true],
  ['users server POST /sessions/verify', true],
  ['policy-engine server POST /v1/data', true],
  ['books server GET /authors/{id}', false],
  ['books server GET /authored', false],
  ['orders server POST /checkout', false],
])('whether %s is an authorisation: %s', (label, expected) => {
  expect(looksLikeAuthorisation(label)).toBe(expected);
});

test('around the ancestor: its calls are made by who called it', () => {
  const { mutants } = planted('skipped ancestor', 10);
  const [mutant] = mutants;
  const tree = callTreeOf(mutant!.trace);
  expect(mutant!.trace.spans.some(({ label }) => label.includes('orders'))).toBe(false);
  const stock = mutant!.trace.spans.find(({ label }) => label === 'stock server GET /stock')!;
  expect(tree.parentOf(stock)!.resource.service).toBe('gateway');
});

test('slow is at least a second more where it is eightfold, and those who waited are as late', () => {
  const { trace, mutants } = planted('slow ×8', 60);
  for (const mutant of mutants) {
    const before = trace.spans.find(({ spanId }) => spanId === mutant.at.spanId)!;
    const more = mutant.at.endNs - mutant.at.startNs - (before.endNs - before.startNs);
    expect(more).toBeGreaterThanOrEqual(1e9);
    expect(mutant.trace.spans[0]!.endNs).toBeCloseTo(trace.spans[0]!.endNs + more, -1);
  }
});

test('an attack goes into a parameter that is there, percent-encoded, and takes no other with it', () => {
  const { mutants } = planted('attack: sql', 30);
  for (const mutant of mutants) {
    const query = mutant.at.attributes.find(({ key }) => key === 'url.query')!.value.stringValue as string;
    expect(mutant.at.label).toBe('gateway server POST /checkout');
    expect(query).toMatch(/^coupon=[^&]*&page=[^&]*$/);
    const values = new URLSearchParams(query);
    expect([values.get('coupon') !== 'spring', values.get('page') !== '2'].filter(Boolean)).toHaveLength(1);
  }
});

test('an attack goes into the path where the route has a parameter, and nowhere where there is no place', () => {
  const [root] = checkout();
  const attributes = { 'http.request.method': 'GET', 'http.route': '/items/{id}', 'url.path': '/items/41' };
  const trace = copy([{ ...root!, attributes }]);
  const mutant = mutate('attack: traversal', trace, contextOf(1, trace));
  const path = typeof mutant === 'string' ? mutant : mutant.at.attributes.find(({ key }) => key === 'url.path')!.value;
  expect(path).toEqual({ stringValue: expect.stringMatching(/^\/items\/(?!41$)[^/]+$/) });
  const bare = copy([{ ...root!, attributes: {} }]);
  expect(mutate('attack: traversal', bare, contextOf(1, bare))).toBe('impossible');
});

test('what equals a normal trace is told apart', () => {
  const trace = copy();
  const shorter = copy(
    checkout().filter(({ service, attributes }) => service !== 'stock' && attributes?.['server.address'] !== 'stock'),
  );
  const context = contextOf(1, trace, shorter);
  const all = Array.from({ length: 60 }, () => mutate('missing', trace, context));
  expect(all.filter((one) => one === 'equal').length).toBeGreaterThan(5);
  for (const one of all) if (typeof one !== 'string') expect(one.words).not.toContain('stock server');
});

test('a trace of one span has no calls to lose', () => {
  const [root] = checkout();
  const trace = copy([root!]);
  for (const kind of ['missing', 'moved', 'repeated ×2', 'reorder', 'skipped ancestor'] as const)
    expect(mutate(kind, trace, contextOf(1, trace))).toBe('impossible');
  expect(typeof mutate('slow ×8', trace, contextOf(1, trace))).toBe('object');
});

test('parents in a circle and lost parents end nowhere', () => {
  const [root, a, b] = checkout();
  const trace = copy([root!, { ...a!, parent: b!.spanId }, b!]);
  for (const kind of MUTATION_KINDS) expect(() => mutate(kind, trace, contextOf(1, trace))).not.toThrow();
});
