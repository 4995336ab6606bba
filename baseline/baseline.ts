/** A compiled version: judges a segment, with nothing but the segment and itself (ARCHITECTURE decision 7). */
import { SpanwardenError } from '../runtime/errors.ts';
import type { EditDocument } from '../schemas/baselines/edit.ts';
import { checkSchema, VERSION_SCHEMA, versionId } from '../schemas/baselines/version.ts';
import { COMPONENTS, type Component, type Finding, GROUPS, type Group, type Match } from '../schemas/log/verdict.ts';
import { compileTemplates, type PathTemplates } from '../traces/operations/learned-templates.ts';
import type { Segment, Symbols } from '../traces/segment.ts';
import { editsFromEntries, editsToEntries } from './edits/entries.ts';
import { createEditJudge, type OperatorThresholds, type Unlisted } from './edits/judge.ts';
import {
  type Calibration,
  type CalibrationForm,
  calibrationFromForm,
  calibrationToForm,
  finalInterval,
  finalP,
  fuse,
  GROUP_WEIGHTS,
  groupP,
  groupValue,
  severityShare,
} from './fusion/calibration.ts';
import { matchLine, reason } from './fusion/match-line.ts';
import {
  CEILING,
  type Thresholds,
  type ThresholdsForm,
  thresholdRow,
  thresholdsFromForm,
  thresholdsToForm,
  worstComponent,
} from './fusion/thresholds.ts';
import type { GroupLearners, GroupModels } from './learners.ts';
import {
  type BaselineEntry,
  type Chains,
  type CoverageRow,
  createEvidence,
  createStructureMatch,
  type Evidence,
  type Judgement,
  type JudgementStage,
  type Maturity,
  NO_FINDINGS,
} from './model.ts';
import { createEntryPacker, type EntryPacker } from './packed-entries.ts';
import { markReleases, releasesFromEntries } from './releases.ts';
import { levelsFromEntries } from './templates.ts';
import { type CollectiveForm, type CollectiveRates, ratesFromForm, ratesToForm } from './timing/rates.ts';

/** Facts of a version; `version` is the hash of the rest and of the entries. */
export interface BaselineManifest {
  readonly version: string;
  readonly parent: string;
  /** Stream time at which it was cut, milliseconds since the epoch. */
  readonly createdMs: number;
  /** Next offset of each spans partition: segments whose first record lies below are in. */
  readonly offsets: readonly number[];
  readonly segments: number;
  readonly clients: number;
  readonly buckets: number;
  readonly bucketMs: number;
  /** Segments a day in the learning window: what a budget of false alerts a day is held against. */
  readonly segmentsPerDay: number;
  /** Segments the calibration rests on. */
  readonly calibrated: number;
  readonly profile: string;
  readonly alpha: number;
  /** True once alerts can be raised with it. */
  readonly alerting: boolean;
  /** It cannot raise alerts, but one before it could, and goes on doing so in its place. */
  readonly alerted?: boolean;
  /** What is still learning, in words; empty when alerting. */
  readonly learning: readonly string[];
  /** Of its entries (schemas/baselines/version.ts); 1 where nothing is said. */
  readonly schema?: number;
  /** How it came to be; learned, where nothing is said. */
  readonly kind?: 'learned' | 'edited' | 'rolled-back' | 'imported';
  /** Version whose models it has, where it was not learned itself. */
  readonly source?: string;
  /** No learned version replaces it before an operator resumes. */
  readonly held?: boolean;
  /** Version whose counters a trainer goes on from; its own, where nothing is said. */
  readonly counters?: string;
  /** The operator's request that it answers (schemas/baselines/request.ts). */
  readonly request?: string;
  /** Its models were learned elsewhere. */
  readonly foreign?: boolean;
  /** Fingerprint of the installation's key, under which it holds hashes. */
  readonly keyId?: string;
  /** Segments counted apart: nothing of them was learned. */
  readonly quarantined?: number;
  /** Share of observations by state of their key (DETECTION §7). */
  readonly maturity?: Readonly<Record<Maturity, number>>;
}

export interface BaselineCalibration {
  readonly calibration: Calibration;
  readonly thresholds: Thresholds;
  readonly collective: CollectiveRates;
}

