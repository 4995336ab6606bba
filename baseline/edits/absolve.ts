/** What an operator said is normal: takes findings away, with what only follows from them (DETECTION §8). */
import type { Call, EditDocument } from '../../schemas/baselines/edit.ts';
import type { Finding, FindingKind } from '../../schemas/log/verdict.ts';
import { type Segment, type Symbols, spanIdHex } from '../../traces/segment.ts';
import type { ParameterReader } from '../parameters/reader.ts';
import { callIds, countsByCaller, isCall } from './calls.ts';
import { shapeProblem } from './enforce.ts';

/** Whether a finding of this segment is taken away. */
export type Absolution = (finding: Finding, segment: Segment) => boolean;

/** New calls: what is below one was never learned either, so what is soft there says nothing more. */
const NEW_CALL: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'unseen-operation',
  'unseen-edge',
  'service-pair',
  'egress',
]);
const REQUIRED: ReadonlySet<FindingKind> = new Set<FindingKind>(['required-child', 'required-ancestor']);

export const isSure = (finding: Finding): boolean => finding.hard || finding.candidate;

export function absolutionsOf(edit: EditDocument, symbols: Symbols, reader: ParameterReader): Absolution[] {
  if (edit.state !== 'approved' && edit.state !== 'pinned') return [];
  return [
    ...approvals(edit),
    ...edit.optional.map(({ parent, child }) => optional(parent, child)),
    ...edit.counts.map((clause) => counted(clause, symbols)),
    ...edit.latency.map((clause) => timed(clause)),
    ...edit.parameters.map((clause) => shaped(clause, symbols, reader)),
    ...edit.order.map(
      ({ parent }): Absolution =>
        (finding) =>
          finding.kind === 'order' && isAt(finding, parent),
    ),
  ];
}

const isAt = (finding: Finding, { service, operation }: Call): boolean =>
  finding.service === service && (operation === undefined || finding.operation === operation);

function approvals({ approve }: EditDocument): Absolution[] {
  if (approve.length === 0) return [];
  const byKey = new Map<string, (typeof approve)[number][]>();
  for (const one of approve) {
    const key = `${one.kind} ${one.explanationKey}`;
    byKey.set(key, [...(byKey.get(key) ?? []), one]);
  }
  return [
    (finding) =>
      (byKey.get(`${finding.kind} ${finding.explanationKey}`) ?? []).some(
        ({ service, operation }) =>
          (service === undefined || service === finding.service) &&
          (operation === undefined || operation === finding.operation),
      ),
  ];
}

/** The label text of a key's part means this call. */
function means(symbols: Symbols, text: string | undefined, { service, operation }: Call): boolean {
  if (text === undefined || text === '' || text === '*') return false;
  const label = symbols.labelOf(symbols.labelFromText(text));
  return (
    symbols.text(label.service) === service && (operation === undefined || symbols.text(label.operation) === operation)
  );
}

const optional =
  (parent: Call, child: Call): Absolution =>
  (finding, { symbols }) => {
    const [subject, required] = finding.explanationKey.split(' → ');
    if (finding.kind === 'required-child') return means(symbols, subject, parent) && means(symbols, required, child);
    if (finding.kind === 'required-ancestor') return means(symbols, subject, child) && means(symbols, required, parent);
    return (
      finding.kind === 'child-set' &&
      isAt(finding, parent) &&
      means(symbols, finding.explanationKey.split(' · ').at(-1), child)
    );
  };

function counted({ parent, child, min, max }: EditDocument['counts'][number], symbols: Symbols): Absolution {
  const parentIds = callIds(parent, symbols);
  const childIds = callIds(child, symbols);
  return (finding, segment) => {
    if (finding.kind !== 'fan-out' || max === undefined) return false;
    const [above, below] = finding.explanationKey.split(' → ');
    if (!means(segment.symbols, above, parent) || !means(segment.symbols, below, child)) return false;
    const counts = countsByCaller(segment, parentIds, childIds);
    for (let i = 0; i < segment.spanCount; i++) {
      if (!isCall(segment, i, parentIds)) continue;
      const seen = counts.get(i) ?? 0;
      if (seen > max || seen < (min ?? 0)) return false;
    }
    return true;
  };
}

