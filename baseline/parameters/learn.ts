/** Counts one segment into a partial (DETECTION §3.3, §7). Everything here only adds; what counts is decided at publishing. */
import { ParameterSource, type Segment } from '../../traces/segment.ts';
import type { LearnContext } from '../model.ts';
import { claimKey } from './bounded-map.ts';
import { addCount, type Counts, keyOf, kindOf } from './counts.ts';
import { addDistinct } from './distinct.ts';
import { isPublicName, PUBLIC_NAME } from './egress.ts';
import { HINT, Kind, SchemaKind } from './features.ts';
import { fillHomes, isOutgoing } from './homes.ts';
import {
  claimParameter,
  createOperation,
  hitsOf,
  noteText,
  type OperationCounts,
  type ParameterCounts,
  type ParametersPartial,
  quarantinedOperation,
  quarantinedParameter,
} from './partial.ts';
import type { ParameterReader } from './reader.ts';
import type { SchemaReader } from './schema-keys.ts';
import { isCallSource } from './sources.ts';

const TOTAL = keyOf(Kind.total, 0);

const operationOf = (partial: ParametersPartial, segment: Segment, label: number): OperationCounts | null => {
  const symbols = segment.symbols;
  if (partial.cache === null || partial.cache.symbols !== symbols) {
    partial.cache = { symbols, operations: [], parameters: new WeakMap() };
  }
  const cached = partial.cache.operations[label];
  if (cached !== undefined) return cached;
  const text = symbols.labelText(label);
  const { service, operation } = symbols.labelOf(label);
  const found =
    claimKey(partial.operations, text, () =>
      createOperation(text, symbols.text(service), symbols.text(operation), partial.operations.seed),
    ) ?? null;
  partial.cache.operations[label] = found;
  return found;
};

/** `name`: a text symbol, or for calls the label of the calling span. */
const parameterOf = (
  partial: ParametersPartial,
  operation: OperationCounts,
  segment: Segment,
  source: ParameterSource,
  name: number,
): ParameterCounts | null => {
  const cache = partial.cache!;
  let known = cache.parameters.get(operation);
  if (known === undefined || known.cuts !== cutsOf(operation)) {
    known = { cuts: cutsOf(operation), byName: new Map() };
    cache.parameters.set(operation, known);
  }
  const key = name * 16 + source;
  const cached = known.byName.get(key);
  if (cached !== undefined) return cached;
  const text = isCallSource(source) ? segment.symbols.labelText(name) : segment.symbols.text(name);
  const found = claimParameter(operation, source, text) ?? null;
  if (known.cuts === cutsOf(operation)) known.byName.set(key, found);
  return found;
};

const cutsOf = ({ parameters, calls }: OperationCounts): number => parameters.cuts + calls.cuts;

const countHints = (counts: Counts, hints: number, client: number, bucket: number): void => {
  for (let id = 1; id < 32; id++) {
    if (hints & (1 << id)) addCount(counts, keyOf(Kind.pattern, HINT + id), client, bucket);
  }
};

const learnValue = (
  parameter: ParameterCounts,
  segment: Segment,
  at: number,
  source: number,
  reader: ParameterReader,
  client: number,
  bucket: number,
): void => {
  const { counts } = parameter;
  const { values } = segment;
  const start = segment.parameterStart[at]!;
  const end = segment.parameterEnd[at]!;
  if (source === ParameterSource.statement) {
    const peer = segment.symbols.text(segment.symbols.labelOf(segment.label[segment.parameterSpan[at]!]!).peer);
    const key = reader.statement(values, start, end, peer);
    const kept = addCount(counts, key, client, bucket);
    if (kept && !parameter.texts.has(key)) noteText(parameter, key, reader.tables(values));
    return;
  }
  if (source === ParameterSource.egress) {
    const text = reader.egressText(values, start, end);
    const key = reader.egress(text);
    const kept = addCount(counts, key, client, bucket);
    // The name itself stays out (exfiltration writes data into names); that it is one is kept.
    if (kept) noteText(parameter, key, isPublicName(text) ? PUBLIC_NAME : text);
    const domain = isPublicName(text) ? reader.egressDomain(text) : 0;
    if (domain !== 0) addCount(counts, domain, client, bucket);
    return;
  }
  if (source === ParameterSource.size) {
    const key = reader.size(values, start, end);
    if (key !== 0) addCount(counts, key, client, bucket);
    return;
  }
  const shape = reader.shape(values, start, end, source);
  const { strong, hints } = reader.hits;
  if (strong !== 0) {
    // DETECTION §7: counts towards this parameter's benign hit rate, and never enters templates or enumerations.
    for (let id = 1; id < 32; id++) if (strong & (1 << id)) addCount(counts, keyOf(Kind.pattern, id), client, bucket);
    addCount(counts, keyOf(Kind.pattern, 0), client, bucket);
    const hits = hitsOf(parameter);
    for (let i = 0; i < shape.count; i++) {
      const key = shape.keys[i]!;
      const kind = kindOf(key);
      if (kind !== Kind.template && kind !== Kind.value) addCount(hits, key, client, bucket);
    }
    countHints(hits, hints, client, bucket);
    return;
  }
  for (let i = 0; i < shape.count; i++) addCount(counts, shape.keys[i]!, client, bucket);
  countHints(counts, hints, client, bucket);
};

