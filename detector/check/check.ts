/**
 * Is this detector to be trusted on this traffic? Judges a copy of recent traffic as it is, then with known anomalies in it, and says
 * what it found. Nothing is stored, produced or learned.
 */
import type { Baseline } from '../../baseline/baseline.ts';
import { JudgementStage } from '../../baseline/model.ts';
import type { SegmentSpans } from '../../traces/segment.ts';
import { createCoverageCount } from './coverage.ts';
import { drownings } from './drowning.ts';
import { BOUNDS, failuresOf } from './failures.ts';
import { binomialInterval, dispersionOf } from './interval.ts';
import { type Judged, toJudged } from './judged.ts';
import { createRandom, MUTATION_KINDS, MUTATIONS, type MutationGroup } from './mutations/index.ts';
import { type PlantDeps, type PlantedJudged, type Plantings, plantInto } from './plant.ts';
import { rankingOf, scoreAt, shareFrom, tiedAcrossKinds, tiedAtTop } from './ranking.ts';
import type { RecentTraffic } from './recent.ts';
import type { CheckReport, KindReport, Miss, RateReport } from './report.ts';
import { requiredChildren, ruleCoverage } from './rules.ts';

export interface CheckOptions {
  /** Segments looked at, at most. */
  readonly most: number;
  readonly sinceMs?: number;
  readonly seed: number;
  /** Anomalies planted of each kind. */
  readonly each: number;
  /** Trace ids of open security incidents. */
  readonly incidentTraces?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
  readonly progress?: (progress: CheckProgress) => void;
}

export interface CheckProgress {
  readonly phase: 'reading' | 'judging' | 'planting';
  readonly count: number;
}

export interface CheckDeps extends PlantDeps {
  readonly recent: RecentTraffic;
}

interface Seen extends Judged {
  readonly spans: SegmentSpans;
  /** The version may have learned it. */
  readonly learned: boolean;
}

const NOMINAL = [0.01, 0.001];
/** Fewer requests than this, and nothing can be said. */
const LEAST_SEGMENTS = 1_000;
const LEAST_PLANTED = 100;
/** Anomalies of a group, from which on others may be said to drown them. */
const LEAST_OF_GROUP = 50;
/** Parts of the time in which false positives are counted apart, to see whether they come in bursts. */
const TIME_PARTS = 40;
/** A kind in an operation is told as missed below this recall, from so many planted on. */
const MISSED_BELOW = 0.9;
const MISSED_FROM = 8;
const MISSES_TOLD = 30;
const EXAMPLES = 2;
const OBSERVED_TOLD = 10;
/** Support of rules by learning profile (DETECTION §7). */
const RULE_SUPPORT: Readonly<Record<string, number>> = { demo: 60 };
const DEFAULT_RULE_SUPPORT = 100;