export interface Baseline {
  readonly version: string;
  readonly manifest: BaselineManifest;
  readonly models: GroupModels;
  readonly collective: CollectiveRates;
  /** What a segment must be read with to be judged by this version. */
  readonly templates: PathTemplates;
  /** Operators' edits in force (DETECTION §8). */
  readonly edits: readonly EditDocument[];
  /** The same models under other edits, those in force: a version of its own, unless they are the same. */
  withEdits(documents: readonly EditDocument[]): Baseline;
  /** Judges one segment. The result is the caller's to keep. */
  judge(segment: Segment, stage: JudgementStage): Judgement;
  /** Calls of the best match and of the segment judged last, at that stage; `about`: label ids that findings are about. */
  chains(segment: Segment, stage: JudgementStage, about: ReadonlySet<number>): Chains;
  /** 95 % interval of the p of the segment judged last. */
  interval(): readonly [number, number];
  entries(): Iterable<BaselineEntry>;
  coverage(): readonly CoverageRow[];
}

/** Findings that explain nothing worth telling are left out above this p, unless one is hard. */
const TELL_BELOW = 0.01;

export function createBaseline(
  models: GroupModels,
  calibrated: BaselineCalibration,
  manifest: BaselineManifest,
  extra: readonly BaselineEntry[] = [],
): Baseline {
  const { calibration, thresholds } = calibrated;
  const evidence: Record<Group, Evidence> = {
    structure: createEvidence(),
    timing: createEvidence(),
    parameters: createEvidence(),
    status: createEvidence(),
  };
  const found = createStructureMatch();
  const p = new Float64Array(GROUPS.length);
  const releases = releasesFromEntries(extra);
  const documents = editsFromEntries(extra);
  const edits = createEditJudge(documents);
  let lastFused = 0;
  const unlisted: Unlisted = (group, segment) => {
    const model = models[group];
    return model.unlisted === undefined ? NO_FINDINGS : model.unlisted(segment);
  };

  function judge(segment: Segment, stage: JudgementStage): Judgement {
    for (const group of GROUPS) models[group].score(segment, stage, evidence[group]);
    models.structure.match(segment, found);
    learnedThresholds();
    edits?.revise(segment, stage, evidence, found, learned, unlisted);
    for (let g = 0; g < GROUPS.length; g++) {
      const group = GROUPS[g]!;
      const e = evidence[group];
      p[g] = groupP(calibration, group, groupValue(e.surprise, e.severity));
    }
    lastFused = fuse(p);
    const sum = 10 ** lastFused;
    let severity = 0;
    for (let g = 0; g < GROUPS.length; g++) {
      severity += (GROUP_WEIGHTS[GROUPS[g]!] / p[g]! / sum) * evidence[GROUPS[g]!].severity;
    }
    const final = finalP(calibration, lastFused);
    const findings = markReleases(collectFindings(evidence, p, final, edits?.outside === true), segment, releases);
    return {
      p: final,
      score: -Math.log10(final) + severityShare(severity),
      anomalous: final <= thresholds.alpha || edits?.outside === true,
      groups: { structure: p[0]!, timing: p[1]!, parameters: p[2]!, status: p[3]! },
      match: matchOf(findings),
      findings,
    };
  }

  const deviation = new Float64Array(COMPONENTS.length);
  const similarity = new Float64Array(COMPONENTS.length);
  const threshold = new Float64Array(COMPONENTS.length);
  const learned = new Float64Array(COMPONENTS.length);

  function learnedThresholds(): void {
    const row = thresholdRow(thresholds, found.familyKey, found.family);
    for (let c = 0; c < COMPONENTS.length; c++) {
      const ceiling = c === 0 ? Math.min(found.thresholdCeiling, CEILING.structure) : CEILING[COMPONENTS[c]!];
      learned[c] = Math.min(row[c]!, ceiling);
    }
  }

  function matchOf(findings: readonly Finding[]): Match {
    similarity[0] = Math.min(found.similarity, 1);
    similarity[1] = evidence.timing.similarity;
    similarity[2] = evidence.parameters.similarity;
    const byOperator = edits?.thresholds;
    for (let c = 0; c < COMPONENTS.length; c++) {
      threshold[c] = byOperator?.[COMPONENTS[c]!] ?? learned[c]!;
      // what breaks an operator's demand is outside of the baseline, however alike the rest is
      if (edits?.broken[c] === 1) similarity[c] = Math.min(similarity[c]!, Math.max(0, 2 * threshold[c]! - 1));
      deviation[c] = (1 - similarity[c]!) / (1 - threshold[c]!);
    }
    const worst = worstComponent(deviation);
    const w = COMPONENTS.indexOf(worst);
    return {
      family: found.family,
      signature: found.signature,
      version: manifest.version,
      learnedFrom: found.learnedFrom,
      similarity: byComponent(similarity),
      threshold: byComponent(threshold),
      ...(byOperator !== undefined && { learnedThreshold: replaced(byOperator, learned) }),
      deviation: { ...byComponent(deviation), max: deviation[w]! },
      worst,
      exact: found.exact,
      unseenEntry: found.unseenEntry,
      text: matchLine({
        signature: found.signature,
        learnedFrom: found.learnedFrom,
        similarity: similarity[w]!,
        threshold: threshold[w]!,
        ...(byOperator?.[worst] !== undefined && { learnedThreshold: learned[w]! }),
        deviation: deviation[w]!,
        unseenEntry: found.unseenEntry,
        because: deviation[w]! > 0 ? reason(worst, found.script, findings) : '',
      }),
    };
  }

  const self: Baseline = {
    version: manifest.version,
    manifest,
    models,
    collective: calibrated.collective,
    templates: compileTemplates(levelsFromEntries(extra).levels),
    edits: documents,
    withEdits(next) {
      const others = extra.filter(({ group }) => group !== 'edits');
      const entries = [...others, ...editsToEntries(next)];
      const { version, ...facts } = manifest;
      if (JSON.stringify(editsToEntries(next)) === JSON.stringify(editsToEntries(documents))) return self;
      const edited = { ...facts, kind: 'edited', source: manifest.source ?? version, parent: version } as const;
      const id = versionId(VERSION_SCHEMA, edited, contentOf(models, calibrated, entries));
      return createBaseline(models, calibrated, { version: id, ...edited }, entries);
    },
    judge,
    chains: (segment, stage, about) => models.structure.chains(segment, stage, about),
    interval: () => finalInterval(calibration, lastFused),
    entries: () => entriesOf(models, calibrated, manifest, extra),
    coverage: () => GROUPS.flatMap((group) => [...models[group].coverage()]),
  };
  return self;
}

