/** A small shop's requests as spans, and a baseline learned from them: what the detector's tests run on. */

import { createLearners } from '../../../baseline/all-learners.ts';
import { type Baseline, loadBaseline } from '../../../baseline/baseline.ts';
import { createLearning } from '../../../baseline/learning/learning.ts';
import type { BaselineEntry } from '../../../baseline/model.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { createReadingKit, type ReadingKit } from '../../../traces/kit.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { EPOCH_MS, segmentSpansOf, type WireSpan } from '../traces/otlp.ts';

/** Of a span's flags: the parent's place is known, and the parent is in another process. */
const REMOTE = 0x300;
const LOCAL = 0x100;

export const traceIdOf = (n: number): string => `c${(n + 1).toString(16).padStart(31, '0')}`;
export const spanIdOf = (trace: number, n: number): string => ((trace + 1) * 64 + n).toString(16).padStart(16, '0');

export type Oddity = 'none' | 'statement' | 'pair';

/** Browser → gateway → catalog → database. Times are milliseconds after EPOCH_MS. */
export function searchTrace(trace: number, atMs: number, client: string, oddity: Oddity = 'none'): WireSpan[] {
  const id = (n: number) => spanIdOf(trace, n);
  const traceId = traceIdOf(trace);
  const jitter = (trace * 7) % 5;
  return [
    {
      traceId,
      spanId: id(1),
      service: 'gateway',
      name: 'GET /search',
      kind: 'server',
      start: atMs,
      end: atMs + 30 + jitter,
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/search',
        'http.response.status_code': 200,
        'network.peer.address': client,
      },
    },
    {
      traceId,
      spanId: id(2),
      parent: id(1),
      flags: LOCAL,
      service: 'gateway',
      name: 'GET',
      kind: 'client',
      start: atMs + 2,
      end: atMs + 25 + jitter,
      attributes: { 'http.request.method': 'GET', 'server.address': 'catalog', 'http.response.status_code': 200 },
    },
    {
      traceId,
      spanId: id(3),
      parent: id(2),
      flags: REMOTE,
      service: oddity === 'pair' ? 'payments' : 'catalog',
      name: 'GET /items',
      kind: 'server',
      start: atMs + 4,
      end: atMs + 22 + jitter,
      attributes: { 'http.request.method': 'GET', 'http.route': '/items', 'http.response.status_code': 200 },
    },
    {
      traceId,
      spanId: id(4),
      parent: id(3),
      flags: LOCAL,
      service: oddity === 'pair' ? 'payments' : 'catalog',
      name: 'SELECT items',
      kind: 'client',
      start: atMs + 6,
      end: atMs + 12 + jitter,
      attributes: {
        'db.system.name': 'postgresql',
        'db.query.text':
          oddity === 'statement'
            ? "SELECT name FROM items WHERE title = '' UNION SELECT password FROM users"
            : 'SELECT name FROM items WHERE title = $1',
      },
    },
  ];
}

/** Browser → gateway → a job that a worker takes later: its producer span is number 2. */
export function orderTrace(trace: number, atMs: number, client: string): WireSpan[] {
  const id = (n: number) => spanIdOf(trace, n);
  const traceId = traceIdOf(trace);
  return [
    {
      traceId,
      spanId: id(1),
      service: 'gateway',
      name: 'POST /orders',
      kind: 'server',
      start: atMs,
      end: atMs + 20,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/orders',
        'http.response.status_code': 202,
        'network.peer.address': client,
      },
    },
    {
      traceId,
      spanId: id(2),
      parent: id(1),
      flags: LOCAL,
      service: 'gateway',
      name: 'publish jobs',
      kind: 'producer',
      start: atMs + 5,
      end: atMs + 8,
      attributes: {
        'messaging.system': 'jobs',
        'messaging.destination.name': 'jobs',
        'messaging.operation.type': 'send',
      },
    },
  ];
}

/** The worker's part, in a trace of its own that links to the producer span. */
export function jobTrace(trace: number, atMs: number, producerTraces: readonly number[], oddity: Oddity): WireSpan[] {
  const id = (n: number) => spanIdOf(trace, n);
  const traceId = traceIdOf(trace);
  return [
    {
      traceId,
      spanId: id(1),
      service: 'worker',
      name: 'process jobs',
      kind: 'consumer',
      start: atMs,
      end: atMs + 15,
      attributes: {
        'messaging.system': 'jobs',
        'messaging.destination.name': 'jobs',
        'messaging.operation.type': 'process',
      },
      links: producerTraces.map((producer) => ({ traceId: traceIdOf(producer), spanId: spanIdOf(producer, 2) })),
    },
    {
      traceId,
      spanId: id(2),
      parent: id(1),
      flags: LOCAL,
      service: 'worker',
      name: 'INSERT shipments',
      kind: 'client',
      start: atMs + 3,
      end: atMs + 9,
      attributes: {
        'db.system.name': 'postgresql',
        'db.query.text':
          oddity === 'none' ? 'INSERT INTO shipments (item) VALUES ($1)' : 'DELETE FROM shipments WHERE true',
      },
    },
  ];
}

export const newKit = (): ReadingKit =>
  createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });

const LEARNERS = createLearners({ hashKey: 'a test' });

export const loadInto = (entries: readonly BaselineEntry[], kit: ReadingKit): Baseline =>
  loadBaseline(entries, kit.symbols, LEARNERS);

/** Entries of a version that can raise alerts, learned from `count` requests of 40 clients over a minute. */
export function learnEntries(count: number): readonly BaselineEntry[] {
  const kit = newKit();
  const spare = createSegment(kit.symbols);
  const learning = createLearning(
    learningSection.parse({ profile: 'export', alpha: 0.01, spanMs: 60_000, maxObserved: 1, minSegments: 100 }),
    {
      symbols: kit.symbols,
      learners: LEARNERS,
      rescore: (spans) => (kit.reader.read(spans, spare) ? spare : undefined),
    },
  );
  for (let i = 0; i < count; i++) {
    const atMs = -200_000 + (i * 60_000) / count;
    const client = `198.51.100.${i % 40}`;
    const trace = 1_000_000 + 2 * i;
    const kind = i % 4;
    const spans =
      kind === 1
        ? orderTrace(trace, atMs, client)
        : kind === 2
          ? jobTrace(trace, atMs, [trace - 2], 'none')
          : searchTrace(trace, atMs, client);
    const segment = segmentSpansOf(spans, { appendMs: EPOCH_MS + atMs + 50, asynchronous: kind === 2 });
    if (kit.reader.read(segment, kit.segment)) learning.learn(kit.segment, segment, false);
  }
  const baseline = learning.publish({ parent: '', previous: [], offsets: [0] });
  if (!baseline.manifest.alerting) throw new Error(`cannot alert: ${baseline.manifest.learning.join('; ')}`);
  return [...baseline.entries()];
}

let learned: { readonly baseline: Baseline; readonly entries: readonly BaselineEntry[] } | undefined;

/** The same, compiled; learned once a process. */
export function loadedBaseline() {
  if (learned === undefined) {
    const entries = learnEntries(600);
    learned = { entries, baseline: loadInto(entries, newKit()) };
  }
  return learned;
}
