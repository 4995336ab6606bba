/**
 * Publishing: each run of blocks is scored by the models of all the others (cross-fitting, DETECTION §5.4), so that all
 * learned data also calibrates; then the models of everything are compiled. In steps, since it takes seconds.
 */

import { VERSION_SCHEMA, versionId } from '../../schemas/baselines/version.ts';
import type { LearningConfig } from '../../schemas/config/learning.ts';
import { GROUPS, type Group } from '../../schemas/log/verdict.ts';
import type { Segment } from '../../traces/segment.ts';
import {
  type Baseline,
  type BaselineCalibration,
  type BaselineManifest,
  contentOf,
  createBaseline,
} from '../baseline.ts';
import { calibrate, groupValue, toleranceOf } from '../fusion/calibration.ts';
import { grouped } from '../fusion/match-line.ts';
import { learnThresholds, type SimilaritySample } from '../fusion/thresholds.ts';
import type { GroupModels, GroupPartials } from '../learners.ts';
import {
  type BaselineEntry,
  type CompileOptions,
  createEvidence,
  createStructureMatch,
  type Evidence,
  JudgementStage,
  type Maturity,
} from '../model.ts';
import { type LearnedReleases, releasesFromEntries, releasesToEntries } from '../releases.ts';
import { createRateBook } from '../timing/rate-book.ts';
import { type CollectiveForm, type CollectiveRates, ratesFromForm, ratesToForm } from '../timing/rates.ts';
import {
  type Cell,
  createPartials,
  labelsHash,
  mergePartials,
  NOTHING_RECURS,
  type Sample,
  type Scored,
} from './cell.ts';
import { fewClients, type OfClient } from './few-clients.ts';
import type { LearningDeps, Progress, PublishOptions } from './learning.ts';
import { profileOf, readinessOf } from './profile.ts';
import { deviationOf, rankedValues, recurringIn, valueOfAll } from './recurring.ts';
import { admittedReleases, createReleases, mergeReleases } from './releases.ts';

/** Segments scored in one step: some ten milliseconds. */
const SCORED_AT_ONCE = 100;

/** Of the folds, at most so many are left out of a version for what is hard in them. */
const MOST_LEFT_OUT = 0.2;

/** Each round costs another cross-fitting. */
const MOST_ROUNDS = 2;

/** A window in which most requests fail shows an outage, not what is normal. */
const MOST_FAILED = 0.5;

interface Fold {
  partials: GroupPartials;
  samples: Sample[];
  segments: number;
  /** Samples it began with. */
  sampled: number;
  /** Those of the segments of which nothing was learned anyway. */
  quarantined: number;
}