/** The learned thresholds that an operator replaced. */
function replaced(by: OperatorThresholds, learned: ArrayLike<number>): Partial<Record<Component, number>> {
  const shown: Partial<Record<Component, number>> = {};
  for (let c = 0; c < COMPONENTS.length; c++) if (by[COMPONENTS[c]!] !== undefined) shown[COMPONENTS[c]!] = learned[c]!;
  return shown;
}

const byComponent = (values: ArrayLike<number>): Record<Component, number> => ({
  structure: values[0]!,
  timing: values[1]!,
  parameters: values[2]!,
});

/** Joins the groups' findings, each with its share of the evidence; the shares sum to 1 (DETECTION §5.5). */
function collectFindings(
  evidence: Readonly<Record<Group, Evidence>>,
  p: ArrayLike<number>,
  final: number,
  tell: boolean,
): readonly Finding[] {
  let any = false;
  let sure = false;
  for (const group of GROUPS) {
    for (const finding of evidence[group].findings) {
      any = true;
      if (finding.hard || finding.candidate) sure = true;
    }
  }
  if (!any || (!sure && !tell && final > TELL_BELOW)) return NO_FINDINGS;
  const shared: Finding[] = [];
  let total = 0;
  for (let g = 0; g < GROUPS.length; g++) {
    const group = GROUPS[g]!;
    const { findings } = evidence[group];
    if (findings.length === 0) continue;
    const groupWeight = GROUP_WEIGHTS[group] / p[g]!;
    total += groupWeight;
    let inside = 0;
    for (const finding of findings) inside += 1 / Math.max(finding.p, Number.MIN_VALUE);
    for (const finding of findings) {
      const part = Number.isFinite(inside) ? 1 / Math.max(finding.p, Number.MIN_VALUE) / inside : 1 / findings.length;
      shared.push({ ...finding, share: groupWeight * part });
    }
  }
  for (let i = 0; i < shared.length; i++) shared[i] = { ...shared[i]!, share: shared[i]!.share / total };
  return shared.sort((a, b) => Number(b.hard) - Number(a.hard) || b.share - a.share || b.severity - a.severity);
}

