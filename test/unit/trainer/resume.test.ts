/** A trainer that is killed at any moment goes on from its last version, and ends with the same counters. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadBaseline } from '../../../baseline/baseline.ts';
import { createLearning, type Learning } from '../../../baseline/learning/learning.ts';
import { createMemoryLog, type MemoryLog } from '../../../runtime/log/memory.ts';
import type { Consumer, ConsumerHandler } from '../../../runtime/log/port.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { trainerSection } from '../../../schemas/config/trainer.ts';
import { decodeVersionAnnouncement } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { createTrainer, type PublishedVersion, type Trainer } from '../../../trainer/service.ts';
import { createTemplateBook } from '../../../trainer/templates.ts';
import { jobTrace, orderTrace, searchTrace } from '../detector/traffic.ts';
import { EPOCH_MS, tracesData, type WireSpan } from '../traces/otlp.ts';
import { LEARNERS, newKit } from './robot-shop.ts';

const ASSEMBLY = assemblySection.parse({
  graceMs: 500,
  absenceGraceMs: 1_000,
  idleMs: 3_000,
  maxAgeMs: 6_000,
  lateMs: 2_000,
});

type Death = 'before the rows' | 'before the announcement';

async function createWorld() {
  let nowMs = EPOCH_MS;
  const now = (): number => nowMs;
  let log: MemoryLog = createMemoryLog({ now });
  const kept = log.store;
  await log.ensureTopic('spans', { partitions: 2, retentionMs: 1e9 });
  await log.ensureTopic('baselines', { partitions: 1, retentionMs: 1e9 });
  const versions: PublishedVersion[] = [];
  let trainer: Trainer | undefined;
  let learning: Learning | undefined;
  let dying: Death | undefined;
  let handler: ConsumerHandler | undefined;
  let consumer: Consumer | undefined;
  let trace = 0;

  async function start(): Promise<void> {
    const kit = newKit();
    const rescored = createSegment(kit.symbols);
    const templates = createTemplateBook({ settleMs: 30_000 });
    const own = log;
    const alive = (): boolean => own === log;
    const gone = <T>(): Promise<T> => new Promise<T>(() => {});
    learning = createLearning(
      learningSection.parse({ profile: 'export', alpha: 0.01, spanMs: 60_000, maxObserved: 1, minSegments: 150 }),
      {
        symbols: kit.symbols,
        learners: LEARNERS,
        rescore: (spans) => (kit.reader.read(spans, rescored, templates.current) ? rescored : undefined),
      },
    );
    trainer = createTrainer(trainerSection.parse({ publishEveryMs: 8_000, publishGrowth: 0.3 }), {
      log: {
        ...own,
        consumer(options) {
          handler = options.handler;
          consumer = own.consumer(options);
          return consumer;
        },
      },
      store: {
        async insertVersion(baseline, _previous, partials, paths) {
          if (!alive()) return gone();
          if (dying === 'before the rows') return kill();
          versions.push({ baseline, entries: [...baseline.entries()], partials, paths });
          if (dying === 'before the announcement') return kill();
        },
        async latestVersion() {
          const last = versions.at(-1);
          if (last === undefined) return null;
          return { ...last, baseline: loadBaseline(last.entries, kit.symbols, LEARNERS) };
        },
      },
      learning,
      templates,
      createAssembler: (sink) => createAssembler(ASSEMBLY, { sink }),
      segment: kit.segment,
      read: kit.reader.read,
      load: (given) => loadBaseline(given, kit.symbols, LEARNERS),
      logger: createLogger({ name: 'test', level: 'silent' }),
      metrics: createMetrics(),
      now,
    });
    await trainer.start();
  }

  /** The process is gone; what it waits for never comes. */
  function kill<T>(): Promise<T> {
    dying = undefined;
    log.crash();
    log = createMemoryLog({ now, store: kept });
    trainer = undefined;
    return new Promise<T>(() => {});
  }

  async function pass(ms: number): Promise<void> {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs = Math.min(endMs, nowMs + 500);
      if (trainer === undefined) await start();
      const ticked = log.tick();
      // publishing goes on beside the handlers, in turns of the event loop
      for (let turn = 0; turn < 300; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (trainer !== undefined) await ticked;
    }
  }

  return {
    versions,
    pass,
    kill,
    /** All partitions are taken away, and given back. */
    async handOver(): Promise<void> {
      if (trainer === undefined || handler === undefined) return;
      for (const partition of [0, 1]) handler.revoked(partition);
      for (const partition of [0, 1]) {
        const from = await handler.assigned({ partition, generation: 1, committed: 0 });
        consumer!.seek(partition, from ?? 0);
      }
    },
    die(how: Death) {
      dying = how;
    },
    get learning() {
      return learning!;
    },
    async send(count: number): Promise<void> {
      const records: { kind: typeof RecordKind.spans; key: string; value: Uint8Array }[] = [];
      for (let i = 0; i < count; i++) {
        const n = 2 * trace++;
        const atMs = nowMs - EPOCH_MS - 40;
        const client = `198.51.100.${n % 40}`;
        const kind = n % 3;
        const spans: readonly WireSpan[] =
          kind === 0
            ? searchTrace(n, atMs, client)
            : kind === 1
              ? orderTrace(n, atMs, client)
              : jobTrace(n, atMs, [n - 2], 'none');
        records.push({ kind: RecordKind.spans, key: spans[0]!.traceId!, value: tracesData(spans) });
      }
      await log.produce('spans', records);
    },
    async announced(): Promise<string[]> {
      const records = await log.read('baselines', 0, 0, 1_000);
      return records.map(({ value }) => decodeVersionAnnouncement(value)!.version);
    },
  };
}

