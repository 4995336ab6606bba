/** A shop whose catalogue names no routes: its products' SKUs are words in the path. And a trainer that learns it, moved by hand. */
import { createLearners } from '../../../baseline/all-learners.ts';
import { loadBaseline } from '../../../baseline/baseline.ts';
import { createLearning } from '../../../baseline/learning/learning.ts';
import type { BaselineEntry } from '../../../baseline/model.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createMemoryLog, type MemoryLog } from '../../../runtime/log/memory.ts';
import type { MemoryStore } from '../../../runtime/log/memory-store.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { AnsweredRequest } from '../../../schemas/baselines/request.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { trainerSection } from '../../../schemas/config/trainer.ts';
import { decodeVersionAnnouncement } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit, type ReadingKit } from '../../../traces/kit.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { countersOf } from '../../../trainer/derive.ts';
import { createTrainer, type PublishedVersion } from '../../../trainer/service.ts';
import { createTemplateBook } from '../../../trainer/templates.ts';
import { EPOCH_MS, tracesData, type WireSpan } from '../traces/otlp.ts';

export const newKit = (): ReadingKit =>
  createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });

export const LEARNERS = createLearners({ hashKey: 'a test' });

const MAKERS = ['HAL', 'STAN', 'EPE', 'RED', 'EVE', 'UHJ', 'CNA', 'RMC'];
/** A product of the catalogue; a word without a digit in it, or one that ends in a small number. */
export const skuOf = (n: number): string => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
  const tail = `${letters[n % 26]}${letters[Math.floor(n / 26) % 26]}${letters[Math.floor(n / 676) % 26]}`;
  return `${MAKERS[n % MAKERS.length]}-${n % 3 === 0 ? 1 : tail}${tail}`;
};

export const traceIdOf = (n: number): string => (n + 1).toString(16).padStart(32, 'd');
const spanIdOf = (trace: number, n: number): string => ((trace + 1) * 64 + n).toString(16).padStart(16, '0');

/** Browser → web → catalogue, both without http.route; /salaries is another service's. `atMs`: milliseconds after EPOCH_MS. */
export function pageTrace(trace: number, atMs: number, path: string): WireSpan[] {
  const traceId = traceIdOf(trace);
  const server = (n: number, service: string, at: number, ms: number, urlPath: string, more: object): WireSpan => ({
    traceId,
    spanId: spanIdOf(trace, n),
    service,
    name: 'GET',
    kind: 'server',
    start: at,
    end: at + ms,
    attributes: { 'http.request.method': 'GET', 'url.path': urlPath, 'http.response.status_code': 200 },
    ...more,
  });
  const entry = server(1, 'web', atMs, 30 + (trace % 5), `/api/catalogue${path}`, {});
  return [
    { ...entry, attributes: { ...entry.attributes, 'network.peer.address': `198.51.100.${trace % 40}` } },
    {
      traceId,
      spanId: spanIdOf(trace, 2),
      parent: spanIdOf(trace, 1),
      flags: 0x100,
      service: 'web',
      name: 'GET',
      kind: 'client',
      start: atMs + 2,
      end: atMs + 25,
      attributes: {
        'http.request.method': 'GET',
        'url.full': `http://catalogue:8080${path}`,
        'server.address': 'catalogue',
        'server.port': 8080,
        'http.response.status_code': 200,
      },
    },
    server(3, path.startsWith('/salaries') ? 'payroll' : 'catalogue', atMs + 4, 15, path, {
      parent: spanIdOf(trace, 2),
      flags: 0x300,
    }),
  ];
}

export interface TrainerWorld {
  readonly versions: PublishedVersion[];
  /** Versions as they were announced. */
  announced(): Promise<string[]>;
  readonly sentences: { msg: string; level: string }[];
  /** Requests for these paths, spread over `overMs`, each learned when it returns. */
  visit(paths: readonly string[], overMs: number): Promise<void>;
  /** As a crash and a start: the log and the store stay. */
  restart(): Promise<void>;
  readonly book: () => ReturnType<typeof createTemplateBook>;
}

/** Operators at the trainer's door; what they ask for and hear is kept here, as in the store. */
export interface Operators {
  edits: readonly BaselineEntry[];
  readonly requests: AnsweredRequest[];
  readonly imported: Map<string, readonly BaselineEntry[]>;
  /** The answer to a request is lost: the process dies before it is written. */
  losing: boolean;
}

export const newOperators = (): Operators => ({ edits: [], requests: [], imported: new Map(), losing: false });