/** `fusion` entries of a version. */
function* entriesOf(
  models: GroupModels,
  calibrated: BaselineCalibration,
  manifest: BaselineManifest,
  extra: readonly BaselineEntry[],
): Iterable<BaselineEntry> {
  yield { group: 'manifest', kind: 'manifest', key: 'manifest', value: JSON.stringify(manifest) };
  yield* contentOf(models, calibrated, extra);
}

/** Everything but the manifest: what the version id is a hash of, together with the manifest's other facts. */
export function* contentOf(
  models: GroupModels,
  calibrated: BaselineCalibration,
  extra: readonly BaselineEntry[],
): Iterable<BaselineEntry> {
  const fusion = (kind: string, form: unknown): BaselineEntry => ({
    group: 'fusion',
    kind,
    key: kind,
    value: JSON.stringify(form),
  });
  yield fusion('calibration', calibrationToForm(calibrated.calibration));
  yield fusion('thresholds', thresholdsToForm(calibrated.thresholds));
  yield fusion('collective', ratesToForm(calibrated.collective));
  yield* extra;
  for (const group of GROUPS) yield* models[group].entries();
}

/** Takes a version's entries one by one, holding them as text. */
export interface BaselineLoader {
  take(entry: BaselineEntry): void;
  /** The version. Throws BASELINE_SCHEMA for another schema's, BASELINE_DAMAGED when an entry is missing or unreadable. */
  finish(): Baseline;
}

export function createBaselineLoader(symbols: Symbols, learners: GroupLearners): BaselineLoader {
  const byGroup: Record<Group, EntryPacker> = {
    structure: createEntryPacker(),
    timing: createEntryPacker(),
    parameters: createEntryPacker(),
    status: createEntryPacker(),
  };
  const single = new Map<string, string>();
  const extra: BaselineEntry[] = [];
  return {
    take(entry) {
      if (entry.group === 'fusion' || entry.group === 'manifest') single.set(entry.kind, entry.value);
      else if (entry.group === 'match') byGroup.structure.add(entry);
      else if (entry.group === 'templates' || entry.group === 'edits' || entry.group === 'releases') extra.push(entry);
      else byGroup[entry.group].add(entry);
    },
    finish: () => build(byGroup, single, extra, symbols, learners),
  };
}

/** A version of entries that are at hand. */
export function loadBaseline(entries: Iterable<BaselineEntry>, symbols: Symbols, learners: GroupLearners): Baseline {
  const loader = createBaselineLoader(symbols, learners);
  for (const entry of entries) loader.take(entry);
  return loader.finish();
}

function build(
  byGroup: Record<Group, EntryPacker>,
  single: ReadonlyMap<string, string>,
  extra: readonly BaselineEntry[],
  symbols: Symbols,
  learners: GroupLearners,
): Baseline {
  const read = <T>(kind: string): T => {
    const value = single.get(kind);
    if (value === undefined) throw new SpanwardenError('BASELINE_DAMAGED', `the baseline has no ${kind} entry`);
    return JSON.parse(value) as T;
  };
  try {
    const manifest = read<BaselineManifest>('manifest');
    checkSchema(manifest.schema ?? 1);
    const models: GroupModels = {
      structure: learners.structure.load(byGroup.structure.finish(), symbols),
      timing: learners.timing.load(byGroup.timing.finish(), symbols),
      parameters: learners.parameters.load(byGroup.parameters.finish(), symbols),
      status: learners.status.load(byGroup.status.finish(), symbols),
    };
    const calibrated: BaselineCalibration = {
      calibration: calibrationFromForm(read<CalibrationForm>('calibration')),
      thresholds: thresholdsFromForm(read<ThresholdsForm>('thresholds')),
      collective: ratesFromForm(read<CollectiveForm>('collective')),
    };
    return createBaseline(models, calibrated, manifest, extra);
  } catch (error) {
    if (error instanceof SpanwardenError) throw error;
    throw new SpanwardenError('BASELINE_DAMAGED', 'a baseline entry could not be read', { cause: error });
  }
}
