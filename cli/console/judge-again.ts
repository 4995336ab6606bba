/**
 * Judges recent requests again, without and with an edit: handed to the console, which may not know detection. Reads the spans
 * topic beside everybody, in no group; nothing is stored.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLearners } from '../../baseline/all-learners.ts';
import { type Baseline, loadBaseline } from '../../baseline/baseline.ts';
import { createComparison } from '../../baseline/edits/compare.ts';
import type { BaselineEntry } from '../../baseline/model.ts';
import type { JudgeAgain } from '../../console/preview.ts';
import { judgeSideBySide } from '../../detector/check/recent.ts';
import { createRecentLog } from '../../detector/check/recent-log.ts';
import { listVersions, loadVersion } from '../../runtime/clickhouse/stored-versions.ts';
import type { Platform } from '../../runtime/platform.ts';
import { createAssembler } from '../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../traces/kit.ts';

/** Judged in one go: some milliseconds, then the roles of this process get their turn. */
const AT_ONCE = 25;
const SEED = 1;
const NEWEST = 100;

export function createJudgeAgain({
  config,
  log,
  clickhouse,
}: Pick<Platform, 'config' | 'log' | 'clickhouse'>): JudgeAgain {
  return async (before, after, { sinceMs, most }) => {
    const versions = await listVersions<Baseline['manifest']>(clickhouse, NEWEST);
    const current = versions.find(({ alerting }) => alerting);
    if (current === undefined) return null;
    const { entries } = await loadVersion<Baseline['manifest'], BaselineEntry>(clickhouse, current.version);
    const kit = createReadingKit(config);
    const loaded = loadBaseline(entries, kit.symbols, createLearners({ hashKey: config.redaction.key }));
    const without = loaded.withEdits(before);
    const under = loaded.withEdits(after);
    const recent = createRecentLog({
      log,
      assembly: config.assembly,
      createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
      now: Date.now,
    });
    const comparison = createComparison();
    const sides = judgeSideBySide(recent.segments({ most, seed: SEED, sinceMs }), [without, under], {
      segment: kit.segment,
      read: kit.reader.read,
    });
    let judged = 0;
    for await (const { spans, judgements } of sides) {
      const { symbols, operation } = kit.segment;
      comparison.add(spans.traceId, spans.appendMs, symbols.text(operation[0]!), judgements[0]!, judgements[1]!);
      if (++judged % AT_ONCE === 0) await nextTurn();
    }
    if (judged === 0) return null;
    const { segments: requests, whole } = recent.covered;
    return comparison.result({ version: without.version, edited: under.version }, { requests, whole });
  };
}
