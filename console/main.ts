/** Builds the console on the platform of a process. */
import { randomUUID } from 'node:crypto';
import { createStore, type StoreDeps } from '../runtime/clickhouse/store.ts';
import { readDecisions } from '../runtime/clickhouse/stored-decisions.ts';
import {
  readFindingsOfTraces,
  readInventoryCalls,
  readNovelties,
  readRecentFindings,
} from '../runtime/clickhouse/stored-findings.ts';
import { readJudgedBad } from '../runtime/clickhouse/stored-words.ts';
import type { Platform } from '../runtime/platform.ts';
import type { JudgeAgain } from './preview.ts';
import { type Console, createConsole } from './service.ts';

export interface ConsoleRoleDeps {
  /** What the store redacts verdicts with; the console stores none. */
  readonly redaction: Pick<StoreDeps, 'redactor' | 'redactVerdict'>;
  readonly judgeAgain: JudgeAgain;
}

export function createConsoleRole(
  { config, log, clickhouse, logger, metrics }: Platform,
  deps: ConsoleRoleDeps,
): Console {
  const store = createStore(clickhouse, { ...deps.redaction, now: Date.now });
  return createConsole(config.console, {
    store: {
      edits: store.edits,
      insertEdit: store.insertEdit,
      incidents: store.incidents,
      deadLetters: store.deadLetters,
      listVersions: store.listVersions,
      loadVersion: store.loadVersion,
      requestBaseline: store.requestBaseline,
      baselineRequests: store.baselineRequests,
      insertImported: store.insertImported,
      findingsOfTraces: (traceIds) => readFindingsOfTraces(clickhouse, traceIds),
      recentFindings: (sinceMs, most) => readRecentFindings(clickhouse, sinceMs, most),
      judgedBad: (incident) => readJudgedBad(clickhouse, incident),
      novelties: (sinceMs) => readNovelties(clickhouse, sinceMs),
      decisions: (filter) => readDecisions(clickhouse, filter),
      inventoryCalls: () => readInventoryCalls(clickhouse),
    },
    log,
    logger: logger.child({ role: 'console' }),
    metrics,
    now: Date.now,
    newId: randomUUID,
    judgeAgain: deps.judgeAgain,
    redactUser: deps.redaction.redactor.user,
  });
}