export function* publishSteps(
  config: LearningConfig,
  deps: LearningDeps,
  cells: readonly Cell[],
  progress: Progress,
  bucketMs: number,
  options: PublishOptions,
): Generator<void, Baseline> {
  const { learners, symbols } = deps;
  let folds = foldsOf(cells, config.folds, deps);
  let without: readonly number[] = [];
  // one group at a time: each takes tens of milliseconds
  function* compile(partials: GroupPartials, segments: number): Generator<void, GroupModels> {
    const compileOptions: CompileOptions = {
      profile: profileOf(config),
      symbols,
      segments,
      clients: progress.clients,
      buckets: progress.buckets,
      previous: options.previous,
      sensitiveTables: config.sensitiveTables,
      createdMs,
      deployed,
      without,
    };
    const of = (group: Group): CompileOptions => ({
      ...compileOptions,
      previous: options.previous.filter((e) => e.group === group || (group === 'structure' && e.group === 'match')),
    });
    const structure = learners.structure.compile(partials.structure, of('structure'));
    yield;
    const timing = learners.timing.compile(partials.timing, of('timing'));
    yield;
    const parameters = learners.parameters.compile(partials.parameters, of('parameters'));
    yield;
    return { structure, timing, parameters, status: learners.status.compile(partials.status, of('status')) };
  }
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = 0;
  for (const cell of cells) {
    firstMs = Math.min(firstMs, cell.firstMs);
    lastMs = Math.max(lastMs, cell.lastMs);
  }
  const createdMs = Math.max(lastMs, (options.afterMs ?? -1) + 1);
  const releases = createReleases();
  let quarantined = 0;
  for (const cell of cells) {
    mergeReleases(releases, cell.releases);
    quarantined += cell.quarantined;
  }
  const admitted = admittedReleases(releases, profileOf(config));
  const deployed = deployedSince(options.previous, admitted);
  const failed = cells.reduce((sum, cell) => sum + cell.failed, 0);
  yield; // the counting is copied

  let rateBook = createRateBook();
  let scoredNow = 0;
  /** Each fold's samples scored by the models of the others; then the models of all. */
  function* crossFit(): Generator<void, GroupModels> {
    rateBook = createRateBook();
    scoredNow = 0;
    const total = folds.reduce((sum, fold) => sum + fold.segments, 0);
    const suffixes = yield* suffixMerges(folds, deps);
    const prefix = createPartials(learners);
    for (const [f, fold] of folds.entries()) {
      if (folds.length > 1) {
        const rest = createPartials(learners);
        mergePartials(learners, rest, prefix);
        mergePartials(learners, rest, suffixes[f + 1]!);
        yield;
        const models = yield* compile(rest, total - fold.segments);
        yield;
        const score = createScorer(models);
        for (const [i, sample] of fold.samples.entries()) {
          const segment = sample.spans === undefined ? undefined : deps.rescore(sample.spans);
          // Read with other path templates than it was learned with, it would be new to itself: what was found of it
          // before stands, if anything was.
          if (segment === undefined || labelsHash(segment) !== sample.labels) continue;
          sample.scored = score(segment);
          rateBook.add(models.timing, segment);
          scoredNow++;
          if (i % SCORED_AT_ONCE === SCORED_AT_ONCE - 1) yield;
        }
      }
      mergePartials(learners, prefix, fold.partials);
    }
    return yield* compile(prefix, total);
  }
  let models = yield* crossFit();
  // What was left out may have hidden more of its kind from the models that scored it.
  for (let most = Math.floor(folds.length * MOST_LEFT_OUT); most > 0; ) {
    const kept = withoutBursts(folds, most);
    if (kept.length === folds.length) break;
    most -= folds.length - kept.length;
    quarantined += folds.reduce((sum, fold) => sum + (kept.includes(fold) ? 0 : fold.segments - fold.quarantined), 0);
    folds = kept;
    models = yield* crossFit();
  }
  // What few clients do steadily is in every run. Without it, more of its kind may show.
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const few = fewClients(folds.flatMap(ofClients));
    if (few.apart.size === 0) break;
    folds = folds.map((fold) => {
      const samples = fold.samples.filter(({ client }) => !few.apart.has(client));
      const left = taughtOf(fold) - taughtOf({ ...fold, samples });
      quarantined += left;
      return { ...fold, samples, quarantined: fold.quarantined + left };
    });
    if (few.taught.length === 0) break;
    without = [...without, ...few.taught];
    models = yield* crossFit();
  }
  yield;

  yield* askVersion(folds, models, deps);
  const scored = folds.flatMap((fold) => fold.samples.flatMap((s) => (s.scored === undefined ? [] : [s.scored])));
  const segments = folds.reduce((sum, fold) => sum + fold.segments, 0);
  const calibrated: BaselineCalibration = {
    calibration: calibrate(
      scored.map((s) => rankedValues(s, toleranceOf(folds.length))),
      folds.length,
    ),
    thresholds: learnThresholds(
      scored satisfies SimilaritySample[],
      (key) => models.structure.leaveOneOut(key),
      config.alpha,
    ),
    collective:
      (2 * scoredNow < scored.length ? previousRates(options.previous) : undefined) ??
      ratesFromForm(ratesToForm(rateBook.rates(scoredNow / Math.max(1, segments)))), // as it will be read
  };
  yield;

  const learning = [...progress.missing];
  if (failed > MOST_FAILED * progress.segments) {
    const share = ((100 * failed) / progress.segments).toFixed(0);
    learning.push(`${share} % of segments ended in an error: what succeeds would be the odd one out`);
  }
  const needs = readinessOf(config);
  if (folds.length < 2) learning.push('traffic in one block of time only: nothing to calibrate against');
  // what is quarantined is never learned: however much of it comes, it keeps no version from raising alerts
  const taught = folds.flatMap((fold) =>
    fold.samples.flatMap((s) => (s.scored === undefined || s.quarantined ? [] : [s.scored])),
  );
  for (const [g, group] of GROUPS.entries()) {
    const share = taught.reduce((sum, { observed }) => sum + observed[g]!, 0) / Math.max(1, taught.length);
    if (share > needs.maxObserved)
      learning.push(`${group}: ${(100 * share).toFixed(1)} % of traffic has too few observations`);
  }
  if (scored.length < 1 / config.alpha) {
    learning.push(
      `${grouped(scored.length)} of ${grouped(1 / config.alpha)} segments to calibrate alpha ${config.alpha}`,
    );
  }
  const facts: Omit<BaselineManifest, 'version'> = {
    parent: options.parent,
    createdMs,
    offsets: options.offsets,
    segments: progress.segments,
    clients: progress.clients,
    buckets: progress.buckets,
    bucketMs,
    segmentsPerDay: (progress.segments * 86_400_000) / Math.max(bucketMs, lastMs - firstMs),
    calibrated: scored.length,
    profile: config.profile,
    alpha: config.alpha,
    alerting: learning.length === 0,
    ...(learning.length > 0 && options.alerted === true ? { alerted: true } : {}),
    learning,
    schema: VERSION_SCHEMA,
    kind: 'learned',
    quarantined,
    maturity: maturityOf(models),
    ...(learners.keyId === undefined ? {} : { keyId: learners.keyId }),
  };
  const extra = [...(options.extra ?? []), ...releasesToEntries(admitted)];
  const version = versionId(VERSION_SCHEMA, facts, contentOf(models, calibrated, extra));
  return createBaseline(models, calibrated, { version, ...facts }, extra);
}