const learnSchema = (
  operation: OperationCounts,
  segment: Segment,
  from: number,
  to: number,
  schema: SchemaReader,
  client: number,
  bucket: number,
): void => {
  const { counts } = operation;
  schema.read(segment, from, to);
  addCount(counts, keyOf(SchemaKind.set, schema.set), client, bucket);
  addCount(counts, keyOf(SchemaKind.order, schema.order), client, bucket);
  for (let i = 0; i < schema.count; i++) {
    addCount(counts, keyOf(SchemaKind.name, schema.names[i]!), client, bucket);
  }
};

/** Counts what an attack had, and learns none of it: it claims no operation and no name among those that are learned. */
const countQuarantined = (
  partial: ParametersPartial,
  segment: Segment,
  homes: Int32Array,
  client: number,
  bucket: number,
): void => {
  const { symbols, label, spanCount, parameterCount, parameterSpan, parameterSource, parameterName } = segment;
  const { quarantined } = partial;
  for (let span = 0; span < spanCount; span++) {
    addCount(quarantined, quarantinedOperation(partial, symbols.labelText(label[span]!)), client, bucket);
  }
  for (let at = 0; at < parameterCount; at++) {
    const span = parameterSpan[at]!;
    const source = parameterSource[at]!;
    const call = isCallSource(source);
    const owner = symbols.labelText(label[call ? homes[span]! : span]!);
    const name = call ? symbols.labelText(label[span]!) : symbols.text(parameterName[at]!);
    addCount(quarantined, quarantinedParameter(partial, owner, source, name), client, bucket);
  }
};

/** Scratch of a learner. */
export interface LearnScratch {
  homes: Int32Array;
}

export const learnSegment = (
  partial: ParametersPartial,
  segment: Segment,
  context: LearnContext,
  reader: ParameterReader,
  schema: SchemaReader,
  scratch: LearnScratch,
): void => {
  const { spanCount, parameterCount, label } = segment;
  const { client, bucket, quarantined } = context;
  if (scratch.homes.length < spanCount) scratch.homes = new Int32Array(spanCount * 2);
  fillHomes(segment, scratch.homes);
  if (quarantined) {
    countQuarantined(partial, segment, scratch.homes, client, bucket);
    return;
  }
  let from = 0;
  for (let span = 0; span < spanCount; span++) {
    while (from < parameterCount && segment.parameterSpan[from]! < span) from++;
    let to = from;
    while (to < parameterCount && segment.parameterSpan[to] === span) to++;
    const operation = operationOf(partial, segment, label[span]!);
    if (operation !== null) {
      addCount(operation.counts, keyOf(SchemaKind.total, 0), client, bucket);
      if (client !== 0) addDistinct(operation.clients, client);
      if (!isOutgoing(segment.kind[span]!)) learnSchema(operation, segment, from, to, schema, client, bucket);
    }
    for (let at = from; at < to; at++) {
      const source = segment.parameterSource[at]! as ParameterSource;
      const call = isCallSource(source);
      const owner = call ? operationOf(partial, segment, label[scratch.homes[span]!]!) : operation;
      if (owner === null) continue;
      const parameter = parameterOf(partial, owner, segment, source, call ? label[span]! : segment.parameterName[at]!);
      if (parameter === null) continue;
      addCount(parameter.counts, TOTAL, client, bucket);
      if (client !== 0) addDistinct(parameter.clients, client);
      learnValue(parameter, segment, at, source, reader, client, bucket);
    }
    from = to;
  }
};
