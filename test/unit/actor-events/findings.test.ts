/** What is said of an actor when something is found: each finding once for each client that it turns out to be. */
import { expect, test } from 'vitest';
import { createActorEvents } from '../../../detector/core/actor-events.ts';
import { createKeyedHash } from '../../../detector/core/keyed-hash.ts';
import { actorsSection } from '../../../schemas/config/actors.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import type { ClientRecord, Finding, Verdict } from '../../../schemas/log/verdict.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { createSymbols } from '../../../traces/symbols.ts';

const newEvents = () =>
  createActorEvents(actorsSection.parse({}), {
    symbols: createSymbols({ maxTexts: 100, maxLabels: 100 }),
    redactor: createRedactor(redactionSection.parse({})),
    hash: createKeyedHash('', 'objects'),
  });

const client = (address: string | null, more: Partial<ClientRecord> = {}): ClientRecord => ({
  address,
  source: address === null ? 'none' : 'peer',
  confidence: address === null ? 'none' : 'high',
  reason: address === null ? 'origin-pending' : '',
  hops: [],
  entrySpanId: 'f'.repeat(16),
  entryTraceId: 'e'.repeat(32),
  user: null,
  session: null,
  ...more,
});

const finding = (kind: Finding['kind'], severity: number, hard = false): Finding => ({
  kind,
  group: 'structure',
  hard,
  evidence: 'presence',
  explanationKey: `${kind} of orders`,
  service: 'orders',
  operation: 'GET /orders/{id}',
  spanId: 'f'.repeat(16),
  parameter: '',
  expected: '',
  seen: '',
  support: 1,
  severity,
  p: 0.001,
  share: 1,
  candidate: false,
  startMs: 5,
  endMs: 6,
});

const verdict = (revision: number, findings: readonly Finding[], more: Partial<Verdict> = {}): Verdict => ({
  id: `20260101-${'e'.repeat(32)}-${'f'.repeat(16)}`,
  traceId: 'e'.repeat(32),
  entrySpanId: 'f'.repeat(16),
  partition: 3,
  firstOffset: 1,
  appendMs: 1_000,
  revision,
  stage: 1,
  state: 'scored',
  version: 'v1',
  asynchronous: false,
  service: 'gateway',
  operation: 'GET /orders/{id}',
  startMs: 900,
  endMs: 950,
  spanCount: 4,
  truncated: false,
  score: 4,
  p: 1e-4,
  anomalous: true,
  groups: { structure: 1, timing: 1, parameters: 1, status: 1 },
  match: null,
  client: client('203.0.113.7'),
  origins: [],
  originState: 'none',
  findings,
  ...more,
});

const kindsOf = (events: ReturnType<typeof newEvents>, of: Verdict) =>
  events.findings(of)?.findings.map(({ kind }) => kind) ?? null;

test('hard ones first, then by severity; as events for actors, nothing of the request', () => {
  const said = newEvents().findings(
    verdict(9, [finding('order', 1), finding('child-set', 8), finding('egress', 2, true)]),
  )!;
  expect(said.findings.map(({ kind }) => kind)).toEqual(['egress', 'child-set', 'order']);
  expect(said).toMatchObject({ part: 'findings', revision: 9, atMs: 1_000, objects: [], login: null, anomalous: true });
});

test('told again: only what is new', () => {
  const events = newEvents();
  expect(kindsOf(events, verdict(9, [finding('order', 1)]))).toEqual(['order']);
  expect(kindsOf(events, verdict(11, [finding('order', 1)]))).toBeNull();
  expect(kindsOf(events, verdict(13, [finding('order', 1), finding('required-child', 1, true)]))).toEqual([
    'required-child',
  ]);
  expect(kindsOf(events, verdict(14, []))).toBeNull(); // withdrawn
});

test('nobody is told of; all of it when somebody is known', () => {
  const events = newEvents();
  const pending = { client: client(null), originState: 'pending', asynchronous: true } as const;
  expect(kindsOf(events, verdict(9, [finding('order', 1)], pending))).toBeNull();
  const known = { client: client('203.0.113.9'), originState: 'known', asynchronous: true } as const;
  expect(kindsOf(events, verdict(10, [finding('order', 1)], known))).toEqual(['order']);
  expect(kindsOf(events, verdict(10, [finding('order', 1)], known))).toBeNull();
});

test('weak evidence alone goes to a client that became known late', () => {
  const known = { client: client('203.0.113.9'), originState: 'known', asynchronous: true } as const;
  expect(kindsOf(newEvents(), verdict(10, [], known))).toEqual([]);
  expect(kindsOf(newEvents(), verdict(10, []))).toBeNull(); // it was in the first part
});

test('an unknown client with a peer is somebody', () => {
  const odd = { client: client(null, { reason: 'malformed', peer: '198.51.100.1' }) };
  expect(kindsOf(newEvents(), verdict(9, [finding('order', 1)], odd))).toEqual(['order']);
});

test('a partition that comes back is told anew; others are not', () => {
  const events = newEvents();
  events.findings(verdict(9, [finding('order', 1)]));
  events.drop(2);
  expect(kindsOf(events, verdict(9, [finding('order', 1)]))).toBeNull();
  events.drop(3);
  expect(kindsOf(events, verdict(9, [finding('order', 1)]))).toEqual(['order']);
});
