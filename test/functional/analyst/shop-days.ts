/**
 * Two days of a small shop, known to the last request: what the answers of docs/analysts.md and of the dashboards are held
 * against. Yesterday's first hour is learning; today at noon version 1.4.0 of orders goes out, at 14:03 somebody skips the
 * payment, and the search is slow for everybody.
 */
import { createHash } from 'node:crypto';
import type { BudgetState, RateHour } from '../../../schemas/alerts/budget.ts';
import type { DigestEntry } from '../../../schemas/alerts/digest.ts';
import {
  type Alert,
  type Delivery,
  type Evidence,
  type Incident,
  type IncidentStory,
  type IncidentWord,
  NO_STORY,
} from '../../../schemas/alerts/incident.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import type { ClientRecord, Finding, Verdict } from '../../../schemas/log/verdict.ts';

export const YESTERDAY = Date.UTC(2026, 10, 19);
export const TODAY = Date.UTC(2026, 10, 20);
export const DEPLOYED = TODAY + 12 * 3_600_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;
const SECOND = 1_000;

export const CLIENTS = {
  anna: '198.51.100.7',
  bert: '2001:db8::7',
  partner: '192.0.2.44',
  attacker: '203.0.113.66',
} as const;

/** A span and what it calls, times in milliseconds from the start of the request. */
export interface Node {
  readonly service: string;
  readonly kind: 'Server' | 'Client' | 'Producer' | 'Consumer';
  readonly operation: string;
  readonly at: number;
  readonly ms: number;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly failed?: boolean;
  readonly calls?: readonly Node[];
  /** Service.version. */
  readonly version?: string;
}