export async function checkDetector(baseline: Baseline, options: CheckOptions, deps: CheckDeps): Promise<CheckReport> {
  const { recent, reader, segment } = deps;
  const { manifest } = baseline;
  const entries = [...baseline.entries()];
  const coverage = createCoverageCount(baseline.coverage());
  const seen: Seen[] = [];
  let unreadable = 0;
  const tell = (phase: CheckProgress['phase'], count: number): void => options.progress?.({ phase, count });
  for await (const spans of recent.segments({
    most: options.most,
    seed: options.seed,
    ...(options.sinceMs !== undefined && { sinceMs: options.sinceMs }),
    ...(options.signal !== undefined && { signal: options.signal }),
    progress: (count) => tell('reading', count),
  })) {
    if (!reader.read(spans, segment, baseline.templates)) {
      unreadable++;
      continue;
    }
    coverage.add(segment);
    const judged = toJudged(baseline.judge(segment, JudgementStage.absence));
    seen.push({ ...judged, spans, learned: mayHaveLearned(spans, manifest) });
    if (seen.length % 500 === 0) tell('judging', seen.length);
  }

  const isReal = ({ hard, spans }: Seen): boolean => hard || (options.incidentTraces?.has(spans.traceId) ?? false);
  const real = seen.filter(isReal);
  const hardFindings = real.filter(({ hard }) => hard).length;
  const believed = hardFindings <= BOUNDS.leftOut * seen.length;
  // what claims more than can be believed is judged with the rest, or a detector that alerts on everything would look fine
  const normal = believed ? seen.filter((one) => !isReal(one)) : seen;

  const plantings = plantInto(
    normal.map(({ spans }) => spans),
    baseline,
    {
      each: options.each,
      random: createRandom(options.seed + 1),
      required: requiredChildren(entries),
      progress: (count) => tell('planting', count),
    },
    deps,
  );
  const planted = plantings.judged;
  const scores = Float64Array.from(normal, ({ score }) => score);
  const plantedScores = Float64Array.from(planted, ({ score }) => score);
  const at1in100 = scoreAt(scores, 0.01);
  const at1in1000 = scoreAt(scores, 0.001);
  const kinds = kindReports(plantings, scores, at1in100, at1in1000);
  const { covered } = recent;
  const sorted = Float64Array.from(scores).sort();
  const quantile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const time = (ms: number): string | null => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);

  const found = {
    version: baseline.version,
    traffic: {
      from: time(covered.fromMs),
      to: time(covered.toMs),
      segments: covered.segments,
      sampled: seen.length,
      whole: covered.whole,
      unfinished: covered.unfinished,
      unreadable,
      normal: normal.length,
    },
    leftOut: { hardFindings, inIncidents: real.length - hardFindings, believed },
    ranking: {
      ...rankingOf(scores, plantedScores),
      betterHalf: betterHalf(kinds),
      planted: planted.length,
      recallAt1in100: shareFrom(plantedScores, at1in100),
      recallAt1in1000: shareFrom(plantedScores, at1in1000),
      recallVerdict: alertedShare(planted),
    },
    kinds,
    spread: {
      distinct: new Set(scores).size,
      tiedAtTop: tiedAtTop(scores),
      plantedTiedAtTop: tiedAcrossKinds(planted),
      median: quantile(0.5),
      top1in100: quantile(0.99),
      top1in1000: quantile(0.999),
      most: sorted.at(-1) ?? 0,
    },
    rates: ratesOf(normal),
    groups: drownings(normal, byGroup(planted), Math.max(0.001, 5 / Math.max(1, normal.length))),
    coverage: coverage.shares(),
    observed: coverage
      .operations()
      .filter(({ states }) => Object.values(states).includes('observe'))
      .slice(0, OBSERVED_TOLD),
    rules: ruleCoverage(entries, RULE_SUPPORT[manifest.profile] ?? DEFAULT_RULE_SUPPORT),
    misses: missesOf(planted),
    withoutMatch: seen.filter(({ hasMatch }) => !hasMatch).length + planted.filter(({ hasMatch }) => !hasMatch).length,
  };
  const notEnough: string[] = [];
  if (!manifest.alerting)
    notEnough.push(`version ${baseline.version} is still learning: ${manifest.learning.join('; ')}`);
  if (seen.length < LEAST_SEGMENTS)
    notEnough.push(`${seen.length} whole requests were found; to say anything it takes ${LEAST_SEGMENTS}`);
  else if (planted.length < LEAST_PLANTED)
    notEnough.push(`the traffic has places for ${planted.length} planted anomalies; it takes ${LEAST_PLANTED}`);
  const failures = notEnough.length > 0 ? [] : failuresOf(found);
  const outcome = notEnough.length > 0 ? 'not enough' : failures.length > 0 ? 'failed' : 'passed';
  return { outcome, ...found, failures, notEnough };
}

/** Segments whose first record lies below the version's offsets; of a version learned from files, those before its end. */
function mayHaveLearned(spans: SegmentSpans, { offsets, createdMs }: Baseline['manifest']): boolean {
  const until = offsets[spans.partition];
  return until === undefined ? spans.appendMs <= createdMs : spans.firstOffset < until;
}

