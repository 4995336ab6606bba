/** A synthetic shop: segments of a few routes with the variety real ones have, from a seed. */
import type { CompileOptions, LearnContext, LearningProfile, StructureModel } from '../../../baseline/model.ts';
import { type StructurePartial, structureLearner } from '../../../baseline/structure/index.ts';
import type { Segment, Symbols } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { type PlainSpan, type SegmentFacts, segmentOf } from '../traces/segments.ts';

export type Random = () => number;

/** Mulberry32 (T. Ettinger, public domain). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const newSymbols = (): Symbols => createSymbols({ maxTexts: 100_000, maxLabels: 20_000 });

export const profile: LearningProfile = {
  name: 'demo',
  ruleSupport: 60,
  admitOccurrences: 5,
  admitBuckets: 5,
  admitClients: 3,
  observeBelow: 30,
  observeBuckets: 3,
  activeFrom: 100,
  influenceShare: 0.1,
  influenceFree: 20,
};

export const sql = (service: string, operation: string): PlainSpan => ({
  service,
  operation,
  kind: 'client',
  peer: 'postgresql',
});

export const call = (from: string, to: string, operation: string, children: PlainSpan[] = []): PlainSpan => ({
  service: from,
  operation: `${operation}`,
  kind: 'client',
  children: [{ service: to, operation, kind: 'server', children }],
});

const authCheck = (from: string): PlainSpan => call(from, 'auth', 'POST /check', [sql('auth', 'SELECT sessions')]);

export const entry = (operation: string, children: PlainSpan[], outcome: PlainSpan['outcome'] = 'ok'): PlainSpan => ({
  service: 'gateway',
  operation,
  kind: 'server',
  outcome,
  children,
});

export function browse(random: Random): PlainSpan {
  const cached = random() < 0.4;
  const catalog = call('gateway', 'catalog', 'GET /products', cached ? [] : [sql('catalog', 'SELECT products')]);
  const more = random() < 0.3 ? [call('gateway', 'ads', 'GET /ads')] : [];
  return entry('GET /products', [catalog, ...more]);
}

export function product(random: Random): PlainSpan {
  const related = Array.from({ length: Math.floor(random() * 4) }, () => sql('catalog', 'SELECT related'));
  return entry('GET /products/{id}', [
    call('gateway', 'catalog', 'GET /products/{id}', [sql('catalog', 'SELECT product'), ...related]),
  ]);
}

export function cart(random: Random): PlainSpan {
  const tries = random() < 0.01 ? 1 + Math.ceil(random() * 2) : 1;
  const stock = Array.from({ length: tries }, () =>
    call('orders', 'catalog', 'GET /stock', [sql('catalog', 'SELECT stock')]),
  );
  return entry('GET /cart', [
    call('gateway', 'orders', 'GET /cart', [authCheck('orders'), sql('orders', 'SELECT cart'), ...stock]),
  ]);
}

export function checkout(random: Random): PlainSpan {
  if (random() < 0.05) return abortedCheckout();
  const lines = Array.from({ length: 1 + Math.floor(random() * 6) }, () => sql('orders', 'INSERT order_lines'));
  const created: PlainSpan = { service: 'orders', operation: 'orders.create', kind: 'internal', children: lines };
  return entry('POST /checkout', [
    call('gateway', 'orders', 'POST /orders', [
      authCheck('orders'),
      created,
      call('orders', 'payment', 'POST /charge', [sql('payment', 'INSERT charges')]),
      { service: 'orders', operation: 'jobs publish', kind: 'producer' },
    ]),
  ]);
}

export function abortedCheckout(): PlainSpan {
  const orders = call('gateway', 'orders', 'POST /orders', [authCheck('orders')]);
  const server = { ...orders.children![0]!, outcome: 'clientError' as const };
  return entry('POST /checkout', [{ ...orders, outcome: 'clientError', children: [server] }], 'clientError');
}

export function anyRequest(random: Random): PlainSpan {
  const kind = random();
  if (kind < 0.4) return browse(random);
  if (kind < 0.7) return product(random);
  if (kind < 0.85) return cart(random);
  return checkout(random);
}

export interface Learned {
  readonly symbols: Symbols;
  readonly partial: StructurePartial;
  readonly model: StructureModel;
  readonly options: CompileOptions;
}

export const CLIENTS = 150;
export const BUCKETS = 20;

export const contextOf = (random: Random, at: number, count: number): LearnContext => ({
  bucket: Math.floor((at / count) * BUCKETS),
  client: 1 + Math.floor(random() * CLIENTS),
  quarantined: false,
});

export const optionsFor = (symbols: Symbols, segments: number, clients = CLIENTS): CompileOptions => ({
  profile,
  symbols,
  segments,
  clients,
  buckets: BUCKETS,
  previous: [],
  sensitiveTables: [],
});

/** Learns `count` requests; `extra` are learned among them, as the given client's or as anybody's. */
export function learnShop(
  count: number,
  seed: number,
  extra: readonly { tree: PlainSpan; client?: number }[] = [],
): Learned {
  const symbols = newSymbols();
  const random = seeded(seed);
  const partial = structureLearner.createPartial();
  const into = segmentOf(symbols, browse(random));
  const every = extra.length === 0 ? 0 : Math.floor(count / extra.length);
  for (let i = 0; i < count; i++) {
    const context = contextOf(random, i, count);
    structureLearner.learn(partial, segmentOf(symbols, anyRequest(random), { into }), context);
    const one = every > 0 && i % every === 0 ? extra[i / every] : undefined;
    if (one !== undefined) {
      const client = one.client ?? 1 + Math.floor(random() * CLIENTS);
      structureLearner.learn(partial, segmentOf(symbols, one.tree, { into }), { ...context, client });
    }
  }
  const options = optionsFor(symbols, count);
  return { symbols, partial, model: structureLearner.compile(partial, options), options };
}

export const segment = (symbols: Symbols, tree: PlainSpan, facts: SegmentFacts = {}): Segment =>
  segmentOf(symbols, tree, facts);

/** A copy of the tree, changed where `change` says so: given a span, what stands in its place. */
export const changed = (tree: PlainSpan, change: (span: PlainSpan) => PlainSpan[]): PlainSpan => ({
  ...tree,
  children: (tree.children ?? []).flatMap((child) => change(child).map((kept) => changed(kept, change))),
});

export const without = (tree: PlainSpan, operation: string): PlainSpan =>
  changed(tree, (span) => (span.operation === operation ? [] : [span]));
