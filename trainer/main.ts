/** Builds the trainer on the platform of a process. */

import { createLearners } from '../baseline/all-learners.ts';
import { type Baseline, loadBaseline } from '../baseline/baseline.ts';
import { createLearning } from '../baseline/learning/learning.ts';
import { bucketMs } from '../baseline/learning/profile.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import { createStore } from '../runtime/clickhouse/store.ts';
import type { PartialRow } from '../runtime/clickhouse/stored-versions.ts';
import type { Platform } from '../runtime/platform.ts';
import { observeAssembly, observeReading } from '../runtime/telemetry/observed.ts';
import { createAssembler } from '../traces/assembly/assembler.ts';
import { createForeignTest } from '../traces/attribution/foreign.ts';
import { createReadingKit } from '../traces/kit.ts';
import { rulesWith } from '../traces/operations/learned-templates.ts';
import { createSegment } from '../traces/reading/columns.ts';
import { createRedactor } from '../traces/redaction/redactor.ts';
import { redactVerdict } from '../traces/redaction/verdict.ts';
import { type EditsSource, NO_EDITS } from './edits.ts';
import { createTrainer, type Trainer } from './service.ts';
import { createTemplateBook } from './templates.ts';

/** Group under which a partition's counters are kept: they are encoded together. */
const PARTIAL_GROUP = 'all';
const PATHS_GROUP = 'templates';
/** Versions looked through for that of a request that a trainer died over. */
const RECENT_VERSIONS = 200;
/** One more than admission asks for (DETECTION §7): the first and the last are not whole. */
const SETTLE_BUCKETS = 6;

/** Operators' edits in rows; what they are is the console's and baseline/edits' part. */
export type EditsOf = (platform: Platform) => EditsSource;

export function createTrainerRole(platform: Platform, editsOf: EditsOf = () => NO_EDITS): Trainer {
  const { config, log, clickhouse, logger: parent, metrics } = platform;
  const logger = parent.child({ role: 'trainer' });
  const redactor = createRedactor(config.redaction);
  const store = createStore(clickhouse, {
    redactor,
    redactVerdict: (verdict) => redactVerdict(redactor, verdict),
    now: Date.now,
  });
  const { symbols, reader, segment } = createReadingKit(config);
  const isForeign = createForeignTest(reader.clientAt);
  observeReading(metrics, 'trainer', reader.stats);
  const learners = createLearners({ hashKey: config.redaction.key });
  const rescored = createSegment(symbols);
  const templates = createTemplateBook({
    settleMs: SETTLE_BUCKETS * bucketMs(config.learning),
    rules: rulesWith(config.learning.pathTemplates),
  });
  const learning = createLearning(config.learning, {
    symbols,
    learners,
    rescore: (spans) => (reader.read(spans, rescored, templates.current) ? rescored : undefined),
  });
  const rowsOf = (group: string, payloads: ReadonlyMap<number, Uint8Array>): PartialRow[] =>
    [...payloads].map(([partition, payload]) => ({ partition, block: 0, group, payload }));
  const payloadsOf = (group: string, rows: readonly PartialRow[]): Map<number, Uint8Array> =>
    new Map(rows.filter((row) => row.group === group).map(({ partition, payload }) => [partition, payload]));
  return createTrainer(config.trainer, {
    log,
    store: {
      insertVersion: (baseline, previous, partials, paths) =>
        store.insertVersion({
          manifest: baseline.manifest,
          entries: baseline.entries(),
          previous,
          partials: [...rowsOf(PARTIAL_GROUP, partials), ...rowsOf(PATHS_GROUP, paths)],
        }),
      async latestVersion() {
        const found = await store.latestVersion<Baseline['manifest'], BaselineEntry>();
        if (found === null) return null;
        return {
          baseline: loadBaseline(found.entries, symbols, learners),
          entries: found.entries,
          partials: payloadsOf(PARTIAL_GROUP, found.partials),
          paths: payloadsOf(PATHS_GROUP, found.partials),
        };
      },
    },
    load: (entries) => loadBaseline(entries, symbols, learners),
    operators: {
      edits: editsOf(platform),
      keyId: learners.keyId ?? '',
      requests: {
        pending: () => store.baselineRequests({ pending: true }),
        answer: (request, answer) => store.answerBaselineRequest(request, answer),
        async madeFor(requestId) {
          const versions = await store.listVersions<Baseline['manifest']>(RECENT_VERSIONS);
          return versions.find(({ request }) => request === requestId)?.version ?? '';
        },
        loadVersion: (version) => store.loadVersion<Baseline['manifest'], BaselineEntry>(version),
        loadImported: (version) => store.loadImported<BaselineEntry>(version),
      },
    },
    learning,
    templates,
    createAssembler: (sink) =>
      observeAssembly(metrics, 'trainer', createAssembler(config.assembly, { sink, isForeign })),
    segment,
    read: reader.read,
    logger,
    metrics,
    now: Date.now,
  });
}
