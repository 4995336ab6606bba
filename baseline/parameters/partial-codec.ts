/** Partials as bytes and back, exactly: little-endian words and length-prefixed UTF-8, keys sorted, so equal means equal. */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { ParameterSource } from '../../traces/segment.ts';
import { type Counts, fromWords, toWords } from './counts.ts';
import {
  createOperation,
  createParameter,
  createPartial,
  hitsOf,
  type OperationCounts,
  type ParameterCounts,
  type ParametersPartial,
  parameterKey,
  settlePartial,
} from './partial.ts';

/**
 * 'SWP' and the version of this form. The first had no counters of hits; the first two counted quarantined observations
 * beside what was learned, and their bounds were under a public key.
 */
const MAGIC = 0x53_57_50_03;
const MAGIC_PUBLIC_ORDER = 0x53_57_50_02;
const MAGIC_WITHOUT_HITS = 0x53_57_50_01;

/** Of a map that was cut under another key: something is missing, and nothing that is there lies beyond. */
const CUT = 0xfffffffe;
const NO_BOUND = 0xffffffff;

interface Sink {
  bytes: Uint8Array;
  view: DataView;
  at: number;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { fatal: true });

const reserve = (sink: Sink, more: number): void => {
  if (sink.at + more <= sink.bytes.length) return;
  const larger = new Uint8Array(Math.max(sink.bytes.length * 2, sink.at + more));
  larger.set(sink.bytes);
  sink.bytes = larger;
  sink.view = new DataView(larger.buffer);
};

const writeWord = (sink: Sink, value: number): void => {
  reserve(sink, 4);
  sink.view.setUint32(sink.at, value, true);
  sink.at += 4;
};

const writeText = (sink: Sink, text: string): void => {
  const bytes = ENCODER.encode(text);
  writeWord(sink, bytes.length);
  reserve(sink, bytes.length);
  sink.bytes.set(bytes, sink.at);
  sink.at += bytes.length;
};

const writeBytes = (sink: Sink, bytes: Uint8Array): void => {
  reserve(sink, bytes.length);
  sink.bytes.set(bytes, sink.at);
  sink.at += bytes.length;
};

const writeCounts = (sink: Sink, counts: Counts): void => {
  const words = toWords(counts);
  writeWord(sink, words.length);
  for (let i = 0; i < words.length; i++) writeWord(sink, words[i]!);
};

const sorted = <V>(map: ReadonlyMap<string, V>): [string, V][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

const writeParameter = (sink: Sink, parameter: ParameterCounts): void => {
  writeWord(sink, parameter.source);
  writeText(sink, parameter.name);
  writeBytes(sink, parameter.clients);
  writeCounts(sink, parameter.counts);
  writeWord(sink, parameter.hits === null ? 0 : 1);
  if (parameter.hits !== null) writeCounts(sink, parameter.hits);
  writeWord(sink, parameter.texts.size);
  for (const [key, text] of [...parameter.texts].sort(([a], [b]) => a - b)) {
    writeWord(sink, key);
    writeText(sink, text);
  }
};

const writeOperation = (sink: Sink, operation: OperationCounts): void => {
  writeText(sink, operation.label);
  writeText(sink, operation.service);
  writeText(sink, operation.operation);
  writeBytes(sink, operation.clients);
  writeCounts(sink, operation.counts);
  for (const { bound, map } of [operation.parameters, operation.calls]) {
    writeWord(sink, bound);
    writeWord(sink, map.size);
    for (const [, parameter] of sorted(map)) writeParameter(sink, parameter);
  }
};

/** Settles the partial first: equal counts give equal bytes. */
export const encodePartial = (partial: ParametersPartial): Uint8Array => {
  settlePartial(partial);
  const bytes = new Uint8Array(4_096);
  const sink: Sink = { bytes, view: new DataView(bytes.buffer), at: 0 };
  writeWord(sink, MAGIC);
  writeCounts(sink, partial.quarantined);
  writeWord(sink, partial.operations.bound);
  writeWord(sink, partial.operations.map.size);
  for (const [, operation] of sorted(partial.operations.map)) writeOperation(sink, operation);
  return sink.bytes.slice(0, sink.at);
};

interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  readonly seed: number;
  magic: number;
}

const damaged = (what: string): SpanwardenError =>
  new SpanwardenError('BASELINE_DAMAGED', `parameters partial is damaged: ${what}`);

const readWord = (source: Source): number => {
  if (source.at + 4 > source.bytes.length) throw damaged('it ends early');
  const value = source.view.getUint32(source.at, true);
  source.at += 4;
  return value;
};

const readBytes = (source: Source, length: number): Uint8Array => {
  if (length > source.bytes.length - source.at) throw damaged('it ends early');
  source.at += length;
  return source.bytes.subarray(source.at - length, source.at);
};

const readText = (source: Source): string => {
  const bytes = readBytes(source, readWord(source));
  try {
    return DECODER.decode(bytes);
  } catch (cause) {
    throw new SpanwardenError('BASELINE_DAMAGED', 'parameters partial is damaged: a text is not UTF-8', { cause });
  }
};

const readCounts = (source: Source, counts: Counts): void => {
  const length = readWord(source);
  if (length * 4 > source.bytes.length - source.at) throw damaged('it ends early');
  const words = new Uint32Array(length);
  for (let i = 0; i < length; i++) words[i] = readWord(source);
  if (!fromWords(counts, words)) throw damaged('a table of counters cannot be read');
};

const readParameter = (source: Source): ParameterCounts => {
  const from = readWord(source);
  if (from > 8) throw damaged('unknown parameter source');
  const parameter = createParameter(from as ParameterSource, readText(source));
  if (source.magic !== MAGIC) readWord(source);
  parameter.clients.set(readBytes(source, parameter.clients.length));
  readCounts(source, parameter.counts);
  if (source.magic !== MAGIC_WITHOUT_HITS && readWord(source) !== 0) readCounts(source, hitsOf(parameter));
  for (let left = readWord(source); left > 0; left--) {
    const key = readWord(source);
    parameter.texts.set(key, readText(source));
  }
  return parameter;
};

const readBound = (source: Source): number => {
  const bound = readWord(source);
  return source.magic === MAGIC || bound === NO_BOUND ? bound : CUT;
};

const readOperation = (source: Source): OperationCounts => {
  const operation = createOperation(readText(source), readText(source), readText(source), source.seed);
  if (source.magic !== MAGIC) readWord(source);
  operation.clients.set(readBytes(source, operation.clients.length));
  readCounts(source, operation.counts);
  for (const bounded of [operation.parameters, operation.calls]) {
    bounded.bound = readBound(source);
    for (let left = readWord(source); left > 0; left--) {
      const parameter = readParameter(source);
      bounded.map.set(parameterKey(parameter.source, parameter.name), parameter);
    }
  }
  return operation;
};

/** Throws BASELINE_DAMAGED. */
export const decodePartial = (bytes: Uint8Array, seed: number): ParametersPartial => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const source: Source = { bytes, view, at: 0, seed, magic: 0 };
  source.magic = readWord(source);
  if (![MAGIC, MAGIC_PUBLIC_ORDER, MAGIC_WITHOUT_HITS].includes(source.magic)) throw damaged('unknown form');
  const partial = createPartial(seed);
  if (source.magic === MAGIC) readCounts(source, partial.quarantined);
  partial.operations.bound = readBound(source);
  for (let left = readWord(source); left > 0; left--) {
    const operation = readOperation(source);
    partial.operations.map.set(operation.label, operation);
  }
  if (source.at !== bytes.length) throw damaged('bytes are left over');
  return partial;
};
