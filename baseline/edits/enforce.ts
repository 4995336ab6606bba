/** What an operator demands or forbids and a segment breaks: hard findings (DETECTION §8). */
import { type EditDocument, PARAMETER_TYPES } from '../../schemas/baselines/edit.ts';
import type { Finding, FindingKind, Group } from '../../schemas/log/verdict.ts';
import { endMsOf, Outcome, type Segment, type Symbols, spanIdHex } from '../../traces/segment.ts';
import { JudgementStage, type StructureMatch } from '../model.ts';
import type { ParameterReader } from '../parameters/reader.ts';
import { type CallIds, callerIn, callIds, callWords, countsByCaller, eachCalled, isCall } from './calls.ts';

/** An operator's word is no estimate: so improbable that it is the strongest evidence of its group. */
const OPERATOR_P = 1e-6;
const MS = 1e6;

/** A clause that can be broken; gives its findings to `found`. */
export type Clause = (segment: Segment, stage: JudgementStage, match: StructureMatch, found: Finding[]) => void;

interface Facts {
  readonly kind: FindingKind;
  readonly group: Group;
  readonly evidence?: Finding['evidence'];
  readonly key: string;
  readonly parameter?: string;
  readonly expected: string;
  readonly seen: string;
  readonly severity?: number;
}

export function operatorFinding(segment: Segment, i: number, edit: EditDocument, facts: Facts): Finding {
  const startMs = segment.startMs + segment.startNs[i]! / MS;
  const who = edit.owner === '' ? edit.by : edit.owner;
  return {
    kind: facts.kind,
    group: facts.group,
    hard: true,
    evidence: facts.evidence ?? 'presence',
    explanationKey: facts.key,
    service: segment.symbols.text(segment.service[i]!),
    operation: segment.symbols.text(segment.operation[i]!),
    spanId: spanIdHex(segment, i),
    parameter: facts.parameter ?? '',
    expected: `${facts.expected} (edit ${edit.id}${who === '' ? '' : ` of ${who}`})`,
    seen: facts.seen,
    support: 0,
    severity: facts.severity ?? 1,
    p: OPERATOR_P,
    share: 0,
    candidate: false,
    startMs,
    endMs: endMsOf(segment, i),
  };
}

/** What is missing proves nothing where spans were cut off or lost. */
function isWhole(segment: Segment): boolean {
  if (segment.truncated) return false;
  for (let i = 1; i < segment.spanCount; i++) if (segment.orphan[i] === 1) return false;
  return true;
}

const succeeded = (segment: Segment, i: number): boolean => segment.outcome[i]! < Outcome.clientError;

/** The clauses of one document that can be broken: those of a pinned one, and what a blocked one forbids. */
export function clausesOf(edit: EditDocument, symbols: Symbols, reader: ParameterReader): Clause[] {
  const clauses: Clause[] = [];
  if (edit.state !== 'pinned' && edit.state !== 'blocked') return clauses;
  for (const { parent, child } of edit.forbidden) clauses.push(forbidden(edit, symbols, parent, child));
  if (edit.state === 'blocked') {
    if (edit.signature !== undefined && edit.forbidden.length === 0) clauses.push(blockedSignature(edit));
    return clauses;
  }
  for (const { parent, child } of edit.required) clauses.push(count(edit, symbols, parent, child, 1, undefined));
  for (const { parent, child, min, max } of edit.counts)
    clauses.push(count(edit, symbols, parent, child, min ?? 0, max));
  for (const one of edit.order) clauses.push(ordered(edit, symbols, one));
  for (const one of edit.latency) clauses.push(duration(edit, symbols, one));
  for (const one of edit.parameters) clauses.push(parameter(edit, symbols, one, reader));
  return clauses;
}

type Of<K extends 'order' | 'latency' | 'parameters'> = EditDocument[K][number];
type CallOf = EditDocument['required'][number]['child'];

