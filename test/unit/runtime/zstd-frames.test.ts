/** Zstandard frames one after another: none is lost, whatever made them and however they come. */
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { isZstd, unzstd } from '../../../runtime/files/zstd-frames.ts';

async function* cut(bytes: Buffer, chunk: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += chunk) yield bytes.subarray(i, i + chunk);
}

async function read(bytes: Buffer, chunk = 1_000): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of unzstd(cut(bytes, chunk))) pieces.push(piece);
  return Buffer.concat(pieces);
}

const skippable = (length: number): Buffer => {
  const frame = Buffer.alloc(8 + length, 0xff);
  frame.writeUInt32LE(0x184d2a53, 0);
  frame.writeUInt32LE(length, 4);
  return frame;
};

test('only a frame looks like one', () => {
  expect(isZstd(zstdCompressSync('x'))).toBe(true);
  for (const other of ['', '{"a":1}', '\u001f\u008b']) expect(isZstd(Buffer.from(other))).toBe(false);
});

test('any number of frames, with and without checksum, with frames to skip between, in any chunks', async () => {
  const content = fc.oneof(
    fc.string({ maxLength: 50 }),
    fc.integer({ min: 0, max: 300_000 }).map((length) => 'x'.repeat(length)), // run-length blocks
    fc
      .integer({ min: 0, max: 60_000 })
      .map((n) => Array.from({ length: 5_000 }, (_, i) => Math.imul(i + n, 2654435761)).join()),
  );
  const frame = fc.record({
    content,
    checksum: fc.boolean(),
    level: fc.constantFrom(1, 9),
    skip: fc.option(fc.nat(30)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 4 }), fc.integer({ min: 1, max: 5_000 }), async (frames, chunk) => {
      const bytes = frames.flatMap(({ content: text, checksum, level, skip }) => [
        ...(skip === null ? [] : [skippable(skip)]),
        zstdCompressSync(text, {
          params: {
            [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
            [constants.ZSTD_c_compressionLevel]: level,
          },
        }),
      ]);
      const expected = frames.map((one) => one.content).join('');
      expect((await read(Buffer.concat(bytes), chunk)).toString()).toBe(expected);
    }),
    { numRuns: 60 },
  );
});

it.each([1, 4, 9, 40, 120])('says that a frame is cut short, %d bytes before its end', async (missing) => {
  const frames = Buffer.concat([
    zstdCompressSync('whole'),
    zstdCompressSync(Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 37) % 251))),
  ]);
  await expect(read(frames.subarray(0, frames.length - missing))).rejects.toThrow();
});

it('says that a frame is damaged, and that what follows one is none', async () => {
  const frame = zstdCompressSync('x'.repeat(1_000), { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const damaged = Buffer.from(frame);
  damaged[damaged.length - 6]! ^= 0xff;
  await expect(read(damaged)).rejects.toThrow();
  await expect(read(Buffer.concat([frame, Buffer.from('{"plain":"text"}')]))).rejects.toThrow();
});
