/**
 * What one trainer counted of parameters in one block of time: raw counters by operation and parameter, no values. Merging
 * is exact, commutative and associative, and gives what learning everything into one partial would have given.
 */
import type { ParameterSource, Symbols } from '../../traces/segment.ts';
import { type BoundedMap, claimKey, createBoundedMap, mergeMap, settleMap } from './bounded-map.ts';
import { type Counts, createCaps, createCounts, hasCount, keyOf, mergeCounts, settleCounts } from './counts.ts';
import { createDistinct, mergeDistinct } from './distinct.ts';
import { Kind, PARAMETER_CAPS, SCHEMA_CAPS } from './features.ts';
import { hashText } from './hash.ts';
import { claimName, mergeNames, settleNames } from './names.ts';
import { isCallSource } from './sources.ts';

/** Bounds of one partial: operations, parameters and calls of one, letters of a form's text. */
export const MAX_OPERATIONS = 4_096;
export const MAX_PARAMETERS = 192;
export const MAX_CALLS = 192;
export const MAX_FORM_TEXT = 160;

export interface ParameterCounts {
  readonly source: ParameterSource;
  /** Parameter name; for statements and egress the label text of the calling span. */
  readonly name: string;
  readonly counts: Counts;
  /** Shapes of values that an attack pattern matched: apart, for parameters where that is everyday. Null = none came. */
  hits: Counts | null;
  readonly clients: Uint8Array;
  /** Tables of a statement skeleton, name of an egress class, by its key. */
  readonly texts: Map<number, string>;
}

export interface OperationCounts {
  /** Label text: unique and the same in every process. */
  readonly label: string;
  readonly service: string;
  readonly operation: string;
  readonly counts: Counts;
  readonly clients: Uint8Array;
  readonly parameters: BoundedMap<ParameterCounts>;
  /** Statements and egress, apart: parameter names that outsiders make up must not push them out. */
  readonly calls: BoundedMap<ParameterCounts>;
}

export interface ParametersPartial {
  readonly operations: BoundedMap<OperationCounts>;
  /**
   * Observations in quarantined segments, by hash of the operation or parameter: apart from all that is learned, so that an
   * attack neither teaches nor takes a name's place.
   */
  readonly quarantined: Counts;
  /** Process-local short cuts from symbol ids; no part of the partial's meaning. */
  cache: PartialCache | null;
}

export interface PartialCache {
  readonly symbols: Symbols;
  /** Operation by label id; null = beyond the bound. */
  readonly operations: (OperationCounts | null | undefined)[];
  /** Parameter by operation and numeric name. */
  readonly parameters: WeakMap<OperationCounts, CachedParameters>;
}

/** Good until names or calls of the operation were cut. */
export interface CachedParameters {
  readonly cuts: number;
  readonly byName: Map<number, ParameterCounts | null>;
}

/** `seed`: the installation's key, by which bounds choose what they keep. */
export const createPartial = (seed: number): ParametersPartial => ({
  operations: createBoundedMap(MAX_OPERATIONS, seed),
  quarantined: createCounts(QUARANTINE_CAPS),
  cache: null,
});

export const createOperation = (label: string, service: string, operation: string, seed: number): OperationCounts => ({
  label,
  service,
  operation,
  counts: createCounts(SCHEMA_CAPS),
  clients: createDistinct(),
  parameters: createBoundedMap(MAX_PARAMETERS, seed),
  calls: createBoundedMap(MAX_CALLS, seed),
});

export const createParameter = (source: ParameterSource, name: string): ParameterCounts => ({
  source,
  name,
  counts: createCounts(PARAMETER_CAPS),
  hits: null,
  clients: createDistinct(),
  texts: new Map(),
});

const QuarantineKind = { operation: 1, parameter: 2 } as const;
const QUARANTINE_CAPS = createCaps({ [QuarantineKind.operation]: 512, [QuarantineKind.parameter]: 2_048 });

/** Keys among the quarantined. */
export const quarantinedOperation = (partial: ParametersPartial, label: string): number =>
  keyOf(QuarantineKind.operation, hashText(label, partial.operations.seed));

export const quarantinedParameter = (partial: ParametersPartial, label: string, source: number, name: string): number =>
  keyOf(QuarantineKind.parameter, hashText(`${label}\n${source}:${name}`, partial.operations.seed));

export const parameterKey = (source: number, name: string): string => `${source}:${name}`;

export const claimParameter = (operation: OperationCounts, source: ParameterSource, name: string) =>
  isCallSource(source)
    ? claimKey(operation.calls, parameterKey(source, name), () => createParameter(source, name))
    : claimName(operation.parameters, parameterKey(source, name), () => createParameter(source, name));

/** Texts of keys that the counters no longer hold. */
const pruneTexts = (parameter: ParameterCounts): void => {
  for (const key of parameter.texts.keys()) if (!hasCount(parameter.counts, key)) parameter.texts.delete(key);
};

/**
 * Keeps the text of a counted form. Two texts under one key can only be a hash collision; the smaller wins, so that merging
 * stays commutative.
 */
export const noteText = (parameter: ParameterCounts, key: number, text: string): void => {
  const cut = text.length > MAX_FORM_TEXT ? text.slice(0, MAX_FORM_TEXT) : text;
  const known = parameter.texts.get(key);
  if (known !== undefined && known <= cut) return;
  parameter.texts.set(key, cut);
  if (parameter.texts.size > 4 * parameter.counts.caps[Kind.form]!) pruneTexts(parameter);
};

/** Counters of a parameter's values with attack patterns, made when first needed. */
export const hitsOf = (parameter: ParameterCounts): Counts => {
  parameter.hits ??= createCounts(PARAMETER_CAPS);
  return parameter.hits;
};

const mergeParameter = (into: ParameterCounts, from: ParameterCounts): void => {
  mergeCounts(into.counts, from.counts);
  if (from.hits !== null) mergeCounts(hitsOf(into), from.hits);
  mergeDistinct(into.clients, from.clients);
  for (const [key, text] of from.texts) if (hasCount(into.counts, key)) noteText(into, key, text);
};

const mergeOperation = (into: OperationCounts, from: OperationCounts): void => {
  mergeCounts(into.counts, from.counts);
  mergeDistinct(into.clients, from.clients);
  const create = (like: ParameterCounts): ParameterCounts => createParameter(like.source, like.name);
  mergeNames(into.parameters, from.parameters, create, mergeParameter);
  mergeMap(into.calls, from.calls, create, mergeParameter);
};

export const mergePartial = (into: ParametersPartial, from: ParametersPartial): void => {
  into.cache = null;
  mergeCounts(into.quarantined, from.quarantined);
  mergeMap(
    into.operations,
    from.operations,
    (like) => createOperation(like.label, like.service, like.operation, into.operations.seed),
    mergeOperation,
  );
};

/** The one form that depends only on what was counted: every bound applied. */
export const settlePartial = (partial: ParametersPartial): void => {
  settleMap(partial.operations);
  settleCounts(partial.quarantined);
  for (const operation of partial.operations.map.values()) {
    settleNames(operation.parameters);
    settleMap(operation.calls);
    for (const parameter of [...operation.parameters.map.values(), ...operation.calls.map.values()]) {
      settleCounts(parameter.counts);
      if (parameter.hits !== null) settleCounts(parameter.hits);
      pruneTexts(parameter);
    }
    settleCounts(operation.counts);
  }
  partial.cache = null;
};