export interface Request {
  readonly traceId: string;
  readonly startMs: number;
  readonly tree: Node;
  /** Span id of the producer for work behind a queue. */
  readonly parentSpanId: string;
  readonly facts: Partial<Verdict>;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
export const traceOf = (n: number): string => hash(`trace ${n}`).slice(0, 32);
/** Span of the n-th node (depth first) of the request's tree. */
export const spanOf = (traceId: string, entry: string, n: number): string =>
  hash(`${traceId} ${entry} ${n}`).slice(0, 16);

const client = (address: string | null, facts: Partial<ClientRecord> = {}): ClientRecord => ({
  address,
  source: address === null ? 'none' : 'x-forwarded-for',
  confidence: address === null ? 'none' : 'high',
  reason: address === null ? 'no-peer' : '',
  hops: address === null ? [] : ['10.0.0.1'],
  entrySpanId: '',
  entryTraceId: '',
  user: null,
  session: null,
  ...facts,
});

const sql = (service: string, verb: string, collection: string, at: number, ms: number): Node => ({
  service,
  kind: 'Client',
  operation: `${verb} ${collection}`,
  at,
  ms,
  attributes: { 'db.system.name': 'postgresql', 'db.collection.name': collection, 'db.operation.name': verb },
});

/** A call into another service: the client's span and the server's under it. */
const rpc = (
  caller: string,
  service: string,
  operation: string,
  at: number,
  ms: number,
  calls: readonly Node[] = [],
  version?: string,
): Node => ({
  service: caller,
  kind: 'Client',
  operation,
  at,
  ms,
  attributes: { 'server.address': service },
  calls: [
    {
      service,
      kind: 'Server',
      operation,
      at: at + 1,
      ms: ms - 2,
      calls,
      ...(version === undefined ? {} : { version }),
    },
  ],
});

const edge = (operation: string, ms: number, calls: readonly Node[]): Node => ({
  service: 'gateway',
  kind: 'Server',
  operation,
  at: 0,
  ms,
  attributes: { 'http.request.method': operation.split(' ')[0]!, 'http.route': operation.split(' ')[1]! },
  calls,
});

const product = (ms = 20): Node =>
  edge('GET /products/:id', ms, [
    rpc('gateway', 'catalog', 'GET /products/:id', 2, ms - 4, [sql('catalog', 'SELECT', 'products', 5, ms - 12)]),
  ]);

const search = (ms: number): Node =>
  edge('GET /search', ms, [
    rpc('gateway', 'catalog', 'GET /search', 2, ms - 4, [sql('catalog', 'SELECT', 'products', 5, ms - 12)]),
  ]);

const checkout = (version: '1.3.0' | '1.4.0', paid = true): Node =>
  edge('POST /checkout', version === '1.3.0' ? 90 : 310, [
    rpc(
      'gateway',
      'orders',
      'POST /orders',
      2,
      version === '1.3.0' ? 80 : 300,
      [
        ...(version === '1.3.0'
          ? []
          : [
              rpc('orders', 'customers', 'GET /customers/:id', 5, 220, [
                sql('customers', 'SELECT', 'customers', 8, 210),
              ]),
            ]),
        ...(paid
          ? [rpc('orders', 'payments', 'POST /charge', 10, 40, [sql('payments', 'INSERT', 'charges', 14, 20)])]
          : []),
        sql('orders', 'INSERT', 'orders', 60, 10),
        {
          service: 'orders',
          kind: 'Producer',
          operation: 'receipts',
          at: 72,
          ms: 2,
          attributes: { 'messaging.destination.name': 'receipts' },
        },
      ],
      version,
    ),
  ]);

const invoice = (): Node =>
  edge('GET /orders/:id', 900, [
    rpc(
      'gateway',
      'orders',
      'GET /orders/:id',
      2,
      890,
      [sql('orders', 'SELECT', 'orders', 5, 40), sql('orders', 'SELECT', 'charges', 50, 800)],
      '1.4.0',
    ),
  ]);

const receipt = (): Node => ({
  service: 'worker',
  kind: 'Consumer',
  operation: 'receipts',
  at: 0,
  ms: 30,
  attributes: { 'messaging.destination.name': 'receipts' },
  calls: [sql('worker', 'SELECT', 'orders', 4, 8)],
});

const finding = (
  facts: Partial<Finding> & Pick<Finding, 'kind' | 'service' | 'operation' | 'expected' | 'seen'>,
): Finding => ({
  group: 'structure',
  hard: false,
  evidence: 'presence',
  explanationKey: `${facts.service} ${facts.operation}`,
  spanId: '',
  parameter: '',
  support: 400,
  severity: 1,
  p: 1e-4,
  share: 1,
  candidate: false,
  startMs: TODAY,
  endMs: TODAY + 1,
  ...facts,
});

const match = (text: string, deviation: number): Verdict['match'] => ({
  family: 'POST /checkout',
  signature: 'POST /checkout #1',
  version: 'v2',
  learnedFrom: 400,
  similarity: { structure: 0.8, timing: 1, parameters: 1 },
  threshold: { structure: 0.95, timing: 0.9, parameters: 0.9 },
  deviation: { structure: deviation, timing: 0, parameters: 0, max: deviation },
  worst: 'structure',
  exact: true,
  unseenEntry: false,
  text,
});

const odd = (score: number, text: string, deviation: number, findings: readonly Finding[]): Partial<Verdict> => ({
  score,
  p: 10 ** -score,
  anomalous: true,
  match: match(text, deviation),
  findings,
});

export const SKIPPED_PAYMENT =
  "similarity 0.80 to 'POST /checkout #1' (baseline ≥ 0.95, learned from 400), deviation 4.0×: missing payments POST /charge";
const SLOW_SEARCH =
  "similarity 0.40 to 'GET /search #1' (baseline ≥ 0.90, learned from 400), deviation 6.0×: catalog GET /search took 2.5 s";
const UNSEEN_EDGE =
  "similarity 0.70 to 'GET /orders/:id #1' (baseline ≥ 0.95, learned from 400), deviation 6.0×: new orders SELECT charges";

const requests: Request[] = [];
let made = 0;

function add(
  startMs: number,
  tree: Node,
  who: ClientRecord,
  facts: Partial<Verdict> = {},
  on?: { traceId: string; parentSpanId: string },
): Request {
  const traceId = on?.traceId ?? traceOf(++made);
  const request: Request = {
    traceId,
    startMs,
    tree,
    parentSpanId: on?.parentSpanId ?? '',
    facts: { client: who, ...facts },
  };
  requests.push(request);
  return request;
}

const LEARNING: Partial<Verdict> = { state: 'learning', version: '', p: 1, score: 0, match: null };

/** A checkout and the receipt that the worker sends for it: two segments of one trace. */
function buy(startMs: number, tree: Node, who: ClientRecord, facts: Partial<Verdict> = {}): Request {
  const front = add(startMs, tree, who, facts);
  const nodes = flatten(tree);
  const producer = nodes.findIndex(({ kind }) => kind === 'Producer');
  const origin: ClientRecord = { ...who, source: 'origin' };
  add(
    startMs + 400,
    receipt(),
    origin,
    { asynchronous: true, origins: [origin], originState: 'known', ...(facts.state === 'learning' ? LEARNING : {}) },
    { traceId: front.traceId, parentSpanId: spanOf(front.traceId, tree.operation, producer) },
  );
  return front;
}

export function flatten(tree: Node): Node[] {
  return [tree, ...(tree.calls ?? []).flatMap(flatten)];
}

const anna = client(CLIENTS.anna, { user: 'anna' });
const bert = client(CLIENTS.bert);
const partner = client(CLIENTS.partner, { source: 'peer', confidence: 'low', reason: 'private-peer' });
const attacker = client(CLIENTS.attacker, { user: 'mallory' });

// Yesterday 09:00–10:00: learning. 10:00–12:00: judged, all normal.
for (let i = 0; i < 12; i++) {
  add(YESTERDAY + 9 * HOUR + i * 5 * MINUTE, product(), i % 2 === 0 ? anna : bert, LEARNING);
  if (i % 3 === 0) buy(YESTERDAY + 9 * HOUR + i * 5 * MINUTE + 30 * SECOND, checkout('1.3.0'), anna, LEARNING);
}
for (let i = 0; i < 24; i++) {
  add(YESTERDAY + 10 * HOUR + i * 5 * MINUTE, product(), i % 2 === 0 ? anna : bert);
  add(YESTERDAY + 10 * HOUR + i * 5 * MINUTE + 20 * SECOND, search(60), partner);
  if (i % 4 === 0) buy(YESTERDAY + 10 * HOUR + i * 5 * MINUTE + 40 * SECOND, checkout('1.3.0'), bert);
}
// Today 10:00–12:00, before the deploy; some come over gRPC, where nobody can tell the client.
for (let i = 0; i < 24; i++) {
  add(TODAY + 10 * HOUR + i * 5 * MINUTE, product(), i % 4 === 3 ? client(null) : anna);
  if (i % 4 === 0) buy(TODAY + 10 * HOUR + i * 5 * MINUTE + 40 * SECOND, checkout('1.3.0'), bert);
}
// From noon on with orders 1.4.0: it asks customers, which it never did, and is slow.
for (let i = 0; i < 24; i++) {
  add(TODAY + 13 * HOUR + i * 5 * MINUTE, product(), i % 4 === 3 ? client(null) : bert);
  if (i % 4 === 0)
    buy(
      TODAY + 13 * HOUR + i * 5 * MINUTE + 40 * SECOND,
      checkout('1.4.0'),
      anna,
      odd(4.1, 'new orders GET /customers/:id', 3, [
        finding({
          kind: 'unseen-edge',
          service: 'orders',
          operation: 'GET /customers/:id',
          expected: 'no such call in 400',
          seen: 'orders → customers GET /customers/:id',
          hard: true,
        }),
      ]),
    );
}
// 14:00–14:20: the search is slow for everybody; one request in three did not fit.
for (let i = 0; i < 20; i++)
  add(
    TODAY + 14 * HOUR + i * MINUTE,
    search(i % 3 === 0 ? 2_500 : 60),
    i % 2 === 0 ? partner : bert,
    i % 3 === 0
      ? odd(3.2, SLOW_SEARCH, 6, [
          finding({
            kind: 'latency',
            group: 'timing',
            service: 'catalog',
            operation: 'GET /search',
            expected: '40 ms to 90 ms in 400',
            seen: '2.5 s',
          }),
        ])
      : {},
  );
// The attacker looks around, reads other people's invoices, and buys without paying.
for (let i = 0; i < 5; i++) add(TODAY + 14 * HOUR + i * 10 * SECOND, product(), attacker);
export const invoices = [0, 1, 2].map((i) =>
  add(
    TODAY + 14 * HOUR + 2 * MINUTE + i * 10 * SECOND,
    invoice(),
    attacker,
    odd(4.6, UNSEEN_EDGE, 6, [
      finding({
        kind: 'unseen-edge',
        service: 'orders',
        operation: 'SELECT charges',
        expected: 'no such call in 400',
        seen: 'orders → SELECT charges',
        hard: true,
      }),
    ]),
  ),
);
export const attack = buy(
  TODAY + 14 * HOUR + 3 * MINUTE + 2 * SECOND,
  checkout('1.4.0', false),
  attacker,
  odd(5.3, SKIPPED_PAYMENT, 4, [
    finding({
      kind: 'required-child',
      evidence: 'absence',
      service: 'orders',
      operation: 'POST /orders',
      expected: 'payments POST /charge in 400 of 400',
      seen: 'no payments POST /charge',
      hard: true,
      severity: 3.5,
    }),
  ]),
);

export const REQUESTS: readonly Request[] = requests;
export const slowSearches = requests.filter(({ facts }) => facts.match?.text === SLOW_SEARCH);
export const newEdges = requests.filter(({ facts }) => facts.match?.text === 'new orders GET /customers/:id');

const incident = (name: string, facts: Partial<Incident> & { of: readonly Request[] }): Incident => {
  const { of: evidence, ...rest } = facts;
  const first = evidence[0]!;
  const worst = first.facts.findings?.[0];
  const startMs = first.startMs;
  const last = evidence.at(-1)!;
  return {
    id: hash(name).slice(0, 16),
    revision: 3,
    state: 'open',
    mergedInto: '',
    class: 'security',
    kind: worst?.kind ?? 'unseen-edge',
    explanationKey: worst?.explanationKey ?? '',
    entity: first.facts.client?.address ?? '',
    service: worst?.service ?? '',
    operation: worst?.operation ?? '',
    title: name,
    matchText: first.facts.match?.text ?? '',
    severity: 3,
    p: first.facts.p ?? 1,
    client: first.facts.client!,
    clients: [...new Set(evidence.flatMap(({ facts: { client: who } }) => (who?.address ? [who.address] : [])))],
    users: [...new Set(evidence.flatMap(({ facts: { client: who } }) => (who?.user ? [who.user] : [])))],
    services: [worst?.service ?? ''],
    startMs,
    endMs: last.startMs + last.tree.ms,
    openedMs: startMs + 3_200,
    closedMs: 0,
    traceCount: evidence.length,
    traceIds: evidence.slice(0, 20).map(({ traceId }) => traceId),
    occurrences: evidence.length,
    version: 'v2',
    release: '',
    hard: worst?.hard ?? false,
    findings: [],
    story: NO_STORY,
    ...rest,
  };
};

const evidenceOf = ({ traceId, startMs, tree, facts }: Request): Evidence => {
  const { kind, service, operation } = facts.findings![0]!;
  const [entrySpanId, spanId] = [0, 1].map((n) => spanOf(traceId, tree.operation, n));
  const client = facts.client!.address!;
  return { traceId, entrySpanId: entrySpanId!, spanId: spanId!, kind, service, operation, client, atMs: startMs };
};

/** How far the attacker got: other people's orders first, then a checkout without paying. */
const STORY: IncidentStory = {
  stages: [
    {
      stage: 'access',
      technique: 'T1213',
      by: 'object-enumeration',
      firstMs: invoices[0]!.startMs,
      lastMs: invoices[2]!.startMs,
      count: 3,
    },
    {
      stage: 'exploitation',
      technique: 'T1190',
      by: 'required-child',
      firstMs: attack.startMs,
      lastMs: attack.startMs,
      count: 1,
    },
  ],
  risk: 71,
  reasons: ['3 orders of others in 3 requests', 'a payment left out'],
  timeline: [
    ...invoices.slice(0, 1).map(({ startMs, traceId }) => ({
      atMs: startMs,
      what: 'stage' as const,
      text: 'access (T1213), shown by object-enumeration',
      traceId,
      client: CLIENTS.attacker,
    })),
    {
      atMs: attack.startMs,
      what: 'stage',
      text: 'exploitation (T1190), shown by required-child',
      traceId: attack.traceId,
      client: CLIENTS.attacker,
    },
  ],
  expected: [
    { depth: 0, call: 'gateway server POST /checkout', count: 1, mark: '' },
    { depth: 1, call: 'orders server POST /orders', count: 1, mark: '' },
    { depth: 2, call: 'payments server POST /charge', count: 1, mark: 'missing' },
  ],
  seen: [
    { depth: 0, call: 'gateway server POST /checkout', count: 1, mark: '' },
    { depth: 1, call: 'orders server POST /orders', count: 1, mark: '' },
  ],
  evidence: [...invoices, attack].map(evidenceOf),
  reached: ['gateway', 'orders', 'customers', 'postgresql'],
  tables: ['orders', 'charges', 'customers'],
  fields: ['card_number'],
  similar: [],
};

const stolen = incident('orders reached charges, as it never did', { of: invoices });
export const INCIDENTS = {
  unpaid: incident('POST /checkout without payments POST /charge', { of: [attack], severity: 3.5, story: STORY }),
  /** The same client's first steps, taken into the story of the unpaid checkout. */
  invoices: {
    ...stolen,
    state: 'merged' as const,
    mergedInto: hash('POST /checkout without payments POST /charge').slice(0, 16),
  },
  search: incident('catalog GET /search is slow', {
    of: slowSearches,
    class: 'operational',
    entity: 'catalog GET /search',
    state: 'closed',
    closedMs: TODAY + 14 * HOUR + 50 * MINUTE,
  }),
  edge: incident('orders calls customers GET /customers/:id, as it never did', { of: newEdges, class: 'inventory' }),
};

const actor = (name: string, facts: Partial<ActorRecord> & Pick<ActorRecord, 'subject'>): ActorRecord => ({
  id: hash(`actor ${name}`).slice(0, 16),
  revision: 5,
  abuse: '',
  evidence: 0,
  bound: 0,
  client: attacker,
  clients: [],
  clientCount: 1,
  users: ['mallory'],
  accounts: [],
  risk: STORY.risk,
  reasons: STORY.reasons,
  stages: STORY.stages,
  facts: { users: 1, requests: 9, firstSeenMs: TODAY + 14 * HOUR },
  service: 'gateway',
  operation: 'GET /invoices/:id',
  expected: '',
  seen: '',
  traceIds: invoices.map(({ traceId }) => traceId),
  startMs: invoices[0]!.startMs,
  endMs: attack.startMs,
  atMs: attack.startMs + 4_000,
  ...facts,
});

/** Who did it: the attacker over many requests and by each, the user; somebody who looked around; and a notice, which is nobody. */
export const ACTORS: readonly ActorRecord[] = [
  actor('attacker', { subject: { kind: 'client', key: CLIENTS.attacker } }),
  actor('enumeration', {
    subject: { kind: 'client', key: CLIENTS.attacker },
    abuse: 'object-enumeration',
    evidence: 7.2,
    bound: 6,
    expected: 'at most 1 invoice of others in 100 requests',
    seen: '3 of 3',
    stages: STORY.stages.slice(0, 1),
    atMs: attack.startMs,
  }),
  actor('mallory', { subject: { kind: 'user', key: 'mallory' }, risk: 64 }),
  actor('scanner', {
    subject: { kind: 'network', key: '192.0.2.0/24' },
    abuse: 'scanning',
    client: partner,
    users: [],
    evidence: 6.5,
    bound: 6,
    expected: 'few paths that are not there',
    seen: '40 of 41',
    risk: 22,
    reasons: ['paths that are not there'],
    stages: [
      {
        stage: 'reconnaissance',
        technique: 'T1595',
        by: 'scanning',
        firstMs: TODAY + 13 * HOUR,
        lastMs: TODAY + 13 * HOUR + MINUTE,
        count: 40,
      },
    ],
    startMs: TODAY + 13 * HOUR,
    endMs: TODAY + 13 * HOUR + MINUTE,
    atMs: TODAY + 13 * HOUR + MINUTE,
  }),
  actor('notice', {
    subject: { kind: 'everyone', key: '' },
    abuse: 'attribution',
    client: client(null),
    risk: 0,
    reasons: [],
    stages: [],
    users: [],
  }),
];

const alert = (name: string, about: Incident, afterMs: number, type: Alert['type'] = 'incident.opened'): Alert => ({
  id: `alert-${name}`,
  type,
  incidentId: about.id,
  createdMs: about.openedMs + afterMs,
  body: JSON.stringify({ type, title: about.title }),
});

export const ALERTS = {
  unpaid: alert('unpaid', INCIDENTS.unpaid, 100),
  search: alert('search', INCIDENTS.search, 200),
  /** No destination wants the class inventory. */
  edge: alert('edge', INCIDENTS.edge, 50),
};

const delivery = (of: Alert, destination: string, facts: Partial<Delivery>): Delivery => ({
  alertId: of.id,
  destination,
  revision: 2,
  attempt: 1,
  state: 'delivered',
  httpStatus: 204,
  error: '',
  nextAttemptMs: 0,
  updatedMs: of.createdMs + 400,
  ...facts,
});

/** What was said of them: the slow search is acknowledged and then expected, the unpaid checkout was an attack. */
export const WORDS: readonly IncidentWord[] = [
  ['search', 'acknowledge', 'ben', 'looking at the index', 10],
  ['search', 'expect-once', 'ben', 'the index is being rebuilt', 40],
  ['unpaid', 'bad', 'ana', '', 55],
].map(([name, action, by, comment, minute]) => {
  const { id, occurrences, openedMs } = INCIDENTS[name as 'search' | 'unpaid'];
  const atMs = openedMs + Number(minute) * MINUTE;
  const of = { incidentId: id, saidOf: id, occurrence: occurrences, editId: '', result: 'taken' } as const;
  return { ...of, action, by, comment, atMs, takenMs: atMs } as IncidentWord;
});

const hourAt = (hourMs: number, version: string, segments: number, below: number[], hard: number[]): RateHour => ({
  hourMs,
  version,
  segments,
  below,
  hard,
});

/** What detectors counted: yesterday as promised, today since the search is slow twice as often. */
export const RATE_HOURS: readonly RateHour[] = [
  hourAt(YESTERDAY + 14 * HOUR, 'v1', 20_000, [190, 21, 2], [0, 0, 0]),
  hourAt(TODAY + 13 * HOUR, 'v2', 20_000, [204, 19, 2], [0, 0, 0]),
  hourAt(TODAY + 14 * HOUR, 'v2', 22_000, [447, 50, 9], [7, 6, 6]),
];

export const BUDGETS: readonly BudgetState[] = RATE_HOURS.map(({ hourMs, segments }) => ({
  hourMs,
  atMs: hourMs + 59 * MINUTE,
  targetPerDay: 5,
  threshold: 1e-5,
  shift: 0,
  drift: 1,
  driftNominal: 0.01,
  segmentsPerDay: 500_000,
  segmentsLastDay: 24 * segments,
  expectedLastDay: 24 * segments * 1e-5,
  softLastDay: 1,
  benignLastWeek: 0,
  trueLastWeek: 0,
}));

/** What stayed under the threshold today. */
export const NOVELTIES: readonly DigestEntry[] = [
  ['whole-tree', 'GET /products/:id · catalog SELECT prices', 8e-5, 3],
  ['latency', 'GET /search', 4e-4, 11],
  ['parameter', 'GET /search · sort', 7e-4, 2],
].map(([kind, explanationKey, p, count]) => ({
  day: '2026-11-20',
  kind: kind as DigestEntry['kind'],
  explanationKey: String(explanationKey),
  revision: TODAY + 15 * HOUR,
  class: kind === 'latency' ? ('operational' as const) : ('security' as const),
  service: 'catalog',
  operation: String(explanationKey).split(' · ')[0]!,
  count: Number(count),
  clients: ['198.51.100.1'],
  p: Number(p),
  severity: 1,
  expected: 'seen in 400 of 400',
  seen: 'otherwise',
  matchText: '',
  traceId: slowSearches[0]!.traceId,
  firstMs: TODAY + 14 * HOUR,
  lastMs: TODAY + 14 * HOUR + 20 * MINUTE,
}));

export const DELIVERIES: readonly Delivery[] = [
  delivery(ALERTS.unpaid, 'on-call', { attempt: 2, updatedMs: ALERTS.unpaid.createdMs + 5_400 }),
  delivery(ALERTS.unpaid, 'siem', {
    state: 'dead',
    attempt: 14,
    httpStatus: 500,
    error: 'HTTP 500',
    updatedMs: ALERTS.unpaid.createdMs + 20 * HOUR,
  }),
  delivery(ALERTS.search, 'on-call', {}),
  delivery(ALERTS.search, 'siem', {
    state: 'failed',
    attempt: 3,
    httpStatus: 0,
    error: 'connection refused',
    nextAttemptMs: ALERTS.search.createdMs + HOUR,
    updatedMs: ALERTS.search.createdMs + 10 * MINUTE,
  }),
];