const timed =
  ({ call, minMs, maxMs }: EditDocument['latency'][number]): Absolution =>
  (finding) => {
    if (finding.group !== 'timing' || !isAt(finding, call)) return false;
    const ms = finding.endMs - finding.startMs;
    return ms <= maxMs && ms >= (minMs ?? 0);
  };

function shaped(clause: EditDocument['parameters'][number], symbols: Symbols, reader: ParameterReader): Absolution {
  const ids = callIds(clause.call, symbols);
  const name = symbols.intern(clause.name);
  return (finding, segment) => {
    if (finding.kind !== 'parameter' || finding.parameter !== clause.name || !isAt(finding, clause.call)) return false;
    for (let at = 0; at < segment.parameterCount; at++) {
      if (segment.parameterName[at] !== name || !isCall(segment, segment.parameterSpan[at]!, ids)) continue;
      if (shapeProblem(segment, at, clause, reader) !== '') return false;
    }
    return true;
  };
}

/**
 * What is left of a verdict's findings, all groups together. With a finding that is taken away goes what only follows from
 * it, if that is soft: the same group at the same span; everything below a call that is new, and the child set it is in; the
 * child set without a call that may be left out; and the tree as a whole when nothing else of its structure is left.
 */
export function absolve(
  findings: readonly Finding[],
  segment: Segment,
  absolutions: readonly Absolution[],
): readonly Finding[] {
  const gone = findings.filter(
    (finding) => finding.kind !== 'blocked' && absolutions.some((takesAway) => takesAway(finding, segment)),
  );
  if (gone.length === 0) return findings;
  const left = new Set(findings);
  for (const finding of gone) left.delete(finding);
  const follows = whatFollows(gone, segment);
  for (const finding of left) if (!isSure(finding) && follows(finding)) left.delete(finding);
  const structure = [...left].filter(({ group }) => group === 'structure');
  if (
    gone.some(({ group }) => group === 'structure') &&
    structure.every(({ kind, hard }) => kind === 'whole-tree' && !hard)
  ) {
    for (const finding of structure) left.delete(finding);
  }
  return findings.filter((finding) => left.has(finding));
}

/** Whether a finding only follows from one of those that are gone. */
function whatFollows(gone: readonly Finding[], segment: Segment): (finding: Finding) => boolean {
  const spans = new Map<string, number>();
  for (let i = 0; i < segment.spanCount; i++) spans.set(spanIdHex(segment, i), i);
  const place = ({ group, spanId }: Finding): string => `${group} ${spanId}`;
  const byPlace = new Map<string, Finding[]>();
  const newCalls = new Map<number, Finding[]>();
  /** Spans below new calls, callers of new calls, labels of calls left out. */
  const below = new Uint8Array(segment.spanCount);
  const callers = new Set<number>();
  const omitted = new Set<string>();
  for (const from of gone) {
    const known = byPlace.get(place(from));
    if (known === undefined) byPlace.set(place(from), [from]);
    else known.push(from);
    const top = spans.get(from.spanId);
    if (top === undefined) continue;
    if (NEW_CALL.has(from.kind)) {
      newCalls.set(top, [...(newCalls.get(top) ?? []), from]);
      callers.add(segment.parent[top]!);
    } else if (REQUIRED.has(from.kind)) omitted.add(lastOf(from.explanationKey, ' → '));
  }
  for (let i = 1; i < segment.spanCount; i++) {
    const up = segment.parent[i]!;
    if (up >= 0 && (below[up] === 1 || newCalls.has(up))) below[i] = 1;
  }
  return (finding) => {
    const at = spans.get(finding.spanId);
    if (finding.kind === 'child-set') {
      // a set with a new call in it cannot be one that was learned; a required call that is missing is told by its rule
      return (at !== undefined && callers.has(at)) || omitted.has(lastOf(finding.explanationKey, ' · '));
    }
    const isOfTheSame = (from: Finding): boolean =>
      from.parameter === finding.parameter || from.group !== 'parameters' || from.kind === 'statement';
    if (byPlace.get(place(finding))?.some(isOfTheSame) === true) return true;
    if (at === undefined) return false;
    return below[at] === 1 || newCalls.get(at)?.some(({ group }) => group !== finding.group) === true;
  };
}

const lastOf = (key: string, separator: string): string => key.split(separator).at(-1)!;