/** In order of time, as they come. */
function ratesOf(normal: readonly Seen[]): RateReport[] {
  return (['fresh', 'learned'] as const).flatMap((of) => {
    const own = normal.filter(({ learned }) => learned === (of === 'learned'));
    if (own.length < LEAST_SEGMENTS) return [];
    return NOMINAL.map((nominal): RateReport => {
      const parts = new Array<number>(TIME_PARTS).fill(0);
      let count = 0;
      for (const [i, { p }] of own.entries()) {
        if (p > nominal) continue;
        count++;
        parts[Math.floor((i * TIME_PARTS) / own.length)]!++;
      }
      const dispersion = dispersionOf(parts);
      const interval = binomialInterval(count / dispersion, own.length / dispersion);
      const tooLow = interval[1] < nominal / BOUNDS.rateFactor;
      const tooHigh = interval[0] > nominal * BOUNDS.rateFactor;
      // counts that hold the event itself cannot but find it more likely
      const ok = !tooHigh && !(tooLow && of === 'fresh');
      return { nominal, of, segments: own.length, realised: count / own.length, interval, dispersion, ok };
    });
  });
}

const alertedShare = (planted: readonly Judged[]): number =>
  planted.length === 0 ? Number.NaN : planted.filter(({ alerted }) => alerted).length / planted.length;

function byGroup(planted: readonly PlantedJudged[]): ReadonlyMap<MutationGroup, readonly PlantedJudged[]> {
  const groups = new Map<MutationGroup, PlantedJudged[]>();
  for (const one of planted) {
    const own = groups.get(one.group);
    if (own === undefined) groups.set(one.group, [one]);
    else own.push(one);
  }
  return new Map([...groups].filter(([, own]) => own.length >= LEAST_OF_GROUP));
}

function betterHalf(kinds: readonly KindReport[]): number {
  const ranked = kinds
    .filter(({ planted }) => planted > 0)
    .map(({ auroc }) => auroc)
    .sort((a, b) => b - a);
  const better = ranked.slice(0, Math.ceil(ranked.length / 2));
  return better.reduce((sum, auroc) => sum + auroc, 0) / better.length;
}

function kindReports(
  { judged, counts }: Plantings,
  normal: Float64Array,
  at1in100: number,
  at1in1000: number,
): KindReport[] {
  return MUTATION_KINDS.flatMap((kind) => {
    const own = judged.filter((one) => one.kind === kind);
    const { equal } = counts.get(kind)!;
    if (own.length + equal === 0) return [];
    const scores = Float64Array.from(own, ({ score }) => score);
    return [
      {
        kind,
        group: MUTATIONS.get(kind)!.group,
        planted: own.length,
        equal: equal / (own.length + equal),
        auroc: rankingOf(normal, scores).auroc,
        recall: {
          at1in100: shareFrom(scores, at1in100),
          at1in1000: shareFrom(scores, at1in1000),
          verdict: alertedShare(own),
        },
      },
    ];
  });
}

/** Kinds in entry operations that the product's own verdicts mostly let through, the worst first. */
function missesOf(planted: readonly PlantedJudged[]): Miss[] {
  const cells = new Map<string, PlantedJudged[]>();
  for (const one of planted) {
    const key = `${one.kind}\n${one.operation}`;
    const cell = cells.get(key);
    if (cell === undefined) cells.set(key, [one]);
    else cell.push(one);
  }
  return [...cells.values()]
    .filter((cell) => cell.length >= MISSED_FROM)
    .map((cell) => ({
      kind: cell[0]!.kind,
      operation: cell[0]!.operation,
      planted: cell.length,
      recall: alertedShare(cell),
      examples: [...new Set(cell.filter(({ alerted }) => !alerted).map(({ words }) => words))].slice(0, EXAMPLES),
    }))
    .filter(({ recall }) => recall < MISSED_BELOW)
    .sort((a, b) => b.planted * (1 - b.recall) - a.planted * (1 - a.recall))
    .slice(0, MISSES_TOLD);
}