function forbidden(edit: EditDocument, symbols: Symbols, parent: CallOf | undefined, child: CallOf): Clause {
  const childIds = callIds(child, symbols);
  const parentIds = parent === undefined ? undefined : callIds(parent, symbols);
  const caller = parent === undefined ? 'anybody' : callWords(parent);
  return (segment, _stage, _match, found) => {
    for (let i = 0; i < segment.spanCount; i++) {
      if (!isCall(segment, i, childIds)) continue;
      if (parentIds !== undefined && callerIn(segment, i, parentIds) < 0) continue;
      found.push(
        operatorFinding(segment, i, edit, {
          kind: 'blocked',
          group: 'structure',
          key: `${caller} → ${callWords(child)}`,
          expected: `${callWords(child)} is blocked${parent === undefined ? '' : ` for ${caller}`}`,
          seen: `${callWords(child)} was called`,
        }),
      );
      return; // one of a kind and key is told
    }
  };
}

const blockedSignature =
  (edit: EditDocument): Clause =>
  (segment, stage, match, found) => {
    // the beginning of a request may be that of any signature: what is not there yet counts as missing of none
    if (stage !== JudgementStage.absence || match.similarity < 1 || !isWhole(segment)) return;
    found.push(
      operatorFinding(segment, 0, edit, {
        kind: 'blocked',
        group: 'structure',
        evidence: 'absence',
        key: match.signatureKey,
        expected: `signature '${match.signature}' is blocked`,
        seen: `a request of signature '${match.signature}'`,
      }),
    );
  };

function count(
  edit: EditDocument,
  symbols: Symbols,
  parent: CallOf,
  child: CallOf,
  min: number,
  max: number | undefined,
): Clause {
  const parentIds = callIds(parent, symbols);
  const childIds = callIds(child, symbols);
  const key = `${callWords(parent)} → ${callWords(child)}`;
  const times = (n: number): string => (n === 1 ? 'once' : `${n} times`);
  return (segment, stage, _match, found) => {
    const judgesAbsence = min > 0 && stage === JudgementStage.absence && isWhole(segment);
    if (max === undefined && !judgesAbsence) return;
    const counts = countsByCaller(segment, parentIds, childIds);
    if (counts.size === 0 && !judgesAbsence) return;
    let few = false;
    let many = false;
    for (let i = 0; i < segment.spanCount && !(few && many); i++) {
      if (!isCall(segment, i, parentIds)) continue;
      const seen = counts.get(i) ?? 0;
      if (!many && max !== undefined && seen > max) {
        many = true;
        found.push(
          operatorFinding(segment, i, edit, {
            kind: 'fan-out',
            group: 'structure',
            key,
            expected: `${callWords(parent)} calls ${callWords(child)} at most ${times(max)}`,
            seen: `called ${times(seen)}`,
            severity: Math.log2(seen / Math.max(1, max)),
          }),
        );
      }
      if (!few && judgesAbsence && seen < min && succeeded(segment, i)) {
        few = true;
        found.push(
          operatorFinding(segment, i, edit, {
            kind: 'required-child',
            group: 'structure',
            evidence: 'absence',
            key,
            expected: `${callWords(parent)} calls ${callWords(child)}${min > 1 ? ` at least ${times(min)}` : ''}`,
            seen: seen === 0 ? `it succeeded without ${callWords(child)}` : `called ${times(seen)}`,
          }),
        );
      }
    }
  };
}

function ordered(edit: EditDocument, symbols: Symbols, { parent, before, after }: Of<'order'>): Clause {
  const [parentIds, beforeIds, afterIds] = [parent, before, after].map((call) => callIds(call, symbols)) as [
    CallIds,
    CallIds,
    CallIds,
  ];
  const firstStarts = (segment: Segment, call: CallIds): ReadonlyMap<number, number> => {
    const starts = new Map<number, number>();
    eachCalled(segment, parentIds, call, (caller, i) =>
      starts.set(caller, Math.min(starts.get(caller) ?? Number.POSITIVE_INFINITY, segment.startNs[i]!)),
    );
    return starts;
  };
  return (segment, stage, _match, found) => {
    if (stage !== JudgementStage.absence || !isWhole(segment)) return; // what comes first may come late
    const afterStarts = firstStarts(segment, afterIds);
    if (afterStarts.size === 0) return;
    const beforeStarts = firstStarts(segment, beforeIds);
    for (let i = 0; i < segment.spanCount; i++) {
      const afterNs = afterStarts.get(i);
      if (afterNs === undefined || (beforeStarts.get(i) ?? Number.POSITIVE_INFINITY) <= afterNs) continue;
      found.push(
        operatorFinding(segment, i, edit, {
          kind: 'order',
          group: 'structure',
          evidence: 'absence',
          key: `${callWords(parent)} → ${callWords(after)}`,
          expected: `${callWords(before)} comes before ${callWords(after)}`,
          seen: `${callWords(after)} began without ${callWords(before)} before it`,
        }),
      );
      return;
    }
  };
}

