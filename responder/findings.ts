/**
 * What the owner of the findings knows, and what each record does to it: verdicts, counts of windows, what was judged, words of
 * operators. Driven by log time alone; its state is a snapshot away from a restart.
 */
import type { LogRecord } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { BudgetState } from '../schemas/alerts/budget.ts';
import type { DayDigest } from '../schemas/alerts/digest.ts';
import type { IncidentWord } from '../schemas/alerts/incident.ts';
import {
  decodeActorRecord,
  decodeCollectiveCounts,
  decodeDecisionAction,
  decodeFindingRecord,
  decodeIncidentAction,
  decodeJudgedCounts,
} from '../schemas/log/codecs.ts';
import type { CollectiveCounts } from '../schemas/log/collective.ts';
import type { JudgedCounts } from '../schemas/log/judged.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import { type Finding, type Verdict, VerdictStage } from '../schemas/log/verdict.ts';
import type { Cause, DecisionCore } from './decisions/core.ts';
import {
  createIncidentKeeper,
  type IncidentKeeper,
  type KeeperConfig,
  type KeeperSink,
  type KeeperSnapshot,
} from './incidents/keeper.ts';
import { createWindowBook } from './incidents/window-book.ts';

/** Judges windows of all partitions together (DETECTION §2, collective). */
export interface CollectiveJudge {
  add(counts: CollectiveCounts): void;
  /** Findings of windows that ended at or before `beforeMs`: one incident a service. */
  judge(beforeMs: number): readonly { readonly finding: Finding; readonly traceIds: readonly string[] }[];
  snapshot(): unknown;
}

export interface FindingsDeps {
  readonly sink: KeeperSink;
  /** What decides about actors, from its snapshot. */
  createDecisions?: ((snapshot: unknown) => DecisionCore) | undefined;
  createCollective(snapshot: unknown): CollectiveJudge;
  readonly metrics: Metrics;
  readonly logger: Logger;
  word(word: IncidentWord): void;
  judged(counts: JudgedCounts): void;
  /** The digest of a day fell due; null = nobody wants it. */
  readonly digest: {
    readonly afterMs: number;
    tell(digest: DayDigest, budget: BudgetState, atMs: number): void;
  } | null;
}

export interface Findings {
  take(record: LogRecord): void;
  /** Log time without a record. */
  advance(nowMs: number): void;
  readonly openIncidents: number;
  budget(): BudgetState;
  changes: IncidentKeeper['changes'];
  /** All of it as it is at this call, as text in parts of some ten thousand characters: large states are made text of between records. */
  stateParts(): Iterable<string>;
}

interface State {
  readonly keeper: KeeperSnapshot;
  readonly collective: unknown;
  readonly windows: readonly string[];
  readonly decisions?: unknown;
}

/** Windows of this length tell load from attack; longer ones show shifts. */
const LOAD_WINDOW_MS = 1_000;
/** A window's counts wait so long for those of the other partitions. */
const COLLECTIVE_WAIT_MS = 5_000;
const DAY_MS = 86_400_000;