export async function createTrainerWorld(
  operators: Operators = newOperators(),
  /** Looked at with each start. */
  settings: { minSegments?: number; alpha?: number } = {},
): Promise<TrainerWorld> {
  let nowMs = EPOCH_MS;
  const now = (): number => nowMs;
  let log: MemoryLog = createMemoryLog({ now });
  const kept: MemoryStore = log.store;
  await log.ensureTopic('spans', { partitions: 2, retentionMs: 1e9 });
  await log.ensureTopic('baselines', { partitions: 1, retentionMs: 1e9 });
  const versions: PublishedVersion[] = [];
  const sentences: { msg: string; level: string }[] = [];
  const logger = createLogger(
    { name: 'test', level: 'info' },
    { stream: { write: (line: string) => sentences.push(JSON.parse(line) as { msg: string; level: string }) } },
  );
  let trace = 0;
  let book = createTemplateBook({ settleMs: 30_000 });

  async function start(): Promise<void> {
    const kit = newKit();
    const rescored = createSegment(kit.symbols);
    book = createTemplateBook({ settleMs: 30_000 });
    const templates = book;
    const trainer = createTrainer(
      trainerSection.parse({ publishEveryMs: 10_000, publishGrowth: 0.2, publishAtLeastMs: 60_000, pollMs: 1_000 }),
      {
        log,
        store: {
          async insertVersion(baseline, _previous, partials, paths) {
            versions.push({ baseline, entries: [...baseline.entries()], partials, paths });
          },
          async latestVersion() {
            const last = versions.at(-1);
            if (last === undefined) return null;
            const counters = versions.findLast(
              ({ baseline }) => baseline.version === countersOf(last.baseline.manifest),
            );
            return {
              ...(counters ?? last),
              entries: last.entries,
              baseline: loadBaseline(last.entries, kit.symbols, LEARNERS),
            };
          },
        },
        learning: createLearning(
          learningSection.parse({
            ...{ profile: 'export', spanMs: 60_000, maxObserved: 1 },
            alpha: settings.alpha ?? 0.01,
            minSegments: settings.minSegments ?? 600,
          }),
          {
            symbols: kit.symbols,
            learners: LEARNERS,
            rescore: (spans) => (kit.reader.read(spans, rescored, templates.current) ? rescored : undefined),
          },
        ),
        templates,
        operators: {
          edits: { read: async () => operators.edits },
          keyId: LEARNERS.keyId!,
          requests: {
            pending: async () => operators.requests.filter(({ answer }) => /open|confirming/.test(answer.state)),
            async answer(request, answer) {
              const at = operators.requests.findIndex(({ id }) => id === request.id);
              if (!operators.losing) operators.requests[at] = { ...operators.requests[at]!, answer };
            },
            madeFor: async (id) =>
              versions.find(({ baseline }) => baseline.manifest.request === id)?.baseline.version ?? '',
            async loadVersion(version) {
              const found = versions.find(({ baseline }) => baseline.version === version);
              if (found === undefined) throw new SpanwardenError('BASELINE_UNKNOWN', `${version} is not stored`);
              return { manifest: found.baseline.manifest, entries: found.entries };
            },
            loadImported: async (version) => operators.imported.get(version) ?? [],
          },
        },
        createAssembler: (sink) =>
          createAssembler(
            assemblySection.parse({
              graceMs: 500,
              absenceGraceMs: 1_000,
              idleMs: 3_000,
              maxAgeMs: 6_000,
              lateMs: 2_000,
            }),
            { sink },
          ),
        segment: kit.segment,
        read: kit.reader.read,
        load: (given) => loadBaseline(given, kit.symbols, LEARNERS),
        logger,
        metrics: createMetrics(),
        now,
      },
    );
    await trainer.start();
    await pass(1_000);
  }

  /** Publishing goes on beside the handlers, in turns of the event loop. */
  async function pass(ms: number): Promise<void> {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs = Math.min(endMs, nowMs + 500);
      await log.tick();
      for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve));
      await log.settled();
    }
  }

  await start();
  return {
    versions,
    sentences,
    book: () => book,
    async announced() {
      const records = await log.read('baselines', 0, 0, 1_000);
      return records.map(({ value }) => decodeVersionAnnouncement(value)!.version);
    },
    async visit(paths, overMs) {
      const steps = Math.max(1, Math.round(overMs / 500));
      for (let step = 0; step < steps; step++) {
        const from = Math.floor((step * paths.length) / steps);
        const to = Math.floor(((step + 1) * paths.length) / steps);
        const records = paths.slice(from, to).map((path) => {
          const n = trace++;
          return { kind: RecordKind.spans, key: traceIdOf(n), value: tracesData(pageTrace(n, nowMs - EPOCH_MS, path)) };
        });
        if (records.length > 0) await log.produce('spans', records);
        await pass(500);
      }
      await pass(4_000);
    },
    async restart() {
      log.crash();
      log = createMemoryLog({ now, store: kept });
      await start();
    },
  };
}

/** Operations of a service that a version has learned. */
export const operationsOf = (entries: readonly BaselineEntry[], service: string): string[] =>
  entries
    .filter(({ group, kind, key }) => group === 'structure' && kind === 'label' && key.startsWith(`${service} `))
    .map(({ key }) => key.slice(service.length + 1))
    .sort();

export const levelsOf = (entries: readonly BaselineEntry[], kind: 'level' | 'coming'): string[] =>
  entries.filter((entry) => entry.group === 'templates' && entry.kind === kind).map(({ key }) => key);