function duration(edit: EditDocument, symbols: Symbols, { call, minMs, maxMs }: Of<'latency'>): Clause {
  const ids = callIds(call, symbols);
  return (segment, stage, _match, found) => {
    for (let i = 0; i < segment.spanCount; i++) {
      if (!isCall(segment, i, ids)) continue;
      const ms = segment.durationNs[i]! / MS;
      const tooShort = minMs !== undefined && ms < minMs && stage === JudgementStage.absence;
      if (!(ms > maxMs) && !tooShort) continue; // an unknown duration is NaN, and neither
      found.push(
        operatorFinding(segment, i, edit, {
          kind: 'latency',
          group: 'timing',
          key: segment.symbols.text(segment.service[i]!),
          expected: `${callWords(call)} takes ${minMs === undefined ? 'at most' : `${minMs} to`} ${maxMs} ms`,
          seen: `${ms.toFixed(ms < 10 ? 2 : 0)} ms`,
          severity: Math.abs(Math.log2(ms / (ms > maxMs ? Math.max(maxMs, 1e-3) : Math.max(minMs ?? 0, 1e-3)))),
        }),
      );
      return;
    }
  };
}

/** What the value at parameter index `at` is, in words, where the clause does not allow it; '' where it does. */
export function shapeProblem(segment: Segment, at: number, clause: Of<'parameters'>, reader: ParameterReader): string {
  const shape = reader.shape(
    segment.values,
    segment.parameterStart[at]!,
    segment.parameterEnd[at]!,
    segment.parameterSource[at]!,
  );
  const type = PARAMETER_TYPES[shape.type - 1] ?? 'text';
  const tooLong = shape.length > (clause.maxLength ?? Number.POSITIVE_INFINITY);
  const tooShort = shape.length < (clause.minLength ?? 0);
  if (!tooLong && !tooShort && (clause.types === undefined || clause.types.includes(type))) return '';
  return `a value of type ${type}, ${shape.length} characters long`;
}

function parameter(edit: EditDocument, symbols: Symbols, clause: Of<'parameters'>, reader: ParameterReader): Clause {
  const ids = callIds(clause.call, symbols);
  const name = symbols.intern(clause.name);
  const { minLength, maxLength } = clause;
  const lengths = [
    ...(minLength === undefined ? [] : [`at least ${minLength} characters`]),
    ...(maxLength === undefined ? [] : [`at most ${maxLength} characters`]),
  ];
  const allowed = [...(clause.types === undefined ? [] : [clause.types.join(' or ')]), ...lengths].join(', ');
  return (segment, _stage, _match, found) => {
    for (let at = 0; at < segment.parameterCount; at++) {
      if (segment.parameterName[at] !== name) continue;
      const i = segment.parameterSpan[at]!;
      if (!isCall(segment, i, ids)) continue;
      const seen = shapeProblem(segment, at, clause, reader);
      if (seen === '') continue;
      found.push(
        operatorFinding(segment, i, edit, {
          kind: 'parameter',
          group: 'parameters',
          key: `${segment.symbols.text(segment.operation[i]!)} · ${clause.name}`,
          parameter: clause.name,
          expected: `\`${clause.name}\` is ${allowed}`,
          seen,
        }),
      );
      return;
    }
  };
}
