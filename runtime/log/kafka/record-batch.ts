/**
 * Record batches, version 2 (kafka.apache.org/documentation, "Record Batch"): encoded straight into one buffer, as this
 * is what a record costs on its way to Kafka (test/bench/kafka-log.bench.ts).
 */
import type { NewRecord } from '../port.ts';

/** Bytes before the first record. */
export const BATCH_HEAD_BYTES = 61;
/** Name of the header that tells what a record holds; its value is the kind's number in decimal digits. */
export const KIND_HEADER = 'sw-kind';

const KIND_HEADER_BYTES = Buffer.from(KIND_HEADER);
/** Length, attributes, timestamp delta, offset delta, key length, value length, count of headers, the header. */
const RECORD_OVERHEAD = 5 + 1 + 1 + 5 + 5 + 5 + 1 + 1 + KIND_HEADER_BYTES.length + 1 + 2;

/** Bytes that a record takes in a batch, at most. */
export const recordBound = (record: NewRecord): number => RECORD_OVERHEAD + 3 * record.key.length + record.value.length;

/** Zigzag varint of n ≥ 0. Returns the next position. */
function writeVarint(out: Buffer, at: number, n: number): number {
  let rest = n * 2;
  while (rest > 0x7f) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 128);
  }
  out[at++] = rest;
  return at;
}

const varintSize = (n: number): number => (n < 64 ? 1 : n < 8_192 ? 2 : n < 1_048_576 ? 3 : n < 134_217_728 ? 4 : 5);

/** Writes UTF-8; keys are 32 hex digits as a rule, for which a loop beats a call into C++. */
function writeKey(out: Buffer, at: number, key: string, bytes: number): number {
  if (bytes !== key.length || bytes > 64) return at + out.write(key, at, 'utf8');
  for (let i = 0; i < bytes; i++) out[at + i] = key.charCodeAt(i);
  return at + bytes;
}

function utf8Size(key: string): number {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 0x7f) return Buffer.byteLength(key);
  return key.length;
}

/** Writes records `from`…`until` as the body of a batch; all carry the batch's timestamp. Returns the next position. */
export function writeRecords(
  out: Buffer,
  start: number,
  records: readonly NewRecord[],
  from: number,
  until: number,
): number {
  let at = start;
  for (let i = from; i < until; i++) {
    const { kind, key, value } = records[i]!;
    const keyBytes = utf8Size(key);
    const kindBytes = kind < 10 ? 1 : 2;
    const offsetDelta = i - from;
    const length =
      2 +
      varintSize(offsetDelta) +
      varintSize(keyBytes) +
      keyBytes +
      varintSize(value.length) +
      value.length +
      3 +
      KIND_HEADER_BYTES.length +
      kindBytes;
    at = writeVarint(out, at, length);
    out[at++] = 0; // attributes
    out[at++] = 0; // timestamp delta
    at = writeVarint(out, at, offsetDelta);
    at = writeVarint(out, at, keyBytes);
    at = writeKey(out, at, key, keyBytes);
    at = writeVarint(out, at, value.length);
    out.set(value, at);
    at += value.length;
    out[at++] = 2; // one header
    out[at++] = KIND_HEADER_BYTES.length * 2;
    for (let j = 0; j < KIND_HEADER_BYTES.length; j++) out[at + j] = KIND_HEADER_BYTES[j]!;
    at += KIND_HEADER_BYTES.length;
    out[at++] = kindBytes * 2;
    if (kindBytes === 2) out[at++] = 0x30 + Math.floor(kind / 10);
    out[at++] = 0x30 + (kind % 10);
  }
  return at;
}

export interface BatchHead {
  readonly count: number;
  readonly timestampMs: number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly compression: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly sequence: number;
}

/** Fills in the head of a batch whose records are in place; `crc32c` covers what follows it. */
export function writeBatchHead(batch: Buffer, head: BatchHead, crc32c: (bytes: Buffer) => number): void {
  batch.writeBigInt64BE(0n, 0); // base offset: the broker's to give
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12); // partition leader epoch
  batch[16] = 2; // magic
  batch.writeInt16BE(head.compression, 21);
  batch.writeInt32BE(head.count - 1, 23);
  batch.writeBigInt64BE(BigInt(head.timestampMs), 27);
  batch.writeBigInt64BE(BigInt(head.timestampMs), 35);
  batch.writeInt32BE(head.count, 57);
  writeProducer(batch, head, crc32c);
}

/** Puts another producer into a batch: what a broker asks for that has forgotten the former one. */
export function writeProducer(
  batch: Buffer,
  head: Pick<BatchHead, 'producerId' | 'producerEpoch' | 'sequence'>,
  crc32c: (bytes: Buffer) => number,
): void {
  batch.writeBigInt64BE(head.producerId, 43);
  batch.writeInt16BE(head.producerEpoch, 51);
  batch.writeInt32BE(head.sequence, 53);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
}
