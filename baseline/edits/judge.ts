/**
 * Operators' edits at work (DETECTION §8): revises what the models say of a segment, between their scores and the ranking of
 * the groups. A pure function of segment and documents; a version without edits has none of this.
 */
import type { EditDocument } from '../../schemas/baselines/edit.ts';
import { COMPONENTS, type Component, type Finding, GROUPS, type Group } from '../../schemas/log/verdict.ts';
import type { Segment, Symbols } from '../../traces/segment.ts';
import { type Evidence, type JudgementStage, NO_FINDINGS, type StructureMatch } from '../model.ts';
import { createParameterReader } from '../parameters/reader.ts';
import { type Absolution, absolutionsOf, absolve, isSure } from './absolve.ts';
import { type Clause, clausesOf } from './enforce.ts';

/** An operator's similarity thresholds; undefined where what was learned stands. */
export type OperatorThresholds = Readonly<Partial<Record<Component, number>>>;

/** What a group found in the segment and did not list; undefined where more than it keeps. */
export type Unlisted = (group: Group, segment: Segment) => readonly Finding[] | undefined;
const nothingUnlisted: Unlisted = () => NO_FINDINGS;

export interface EditJudge {
  /** Overwrites evidence and match by what operators said. `learned`: the thresholds in the order of COMPONENTS. */
  revise(
    segment: Segment,
    stage: JudgementStage,
    evidence: Record<Group, Evidence>,
    match: StructureMatch,
    learned: ArrayLike<number>,
    unlisted?: Unlisted,
  ): void;
  /** Of the segment revised last. */
  readonly thresholds: OperatorThresholds | undefined;
  /** Components, by index, in which the segment revised last breaks what an operator demands. */
  readonly broken: Uint8Array;
  /** The segment revised last breaks a demand, or is below a threshold that an operator raised. */
  readonly outside: boolean;
}

interface Compiled {
  readonly edit: EditDocument;
  /** Symbol of the entry operation; −1 = every. */
  readonly entry: number;
  readonly absolutions: readonly Absolution[];
  readonly clauses: readonly Clause[];
}

