/** Record batches: what we write is what the client library reads, and what we read is what was written, in any cut. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createCompressor, decompress } from '../../../runtime/log/kafka/compression.ts';
import { createForeignDecoder, createRecordDecoder } from '../../../runtime/log/kafka/decode.ts';
import { type Library, loadLibrary } from '../../../runtime/log/kafka/library.ts';
import {
  BATCH_HEAD_BYTES,
  recordBound,
  writeBatchHead,
  writeProducer,
  writeRecords,
} from '../../../runtime/log/kafka/record-batch.ts';
import { createRecordReader } from '../../../runtime/log/kafka/record-reader.ts';
import type { LogRecord, NewRecord } from '../../../runtime/log/port.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';

const APPEND_MS = 1_795_000_000_123;
const LOG_APPEND_TIME = 8;
let library: Library;
beforeAll(async () => {
  library = await loadLibrary();
});

/** A batch as it leaves us, or, with a base offset, as a broker keeps it. */
function batchOf(
  records: readonly NewRecord[],
  options: { compression?: 'none' | 'lz4' | 'zstd'; base?: number } = {},
): Buffer {
  const { compression = 'none', base } = options;
  const compressor = createCompressor(compression, library);
  const plain = Buffer.alloc(BATCH_HEAD_BYTES + records.reduce((sum, record) => sum + recordBound(record), 0));
  const end = writeRecords(plain, 0, records, 0, records.length);
  const body = compressor.compress(plain.subarray(0, end));
  const batch = Buffer.concat([Buffer.alloc(BATCH_HEAD_BYTES), body]);
  const head = {
    count: records.length,
    timestampMs: 1_700_000_000_000,
    compression: compressor.bits,
    producerId: 77n,
    producerEpoch: 3,
    sequence: 5,
  };
  writeBatchHead(batch, head, library.crc32c);
  if (base === undefined) return batch;
  batch.writeBigInt64BE(BigInt(base), 0);
  batch.writeInt16BE(compressor.bits | LOG_APPEND_TIME, 21);
  batch.writeBigInt64BE(BigInt(APPEND_MS), 35);
  return sealed(batch);
}

/** With the checksum of what is in it now. */
function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(library.crc32c(batch.subarray(21)), 17);
  return batch;
}

const records = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.values(RecordKind)),
    key: fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.constant('4bf92f3577b34da6a3ce929d0e0e4736')),
    value: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0, max: 70_000 }).map((n) => new Uint8Array(n).fill(n)),
    ),
  }),
  { minLength: 1, maxLength: 40 },
);

function readAll(chunks: readonly Buffer[], from = 0): { records: LogRecord[]; lost: number[][]; position: number } {
  const lost: number[][] = [];
  const reader = createRecordReader(library, from, (at, next) => lost.push([at, next]));
  const decode = createRecordDecoder();
  const found: LogRecord[] = [];
  for (const chunk of chunks) {
    reader.add(chunk);
    while (reader.next()) found.push(decode(2, reader.record));
  }
  return { records: found, lost, position: reader.position };
}

const plainOf = ({ kind, key, value }: Pick<NewRecord, 'kind' | 'key' | 'value'>) => ({
  kind,
  key,
  value: Buffer.from(value).toString('hex'),
});

describe('what we write', () => {
  test('the client library reads it: records, producer, checksum', () => {
    fc.assert(
      fc.property(records, fc.constantFrom('none' as const, 'lz4' as const, 'zstd' as const), (sent, compression) => {
        const bytes = batchOf(sent, { compression });
        const batch = library.readRecordsBatch(library.Reader.from(bytes));
        expect(batch.crc).toBe(library.crc32c(bytes.subarray(21)));
        expect(batch).toMatchObject({
          magic: 2,
          producerId: 77n,
          producerEpoch: 3,
          firstSequence: 5,
          lastOffsetDelta: sent.length - 1,
        });
        expect(batch.length).toBe(bytes.length - 12);
        expect(
          batch.records.map(({ key, value, headers }) => ({
            kind: Number(String(headers[0]![1])),
            key: String(key),
            value: value!.toString('hex'),
          })),
        ).toEqual(sent.map((one) => ({ ...plainOf(one), key: String(Buffer.from(one.key)) })));
        expect(batch.records.every(({ headers }) => headers.length === 1 && String(headers[0]![0]) === 'sw-kind')).toBe(
          true,
        );
      }),
      { numRuns: 60 },
    );
  });

  test('another producer can be put into a batch that is encoded', () => {
    const bytes = batchOf([{ kind: 0, key: 'k', value: new Uint8Array(10) }]);
    writeProducer(bytes, { producerId: 5n, producerEpoch: 0, sequence: 0 }, library.crc32c);
    const batch = library.readRecordsBatch(library.Reader.from(bytes));
    expect(batch).toMatchObject({
      producerId: 5n,
      producerEpoch: 0,
      firstSequence: 0,
      crc: library.crc32c(bytes.subarray(21)),
    });
  });

  test('compression makes what repeats smaller', () => {
    const sent = Array.from({ length: 50 }, () => ({
      kind: RecordKind.spans,
      key: 'k',
      value: Buffer.from('GET /api '.repeat(100)),
    }));
    const plain = batchOf(sent).length;
    expect(batchOf(sent, { compression: 'lz4' }).length).toBeLessThan(plain / 5);
    expect(batchOf(sent, { compression: 'zstd' }).length).toBeLessThan(plain / 5);
  });
});