type World = Awaited<ReturnType<typeof createWorld>>;

interface Kill {
  readonly afterRounds: number;
  readonly how: Death | 'at once';
}

async function play(kills: readonly Kill[]): Promise<World> {
  const world = await createWorld();
  for (let round = 0; round < 40; round++) {
    for (const { afterRounds, how } of kills) {
      if (afterRounds !== round) continue;
      if (how === 'at once') void world.kill();
      else world.die(how);
    }
    await world.send(15);
    await world.pass(1_000);
  }
  await world.pass(6_000);
  return world;
}

/** What the counters give: entries in an order of their own. */
const modelsOf = (learning: Learning): string[] =>
  [...learning.publish({ parent: '', previous: [], offsets: [0, 0] }).entries()]
    .filter(({ group }) => GROUPS.some((one) => one === group))
    .map((entry) => JSON.stringify(entry))
    .sort();

it('killed anywhere, also while it publishes: the same segments counted once, every version announced', async () => {
  const quiet = await play([]);
  const wanted = modelsOf(quiet.learning);
  expect(quiet.versions.length).toBeGreaterThan(2);
  expect(quiet.learning.progress().segments).toBe(600);
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          afterRounds: fc.integer({ min: 1, max: 38 }),
          how: fc.constantFrom<Kill['how']>('at once', 'before the rows', 'before the announcement'),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      async (kills) => {
        const world = await play(kills);
        expect(world.learning.progress().segments).toBe(600);
        expect(modelsOf(world.learning)).toEqual(wanted);
        expect(new Set(await world.announced())).toEqual(
          new Set(world.versions.map(({ baseline }) => baseline.version)),
        );
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 3) },
  );
}, 60_000);

it('loses its partitions now and then and gets them back: every segment counted once, no version without what was learned before', async () => {
  const world = await createWorld();
  for (let round = 0; round < 40; round++) {
    await world.send(15);
    await world.pass(1_000);
    await world.pass(250 * (round % 4));
    if (round % 2 === 1) await world.handOver();
  }
  await world.pass(6_000);
  expect(world.versions.length).toBeGreaterThan(1);
  const offsets = world.versions.map(({ baseline }) => baseline.manifest.offsets);
  for (const [i, next] of offsets.entries())
    for (const partition of [0, 1]) expect(next[partition]).toBeGreaterThanOrEqual(offsets[i - 1]?.[partition] ?? 1);
  expect(world.learning.progress().segments).toBe(600);
}, 60_000);