/** Undefined when there is nothing to do: then judging costs nothing more than before. */
export function createEditJudge(documents: readonly EditDocument[]): EditJudge | undefined {
  if (documents.length === 0) return undefined;
  const reader = createParameterReader(0);
  let compiledFor: Symbols | undefined;
  let compiled: Compiled[] = [];
  const broken = new Uint8Array(COMPONENTS.length);
  let thresholds: OperatorThresholds | undefined;
  let outside = false;

  function compile(symbols: Symbols): void {
    compiled = documents.map((edit) => ({
      edit,
      entry: edit.entry === undefined ? -1 : symbols.intern(edit.entry),
      absolutions: absolutionsOf(edit, symbols, reader),
      clauses: clausesOf(edit, symbols, reader),
    }));
    compiledFor = symbols;
  }

  function revise(
    segment: Segment,
    stage: JudgementStage,
    evidence: Record<Group, Evidence>,
    match: StructureMatch,
    learned: ArrayLike<number>,
    unlisted = nothingUnlisted,
  ): void {
    if (compiledFor !== segment.symbols) compile(segment.symbols);
    broken.fill(0);
    thresholds = undefined;
    outside = false;
    if (segment.spanCount === 0) return;
    const absolutions: Absolution[] = [];
    const added: Finding[] = [];
    for (const { edit, entry, absolutions: own, clauses } of compiled) {
      // of an entry operation that nobody ever saw, family and signature are only the nearest: it is neither
      if (entry >= 0 && segment.operation[0] !== entry && (match.unseenEntry || edit.entry !== match.family)) continue;
      if (edit.signature !== undefined && (match.unseenEntry || edit.signature !== match.signatureKey)) continue;
      for (const one of own) absolutions.push(one);
      for (const clause of clauses) clause(segment, stage, match, added);
      if (edit.state !== 'blocked') thresholds = joined(thresholds, edit.thresholds);
    }
    if (absolutions.length > 0) takeAway(segment, evidence, match, absolutions, unlisted);
    if (thresholds !== undefined) hold(segment, thresholds, evidence, match, learned);
    for (const finding of added) demand(evidence[finding.group], finding);
  }

  function takeAway(
    segment: Segment,
    evidence: Record<Group, Evidence>,
    match: StructureMatch,
    absolutions: readonly Absolution[],
    unlisted: Unlisted,
  ): void {
    const listed = GROUPS.flatMap((group) => evidence[group].findings);
    if (listed.length === 0 || absolve(listed, segment, absolutions) === listed) return;
    // what was listed stood before others, which nobody has named: they are weighed, and listed in its place
    const others = GROUPS.map((group) => unlisted(group, segment));
    const left = new Set(absolve([...listed, ...others.flatMap((own) => own ?? [])], segment, absolutions));
    for (const [g, group] of GROUPS.entries()) {
      const e = evidence[group];
      const kept = e.findings.filter((finding) => left.has(finding));
      if (kept.length === e.findings.length) continue;
      const own = others[g];
      if (own === undefined) {
        e.findings = kept.length === 0 ? NO_FINDINGS : kept;
        continue;
      }
      const weighed = [...kept, ...own.filter((finding) => left.has(finding))];
      weigh(e, weighed);
      e.findings = weighed.length === 0 ? NO_FINDINGS : oneOfAKind(weighed).slice(0, e.findings.length);
      if (weighed.length > 0) continue;
      e.similarity = 1;
      if (group !== 'structure') continue;
      match.similarity = 1;
      match.script = '';
      match.unseenEntry = false;
    }
  }

  /**
   * An operator's threshold decides instead of the learned one: soft evidence inside a lowered one is none; a segment below a
   * raised one is outside of the baseline.
   */
  function hold(
    segment: Segment,
    by: OperatorThresholds,
    evidence: Record<Group, Evidence>,
    match: StructureMatch,
    learned: ArrayLike<number>,
  ): void {
    for (let c = 0; c < COMPONENTS.length; c++) {
      const component = COMPONENTS[c]!;
      const threshold = by[component];
      if (threshold === undefined || segment.spanCount === 0) continue;
      const e = evidence[component];
      const similarity = component === 'structure' ? match.similarity : e.similarity;
      if (similarity < threshold && threshold > learned[c]!) outside = true;
      else if (similarity >= threshold && threshold < learned[c]!) keep(e, e.findings.filter(isSure));
    }
  }

  function demand(e: Evidence, finding: Finding): void {
    const at = COMPONENTS.indexOf(finding.group as Component);
    if (at >= 0) broken[at] = 1;
    outside = true;
    const others = e.findings.filter(
      ({ kind, explanationKey }) => kind !== finding.kind || explanationKey !== finding.explanationKey,
    );
    e.findings = [finding, ...others];
    e.surprise = Math.max(e.surprise, -Math.log10(finding.p));
    e.severity = Math.max(e.severity, finding.severity);
  }

  return {
    revise,
    broken,
    get thresholds() {
      return thresholds;
    },
    get outside() {
      return outside;
    },
  };
}

function keep(e: Evidence, findings: readonly Finding[]): void {
  weigh(e, findings);
  e.findings = findings.length === 0 ? NO_FINDINGS : [...findings];
}

/** What is left explains at most what its strongest says. */
function weigh(e: Evidence, findings: readonly Finding[]): void {
  let surprise = 0;
  let severity = 0;
  for (const finding of findings) {
    surprise = Math.max(surprise, -Math.log10(Math.max(finding.p, Number.MIN_VALUE)));
    severity = Math.max(severity, finding.severity);
  }
  e.surprise = Math.min(e.surprise, surprise);
  e.severity = Math.min(e.severity, severity);
}

/** The first of each kind, explanation and call. */
function oneOfAKind(findings: readonly Finding[]): Finding[] {
  const first = new Map<string, Finding>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.kind, finding.explanationKey, finding.service, finding.operation]);
    if (!first.has(key)) first.set(key, finding);
  }
  return [...first.values()];
}

/** Of several documents the stricter threshold stands; a pinned one is not told apart: both are an operator's word. */
function joined(one: OperatorThresholds | undefined, other: OperatorThresholds): OperatorThresholds | undefined {
  const next: Partial<Record<Component, number>> = { ...one };
  for (const component of COMPONENTS) {
    const value = other[component];
    if (value !== undefined) next[component] = Math.max(next[component] ?? 0, value);
  }
  return Object.keys(next).length === 0 ? undefined : next;
}