/** Services of which a release was learned that the version before did not know. */
function deployedSince(previous: readonly BaselineEntry[], learned: LearnedReleases): ReadonlySet<string> {
  const before = releasesFromEntries(previous);
  const isNew = ([service, versions]: readonly [string, readonly string[]]): boolean =>
    versions.some((version) => before.get(service)?.includes(version) !== true);
  return new Set([...learned].filter(isNew).map(([service]) => service));
}

/** Of the version before: after a restart the segments' bytes are gone, and rates of the few since would be worse than these. */
function previousRates(previous: readonly BaselineEntry[]): CollectiveRates | undefined {
  const entry = previous.find(({ group, kind }) => group === 'fusion' && kind === 'collective');
  return entry === undefined ? undefined : ratesFromForm(JSON.parse(entry.value) as CollectiveForm);
}

/** Share of observations by state of their key, over all groups. */
function maturityOf(models: GroupModels): Record<Maturity, number> {
  const counts: Record<Maturity, number> = { observe: 0, learning: 0, active: 0 };
  let total = 0;
  for (const group of GROUPS) {
    for (const { state, count } of models[group].coverage()) {
      counts[state] += count;
      total += count;
    }
  }
  const share = (count: number): number => (total === 0 ? 0 : Number((count / total).toFixed(6)));
  return { observe: share(counts.observe), learning: share(counts.learning), active: share(counts.active) };
}

/** Contiguous runs of blocks with about equally many samples; their partials are copies. */
function foldsOf(cells: readonly Cell[], most: number, deps: LearningDeps): Fold[] {
  const byBlock = new Map<number, Cell[]>();
  for (const cell of [...cells].sort((a, b) => a.block - b.block || a.partition - b.partition)) {
    const known = byBlock.get(cell.block);
    if (known === undefined) byBlock.set(cell.block, [cell]);
    else known.push(cell);
  }
  const total = cells.reduce((sum, cell) => sum + cell.segments, 0);
  const folds: Fold[] = [];
  let before = 0;
  let runEnd = 0;
  for (const members of byBlock.values()) {
    if (folds.length === 0 || before >= runEnd) {
      folds.push({ partials: createPartials(deps.learners), samples: [], segments: 0, sampled: 0, quarantined: 0 });
      runEnd = (folds.length * total) / most;
    }
    const fold = folds[folds.length - 1]!;
    for (const cell of members) {
      mergePartials(deps.learners, fold.partials, cell.partials);
      for (const sample of cell.samples) fold.samples.push(sample);
      fold.segments += cell.segments;
      fold.quarantined += cell.quarantined;
      before += cell.segments;
    }
  }
  for (const fold of folds) {
    fold.samples.sort((a, b) => a.bucket - b.bucket || a.hash - b.hash);
    fold.sampled = fold.samples.length;
  }
  return folds;
}

const ofClients = ({ samples }: Fold): OfClient[] =>
  samples.map(({ client, scored, quarantined }) => ({ client, hard: scored?.hard === true, quarantined }));

/** Segments of a fold that its samples stand for, of which something was learned. */
const taughtOf = ({ samples, segments, sampled }: Fold): number =>
  Math.round((samples.filter(({ quarantined }) => !quarantined).length * segments) / Math.max(1, sampled));

/** Hard findings that chance alone may put into a fold beyond four times what the others have. */
const BURST = 3;

/**
 * Without the folds, `most` at most, in which calls that models of all other times find near-impossible by their kind are far more
 * frequent than elsewhere: an attack or a mishap of one stretch of time, which is not what is normal (DETECTION §0a.5, §7). What
 * comes to stay is in more than a fifth of the folds before long, and then known to the models that judge it. What was quarantined
 * taught nothing: a few such requests must not take a stretch of good traffic with them.
 */