export function createFindings(config: KeeperConfig, deps: FindingsDeps, stateText: string | null): Findings {
  const { metrics, logger } = deps;
  const taken = metrics.counter('responder_findings_total', 'Records of the findings topic taken');
  const unreadable = metrics.counter(
    'responder_unreadable_total',
    'Records of the findings topic that could not be read',
  );
  const repeated = metrics.counter('responder_windows_repeated_total', 'Counts of a window taken before: replays');
  const actions = metrics.counter('responder_actions_total', 'Words of operators on incidents, by what became of them');
  const undos = metrics.counter('response_undone_total', 'Decisions that operators undid');
  const state = stateText === null ? undefined : (JSON.parse(stateText) as State);
  const decisions = deps.createDecisions?.(state?.decisions);
  /** Of the record that is being taken, as decisions are made at its time; what falls due between records has its own. */
  let recordMs: number | undefined;
  let cause: Cause = {};
  const sink: KeeperSink =
    decisions === undefined
      ? deps.sink
      : {
          ...deps.sink,
          incident(incident) {
            deps.sink.incident(incident);
            decisions.incident(incident, recordMs ?? incident.lastHitMs ?? logNowMs, cause);
          },
        };
  const keeper = createIncidentKeeper(config, sink, state?.keeper);
  const collective = deps.createCollective(state?.collective);
  const windows = createWindowBook(state?.windows);
  let version = '';
  let logNowMs = 0;

  /** What was decoded, given to `work`; null is counted. */
  function read<T>(value: T | null, work: (value: T) => void): void {
    if (value === null) unreadable.add(1);
    else work(value);
  }

  function takeCounts(counts: CollectiveCounts): void {
    if (!windows.takes(counts)) repeated.add(1);
    else if (counts.windowMs <= LOAD_WINDOW_MS) keeper.load(counts);
    else {
      version = counts.version;
      collective.add(counts);
    }
  }

  function takeJudged(counts: JudgedCounts): void {
    if (keeper.judged(counts)) deps.judged(counts);
    else repeated.add(1);
  }

  function advance(nowMs: number): void {
    logNowMs = Math.max(logNowMs, nowMs);
    keeper.tick(logNowMs);
    decisions?.advance(logNowMs);
    // each shift at the moment its window's counts had to be in, whenever it is looked at
    for (const { finding, traceIds } of collective.judge(logNowMs - COLLECTIVE_WAIT_MS))
      keeper.operational(finding, traceIds, version, Math.min(logNowMs, finding.endMs + COLLECTIVE_WAIT_MS));
    if (deps.digest === null) return;
    const { afterMs, tell } = deps.digest;
    for (const digest of keeper.digestsDue(logNowMs, afterMs))
      tell(digest, keeper.budget(logNowMs), Date.parse(digest.day) + DAY_MS + afterMs);
  }

  /** What tells who may not be decided about comes first. */
  function beforeVerdict(verdict: Verdict, appendMs: number): void {
    decisions?.client(verdict.client, appendMs);
    for (const origin of verdict.origins) decisions?.client(origin, appendMs);
    const certain = verdict.findings.some(({ hard, candidate }) => hard && !candidate);
    cause = {
      withdrawn: verdict.stage === VerdictStage.withdrawn || verdict.findings.length === 0,
      client: certain ? verdict.client : undefined,
    };
  }

  function takeRecord({ kind, value, appendMs }: LogRecord): void {
    if (kind === RecordKind.verdict)
      read(decodeFindingRecord(value), (found) => {
        beforeVerdict(found.verdict, appendMs);
        keeper.verdict(found, appendMs);
      });
    else if (kind === RecordKind.collective) read(decodeCollectiveCounts(value), takeCounts);
    else if (kind === RecordKind.judged) read(decodeJudgedCounts(value), takeJudged);
    else if (kind === RecordKind.actor)
      read(decodeActorRecord(value), (known) => {
        decisions?.actor(known, appendMs);
        cause = { client: known.abuse === '' || known.abuse === 'attribution' ? undefined : known.client };
        keeper.actor(known, appendMs);
      });
    else if (kind === RecordKind.decisionAction)
      read(decodeDecisionAction(value), (action) => {
        const undone = decisions?.action(action, appendMs) ?? 0;
        undos.add(undone);
        logger.info({ undone }, 'an operator undid decisions');
      });
    else if (kind === RecordKind.incidentAction) {
      read(decodeIncidentAction(value), (action) => {
        const word = keeper.action(action, appendMs);
        actions.add(1, { action: action.action, result: word?.result ?? 'repeated' });
        if (word === null) return;
        deps.word(word);
        logger.info({ incident: word.incidentId, action: word.action, result: word.result }, 'an operator said');
      });
    }
  }

  return {
    take(record) {
      advance(record.appendMs);
      taken.add(1);
      recordMs = record.appendMs;
      cause = {};
      takeRecord(record);
      recordMs = undefined;
      cause = {};
    },
    advance,
    get openIncidents() {
      return keeper.open().length;
    },
    budget: () => keeper.budget(logNowMs),
    changes: keeper.changes,
    stateParts() {
      const { incidents, ...rest } = keeper.snapshot();
      const others: Omit<State, 'keeper'> = {
        collective: collective.snapshot(),
        windows: windows.snapshot(),
        ...(decisions !== undefined && { decisions: decisions.snapshot() }),
      };
      return partsOf(incidents, JSON.stringify(rest), JSON.stringify(others));
    },
  };
}

/** As JSON.stringify of a State would give it, incident by incident, which are most of it; the others as they were. */
function* partsOf(incidents: KeeperSnapshot['incidents'], rest: string, others: string): Iterable<string> {
  yield '{"keeper":{"incidents":[';
  for (const [i, incident] of incidents.entries()) yield (i === 0 ? '' : ',') + JSON.stringify(incident);
  yield `],${rest.slice(1)},${others.slice(1)}`;
}
