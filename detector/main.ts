/** Builds the detector on the platform of a process. */

import { createLearners } from '../baseline/all-learners.ts';
import { type Baseline, createBaselineLoader } from '../baseline/baseline.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import { createClosedDays } from '../runtime/clickhouse/closed-days.ts';
import { createStore } from '../runtime/clickhouse/store.ts';
import type { Platform } from '../runtime/platform.ts';
import { observeAssembly, observeReading } from '../runtime/telemetry/observed.ts';
import { createAssembler } from '../traces/assembly/assembler.ts';
import { createForeignTest } from '../traces/attribution/foreign.ts';
import { createReadingKit } from '../traces/kit.ts';
import { createSensitiveTest } from '../traces/redaction/names.ts';
import { createRedactor } from '../traces/redaction/redactor.ts';
import { redactVerdict } from '../traces/redaction/verdict.ts';
import { createActorEvents } from './core/actor-events.ts';
import { createKeyedHash } from './core/keyed-hash.ts';
import { createEdges } from './edges.ts';
import { createInventoryWriter } from './inventory.ts';
import { createDetector, type Detector } from './service.ts';
import { createVersions } from './versions.ts';

export function createDetectorRole({ config, log, clickhouse, logger: parent, metrics }: Platform): Detector {
  const logger = parent.child({ role: 'detector' });
  const redactor = createRedactor(config.redaction);
  const redact = (verdict: Parameters<typeof redactVerdict>[1]) => redactVerdict(redactor, verdict);
  const store = createStore(clickhouse, { redactor, redactVerdict: redact, now: Date.now });
  const { symbols, reader, segment } = createReadingKit(config);
  observeReading(metrics, 'detector', reader.stats);
  const learners = createLearners({ hashKey: config.redaction.key });
  const load = async (version: string): Promise<Baseline> => {
    const loader = createBaselineLoader(symbols, learners);
    await store.readVersion<Baseline['manifest'], BaselineEntry>(version, loader.take);
    return loader.finish();
  };
  const versions = createVersions({ log, logger, now: Date.now, load });
  const edges = createEdges(versions.at, reader);
  const isForeign = createForeignTest(reader.clientAt, edges);
  const detector = createDetector(
    { assembly: config.assembly, detector: config.detector, keepsAll: config.clickhouse.keep === 'all' },
    {
      log,
      store: {
        createBatch: store.createBatch,
        storedSpanIds: store.storedSpanIds,
        storedVerdicts: store.storedVerdicts,
        async clientsOfTrace(traceId, spanId) {
          const found = await store.segmentOfSpan(traceId, spanId);
          if (found === undefined || found.originState === 'pending') return [];
          if (found.originState === 'known') return found.origins;
          return [...found.origins, found.client]; // the client of unknown origins: others may be behind it
        },
        reachable: async () => (await clickhouse.client.ping({ select: true })).success,
      },
      versions,
      inventory: createInventoryWriter(store, { now: Date.now }),
      redact,
      actorEvents: createActorEvents(config.actors, {
        symbols,
        redactor,
        hash: createKeyedHash(config.redaction.key, 'objects'),
      }),
      createAssembler: (sink) =>
        observeAssembly(
          metrics,
          'detector',
          createAssembler(config.assembly, { sink, isEdge: edges.isEdge, isForeign }),
        ),
      segment,
      read: reader.read,
      isSensitive: createSensitiveTest(config.redaction),
      logger,
      metrics,
      now: Date.now,
    },
  );
  const closedDays = createClosedDays(
    { lateMs: config.assembly.lateMs },
    { clickhouse, owns: () => detector.owns(0), now: Date.now, logger },
  );
  return {
    ...detector,
    async start() {
      await detector.start();
      await closedDays.start();
    },
    async stop(deadlineMs) {
      await Promise.all([closedDays.stop(deadlineMs), detector.stop(deadlineMs)]);
    },
  };
}