describe('what we read', () => {
  test('several batches, in any cut of whole batches with part of another at the end, from any offset on', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(records, fc.constantFrom('none' as const, 'lz4' as const, 'zstd' as const)), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 60 }),
        (batches, gap, skip, part) => {
          let base = 1_000 + (gap % 50);
          const sent: { offset: number; record: NewRecord }[] = [];
          const encoded: Buffer[] = [];
          for (const [own, compression] of batches) {
            encoded.push(batchOf(own, { compression, base }));
            for (let i = 0; i < own.length; i++) sent.push({ offset: base + i, record: own[i]! });
            base += own.length + (gap % 3); // offsets that compaction or markers took
          }
          const from = 1_000 + (skip % 120);
          const rest = encoded[0]!.subarray(0, Math.min(part, encoded[0]!.length - 1));
          const { records: found, lost } = readAll(
            [Buffer.concat([...encoded.slice(0, 1), rest]), Buffer.concat(encoded.slice(1))],
            from,
          );
          expect(lost).toEqual([]);
          const wanted = sent.filter(({ offset }) => offset >= from);
          expect(found.map(({ offset }) => offset)).toEqual(wanted.map(({ offset }) => offset));
          expect(found.map(plainOf)).toEqual(
            wanted.map(({ record }) => ({ ...plainOf(record), key: String(Buffer.from(record.key)) })),
          );
          expect(found.every(({ appendMs, partition }) => appendMs === APPEND_MS && partition === 2)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a record that is put back comes again, the next one after it', () => {
    const sent = Array.from({ length: 5 }, (_, i) => ({
      kind: RecordKind.spans,
      key: `${i}`,
      value: new Uint8Array(i),
    }));
    const reader = createRecordReader(library, 0, () => {});
    expect(reader.add(batchOf(sent, { base: 0 }))).toBe(5);
    const offsets: number[] = [];
    for (let i = 0; reader.next(); i++) {
      offsets.push(reader.record.offset);
      if (i % 2 === 0) reader.putBack();
    }
    expect(offsets).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    expect(reader.position).toBe(5);
  });

  test('damaged records are left out and told, the batches after them are read', () => {
    const sent = [{ kind: RecordKind.spans, key: 'k', value: new Uint8Array(100) }];
    const damaged = batchOf(sent, { base: 0 });
    damaged[BATCH_HEAD_BYTES] = 0xfe; // a length beyond the batch
    damaged[BATCH_HEAD_BYTES + 1] = 0x7f;
    sealed(damaged);
    const squeezed = batchOf(sent, { base: 1, compression: 'zstd' });
    sealed(squeezed.fill(0xff, BATCH_HEAD_BYTES));
    const {
      records: found,
      lost,
      position,
    } = readAll([Buffer.concat([damaged, squeezed, batchOf(sent, { base: 2 })])]);
    expect(found.map(({ offset }) => offset)).toEqual([2]);
    expect(lost).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(position).toBe(3);
  });

  test('a batch whose checksum does not fit is left out and told', () => {
    const sent = [{ kind: RecordKind.spans, key: 'k', value: new Uint8Array(100) }];
    const flipped = batchOf(sent, { base: 4 });
    flipped[flipped.length - 20]! ^= 1; // in the value: nothing else would show it
    const { records: found, lost } = readAll([Buffer.concat([flipped, batchOf(sent, { base: 5 })])], 4);
    expect(found.map(({ offset }) => offset)).toEqual([5]);
    expect(lost).toEqual([[4, 5]]);
  });

  test('batches that compaction has emptied are passed over without a word', () => {
    const sent = [{ kind: RecordKind.spans, key: 'k', value: new Uint8Array(4) }];
    const empty = batchOf(sent, { base: 0 }).subarray(0, BATCH_HEAD_BYTES);
    empty.writeInt32BE(BATCH_HEAD_BYTES - 12, 8);
    empty.writeInt32BE(6, 23); // seven records, once
    empty.writeInt32BE(0, 57);
    const chunk = Buffer.concat([sealed(empty), batchOf(sent, { base: 7 }), sealed(Buffer.from(empty))]);
    chunk.writeBigInt64BE(8n, chunk.length - BATCH_HEAD_BYTES);
    const { records: found, lost, position } = readAll([chunk]);
    expect(found.map(({ offset }) => offset)).toEqual([7]);
    expect(lost).toEqual([]);
    expect(position).toBe(15);
  });

  test.each([0, 1])('batches of format %i are left out and told, however short, and what follows is read', (magic) => {
    const old = Buffer.alloc(magic === 0 ? 26 : 34);
    old.writeBigInt64BE(3n, 0);
    old.writeInt32BE(old.length - 12, 8);
    old[16] = magic;
    old.fill(0xff, old.length - 8); // neither key nor value
    const lost: number[][] = [];
    const reader = createRecordReader(library, 3, (at, next) => lost.push([at, next]));
    expect(reader.add(Buffer.from(old))).toBe(4);
    expect(reader.next()).toBe(false);
    expect(reader.position).toBe(4);
    expect(lost).toEqual([[3, 4]]);
    const sent = [{ kind: RecordKind.spans, key: 'k', value: new Uint8Array(4) }];
    const { records: found } = readAll([Buffer.concat([old, batchOf(sent, { base: 4 })])], 3);
    expect(found.map(({ offset }) => offset)).toEqual([4]);
  });

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (noise, framed) => {
        const bytes = Buffer.from(noise);
        if (framed && bytes.length > BATCH_HEAD_BYTES) {
          bytes.writeInt32BE(bytes.length - 12, 8);
          bytes[16] = 2;
          sealed(bytes);
        }
        readAll([bytes]);
      }),
      { numRuns: 500 },
    );
  });

  test('markers of transactions are no records', () => {
    const marker = batchOf([{ kind: RecordKind.spans, key: 'k', value: new Uint8Array(4) }], { base: 0 });
    marker.writeInt16BE(32, 21);
    sealed(marker);
    const { records: found, position } = readAll([
      Buffer.concat([marker, batchOf([{ kind: 3, key: 'k', value: new Uint8Array() }], { base: 1 })]),
    ]);
    expect(found.map(({ offset, kind }) => [offset, kind])).toEqual([[1, 3]]);
    expect(position).toBe(2);
  });

  test('values are copies of their own: neither the batch nor each other', () => {
    const batch = batchOf(
      [0, 1].map((i) => ({ kind: RecordKind.spans, key: `${i}`, value: new Uint8Array(20_000 * i + 5).fill(i + 1) })),
      { base: 0 },
    );
    const { records: found } = readAll([batch]);
    batch.fill(0);
    expect(found[0]!.value).toEqual(new Uint8Array(5).fill(1));
    expect(found[1]!.value).toEqual(new Uint8Array(20_005).fill(2));
    expect(found[0]!.value.buffer.byteLength).toBeLessThanOrEqual(65_536);
  });

  test('of others: null stays null, all headers are there', () => {
    const now = BigInt(Date.now());
    const batch = library.createRecordsBatch([
      { topic: 't', partition: 0, key: null as never, value: null as never, headers: new Map(), timestamp: now },
      {
        topic: 't',
        partition: 0,
        key: Buffer.from('k'),
        value: Buffer.from('v'),
        headers: new Map([
          [Buffer.from('a'), Buffer.from('1')],
          [Buffer.from('b'), Buffer.from('22')],
        ]),
        timestamp: now + 5n,
      },
    ]);
    const reader = createRecordReader(library, 0, () => {});
    reader.add(batch.buffer);
    const decode = createForeignDecoder();
    const found = [];
    while (reader.next()) found.push(decode(0, reader.record));
    expect(found[0]).toMatchObject({ key: null, value: null, timestampMs: Number(now) });
    expect(found[1]!.timestampMs).toBe(Number(now) + 5);
    expect([...found[1]!.headers].map(([name, value]) => [name, String(Buffer.from(value))])).toEqual([
      ['a', '1'],
      ['b', '22'],
    ]);
  });

  test('what unpacks to more than any batch may hold is refused', async () => {
    const { gzipSync, zstdCompressSync } = await import('node:zlib');
    const much = Buffer.alloc(1_000_000);
    expect(decompress(1, gzipSync(much), library, 1_000_000)).toHaveLength(1_000_000);
    expect(() => decompress(1, gzipSync(much), library, 999_999)).toThrow();
    expect(() => decompress(4, zstdCompressSync(much), library, 999_999)).toThrow();
    expect(() => decompress(7, much, library)).toThrow(/unknown compression/);
    const { snappy, lz4 } = library.compressionsAlgorithms;
    const block = snappy.compressSync(much);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    const java = Buffer.concat([Buffer.from('82534e41505059000000000100000001', 'hex'), length, block, length, block]);
    expect(decompress(2, block, library, 1_000_000)).toHaveLength(1_000_000);
    expect(() => decompress(2, block, library, 999_999)).toThrow(/more than 999999/);
    expect(decompress(2, java, library, 2_000_000)).toHaveLength(2_000_000);
    expect(() => decompress(2, java, library, 1_999_999)).toThrow(/more than 1999999/);
    // of lz4 the last block counts as if it were full
    const squeezed = lz4.compressSync(much);
    expect(decompress(3, squeezed, library, 1_000_000 + 4_194_304)).toHaveLength(1_000_000);
    expect(() => decompress(3, squeezed, library, 900_000)).toThrow(/more than 900000/);
    const random = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 2_654_435_761) >>> 13));
    expect(decompress(3, lz4.compressSync(random), library).equals(random)).toBe(true);
  });
});