function withoutBursts(folds: readonly Fold[], most: number): Fold[] {
  const hard = folds.map(({ samples }) =>
    samples.reduce((sum, { scored, quarantined }) => sum + (scored?.hard === true && !quarantined ? 1 : 0), 0),
  );
  const sampled = folds.map(({ samples }) => samples.length);
  const sum = (of: readonly number[]): number => of.reduce((all, one) => all + one, 0);
  const suspects = folds
    .map((fold, f) => {
      const expected = (sampled[f]! * (1 + sum(hard) - hard[f]!)) / Math.max(1, sum(sampled) - sampled[f]!);
      return { fold, excess: hard[f]! - (BURST + 4 * expected) };
    })
    .filter(({ excess }) => excess >= 0)
    .sort((x, y) => y.excess - x.excess);
  // the worst one first: what else there is may be its shadow
  return suspects.length === 0 || suspects.length > most
    ? [...folds]
    : folds.filter((fold) => fold !== suspects[0]!.fold);
}

/** suffixes[f] = merge of folds f, f + 1, …: with a running prefix, leaving one out costs O(folds) merges in all. */
function* suffixMerges(folds: readonly Fold[], deps: LearningDeps): Generator<void, GroupPartials[]> {
  const suffixes: GroupPartials[] = new Array(folds.length + 1);
  suffixes[folds.length] = createPartials(deps.learners);
  for (let f = folds.length - 1; f >= 0; f--) {
    const merged = createPartials(deps.learners);
    mergePartials(deps.learners, merged, suffixes[f + 1]!);
    mergePartials(deps.learners, merged, folds[f]!.partials);
    suffixes[f] = merged;
    yield;
  }
  return suffixes;
}

/**
 * Finds what recurs (recurring.ts), and asks the version about a sample of each fold that still has its bytes. Where none has, what
 * the version before said of it stands.
 */
function* askVersion(folds: readonly Fold[], models: GroupModels, deps: LearningDeps): Generator<void, void> {
  const values = GROUPS.map(() => new Map<number, number>());
  const score = createScorer(models);
  const asked = new Map<Sample, Scored | undefined>();
  const tolerance = toleranceOf(folds.length);
  for (const recurring of recurringIn(folds.map(({ samples }) => samples.map((sample) => sample.scored)))) {
    const { group, deviation } = recurring;
    const answers: Scored[] = [];
    let before: number | null = null;
    for (const { fold, sample: at } of recurring.samples) {
      const sample = folds[fold]!.samples[at]!;
      before ??= sample.scored!.byVersion[group]!;
      if (!asked.has(sample)) {
        const segment = sample.spans === undefined ? undefined : deps.rescore(sample.spans);
        asked.set(sample, segment === undefined || labelsHash(segment) !== sample.labels ? undefined : score(segment));
        if (asked.size % SCORED_AT_ONCE === 0) yield;
      }
      const answer = asked.get(sample);
      if (answer !== undefined) answers.push(answer);
    }
    const value = answers.length === 0 ? before : valueOfAll(recurring, answers, tolerance);
    if (value !== null) values[group]!.set(deviation, value);
  }
  for (const { samples } of folds) {
    for (const { scored } of samples) {
      if (scored === undefined) continue;
      const byVersion = GROUPS.map((_, g) => values[g]!.get(scored.deviations[g]!) ?? null);
      scored.byVersion = byVersion.every((value) => value === null) ? NOTHING_RECURS : byVersion;
    }
  }
}

function createScorer(models: GroupModels): (segment: Segment) => Scored {
  const evidence: Record<Group, Evidence> = {
    structure: createEvidence(),
    timing: createEvidence(),
    parameters: createEvidence(),
    status: createEvidence(),
  };
  const match = createStructureMatch();
  return (segment) => {
    const values = new Float64Array(GROUPS.length);
    for (const [g, group] of GROUPS.entries()) {
      const e = evidence[group];
      models[group].score(segment, JudgementStage.absence, e);
      values[g] = groupValue(e.surprise, e.severity);
    }
    models.structure.match(segment, match);
    return {
      values,
      familyKey: match.familyKey,
      entry: match.family,
      timing: evidence.timing.similarity,
      parameters: evidence.parameters.similarity,
      observed: GROUPS.map((group) => evidence[group].observed),
      byVersion: NOTHING_RECURS,
      deviations: GROUPS.map((group) => deviationOf(group, segment, evidence[group])),
      hard: GROUPS.some((group) => evidence[group].findings.some((finding) => finding.hard)),
    };
  };
}
