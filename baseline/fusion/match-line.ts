/** The sentence that says what a trace was held against and how far it is off (DETECTION §0). */
import type { Component, Finding } from '../../schemas/log/verdict.ts';

export interface MatchLine {
  readonly signature: string;
  readonly learnedFrom: number;
  readonly similarity: number;
  readonly threshold: number;
  /** What was learned, where an operator set the threshold. */
  readonly learnedThreshold?: number;
  readonly deviation: number;
  readonly unseenEntry: boolean;
  /** What deviates, in words; '' when nothing does. */
  readonly because: string;
}

/** `similarity 0.86 to 'POST /checkout #3' (baseline ≥ 0.98, learned from 2,231), deviation 7.0×: missing …`. */
export function matchLine(line: MatchLine): string {
  const head =
    `similarity ${similarityText(line.similarity)} to '${line.signature}' ` +
    `(${baselineText(line)} from ${grouped(line.learnedFrom)}), ` +
    `deviation ${deviationText(line.deviation)}×`;
  const entry = line.unseenEntry ? 'entry operation never seen, held against all families' : '';
  const because = entry !== '' && line.because !== '' ? `${entry}; ${line.because}` : entry + line.because;
  return because === '' ? head : `${head}: ${because}`;
}

/**
 * What the sentence gives as reason: the edit script for structure, else the component's strongest finding. A finding that
 * is near-certain by its kind comes first, also when another component deviates more.
 */
export function reason(worst: Component, script: string, findings: readonly Finding[]): string {
  const sure = findings.find((finding) => finding.hard || finding.candidate);
  const ofWorst = reasonOf(worst, script, findings);
  if (sure === undefined || sure.group === worst) return ofWorst;
  const first = sure.group === 'structure' && script !== '' ? script : textOf(sure);
  return ofWorst === '' ? first : `${first}; also ${ofWorst}`;
}

function reasonOf(component: Component, script: string, findings: readonly Finding[]): string {
  if (component === 'structure' && script !== '') return script;
  let best: Finding | undefined;
  for (const finding of findings) {
    if (finding.group === component && (best === undefined || outranks(finding, best))) best = finding;
  }
  return best === undefined ? '' : textOf(best);
}

const outranks = (a: Finding, b: Finding): boolean => (a.hard === b.hard ? a.share > b.share : a.hard);

function textOf(finding: Finding): string {
  const place = finding.parameter === '' ? finding.operation : `${finding.parameter} of ${finding.operation}`;
  return `${place}: ${finding.seen} (${finding.expected})`;
}

const baselineText = ({ threshold, learnedThreshold }: MatchLine): string =>
  learnedThreshold === undefined
    ? `baseline ≥ ${threshold.toFixed(2)}, learned`
    : `operator ≥ ${threshold.toFixed(threshold > 0.99 ? 3 : 2)}, learned ≥ ${learnedThreshold.toFixed(2)}`;

/** 0.9996 must not read as 1.00: only a perfect match is 1.00. */
const similarityText = (similarity: number): string =>
  similarity < 1 && similarity > 0.995 ? Math.min(0.999, similarity).toFixed(3) : similarity.toFixed(2);

const deviationText = (deviation: number): string => (deviation < 100 ? deviation.toFixed(1) : deviation.toFixed(0));

/** 48211 → `48,211`. (Number.toLocaleString costs microseconds.) */
export function grouped(count: number): string {
  const digits = Math.round(count).toString();
  let text = '';
  for (let i = 0; i < digits.length; i++) {
    if (i > 0 && (digits.length - i) % 3 === 0) text += ',';
    text += digits[i];
  }
  return text;
}
