/** What learning collects of structure in one (log partition, block of time): counters, label texts, shapes of signatures. */
import { SpanwardenError } from '../../runtime/errors.ts';
import {
  createByteReader,
  createByteWriter,
  readFloat,
  readText,
  readVarint,
  writeFloat,
  writeText,
  writeVarint,
  writtenBytes,
} from './bytes.ts';
import { readShape, type Shape, writeShape } from './shape.ts';
import { createTally, mergeTally, readTally, type Tally, writeTally } from './tally.ts';

export interface StructurePartial {
  tally: Tally;
  /** Label hash → text. */
  labels: Map<number, string>;
  /** Child set key → label hashes, ascending. */
  sets: Map<number, readonly number[]>;
  /** Multiset key → shape. */
  shapes: Map<number, Shape>;
  shapeNodes: number;
  /** Key of an unordered pair of labels → both hashes, ascending. */
  orders: Map<number, readonly [number, number]>;
  /** Spans but entries, and of these the ones whose parent never came. */
  spans: number;
  orphans: number;
  segments: number;
  /** Segments that looked anomalous when they were scored: counted, and nothing else of them is (DETECTION §7). */
  quarantined: number;
}

export const createPartial = (): StructurePartial => ({
  tally: createTally(),
  labels: new Map(),
  sets: new Map(),
  shapes: new Map(),
  shapeNodes: 0,
  orders: new Map(),
  spans: 0,
  orphans: 0,
  segments: 0,
  quarantined: 0,
});

export function mergePartial(into: StructurePartial, from: StructurePartial): void {
  mergeTally(into.tally, from.tally);
  for (const [hash, text] of from.labels) if (!into.labels.has(hash)) into.labels.set(hash, text);
  for (const [key, labels] of from.sets) if (!into.sets.has(key)) into.sets.set(key, labels);
  for (const [key, shape] of from.shapes) {
    if (into.shapes.has(key)) continue;
    into.shapes.set(key, shape);
    into.shapeNodes += shape.parent.length;
  }
  for (const [key, pair] of from.orders) if (!into.orders.has(key)) into.orders.set(key, pair);
  into.spans += from.spans;
  into.orphans += from.orphans;
  into.segments += from.segments;
  into.quarantined += from.quarantined;
}

const MAGIC = 0x53570000;
/** 2: order of siblings, answers to client calls, exact counts of signatures, a class of its own for calls below which something failed. */
const FORM = 2;

const byKey = <T>(map: Map<number, T>): [number, T][] => [...map].sort((x, y) => x[0] - y[0]);

/** Equal partials give equal bytes, in whatever order they were learned and merged. */
export function encodePartial(partial: StructurePartial): Uint8Array {
  const writer = createByteWriter();
  writeVarint(writer, MAGIC + FORM);
  writeVarint(writer, partial.segments);
  writeVarint(writer, partial.quarantined);
  writeVarint(writer, partial.spans);
  writeVarint(writer, partial.orphans);
  writeTally(writer, partial.tally);
  writeVarint(writer, partial.labels.size);
  for (const [hash, text] of byKey(partial.labels)) {
    writeFloat(writer, hash);
    writeText(writer, text);
  }
  writeVarint(writer, partial.sets.size);
  for (const [key, labels] of byKey(partial.sets)) {
    writeFloat(writer, key);
    writeVarint(writer, labels.length);
    for (const hash of labels) writeFloat(writer, hash);
  }
  writeVarint(writer, partial.shapes.size);
  for (const [key, shape] of byKey(partial.shapes)) {
    writeFloat(writer, key);
    writeShape(writer, shape);
  }
  writeVarint(writer, partial.orders.size);
  for (const [key, [low, high]] of byKey(partial.orders)) {
    writeFloat(writer, key);
    writeFloat(writer, low);
    writeFloat(writer, high);
  }
  return writtenBytes(writer);
}

/** Throws BASELINE_SCHEMA for a partial of another form, BASELINE_DAMAGED for what is none. */
export function decodePartial(bytes: Uint8Array): StructurePartial {
  const reader = createByteReader(bytes);
  const form = readVarint(reader) - MAGIC;
  if (form < 1 || form > 0xffff) reader.fail();
  if (form !== FORM) {
    throw new SpanwardenError('BASELINE_SCHEMA', `structure partial has form ${form}, this is form ${FORM}`);
  }
  const partial = createPartial();
  partial.segments = readVarint(reader);
  partial.quarantined = readVarint(reader);
  partial.spans = readVarint(reader);
  partial.orphans = readVarint(reader);
  partial.tally = readTally(reader);
  for (let left = readVarint(reader); left > 0; left--) partial.labels.set(readFloat(reader), readText(reader));
  for (let left = readVarint(reader); left > 0; left--) {
    const key = readFloat(reader);
    const labels: number[] = [];
    for (let more = readVarint(reader); more > 0; more--) labels.push(readFloat(reader));
    partial.sets.set(key, labels);
  }
  for (let left = readVarint(reader); left > 0; left--) {
    const key = readFloat(reader);
    const shape = readShape(reader);
    partial.shapes.set(key, shape);
    partial.shapeNodes += shape.parent.length;
  }
  for (let left = readVarint(reader); left > 0; left--) {
    partial.orders.set(readFloat(reader), [readFloat(reader), readFloat(reader)]);
  }
  if (reader.position !== bytes.length) reader.fail();
  return partial;
}
