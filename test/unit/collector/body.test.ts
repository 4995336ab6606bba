/** Bodies from chunks: what is held is counted, whatever a sender does with its chunks. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BodyEncoding, type BodyProblem, createBodyReader } from '../../../collector/body.ts';
import { createByteBudget } from '../../../collector/budget.ts';

const MiB = 1_048_576;

function read(encoding: BodyEncoding, maxBytes: number, budgetBytes: number, chunks: readonly Uint8Array[]) {
  const budget = createByteBudget(budgetBytes);
  const lease = budget.lease();
  return new Promise<{ result: Buffer | BodyProblem; usedBytes: number; after: number }>((resolve) => {
    const reader = createBodyReader(encoding, maxBytes, lease, (result) => {
      const { usedBytes } = budget;
      lease.release();
      lease.release();
      resolve({ result, usedBytes, after: budget.usedBytes });
    });
    for (const chunk of chunks) reader.write(chunk);
    reader.end();
  });
}

/** `body` in pieces, each a view into one large buffer, as sockets give them. */
const pieces = (body: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(body.length / size) }, (_, i) => body.subarray(i * size, (i + 1) * size));

describe('createBodyReader', () => {
  it.each(['identity', 'gzip', 'zstd'] as const)(
    'gives back what was sent, however it was cut (%s)',
    async (encoding) => {
      const encode = { identity: (b: Uint8Array) => b, gzip: gzipSync, zstd: zstdCompressSync }[encoding];
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), fc.integer({ min: 1, max: 500 }), async (body, size) => {
          const { result, after } = await read(encoding, 10_000, 10 * MiB, pieces(encode(body), size));
          expect(result).toEqual(Buffer.from(body));
          expect(after).toBe(0);
        }),
        { numRuns: 50 },
      );
    },
  );

  it('takes exactly the limit and not a byte more', async () => {
    expect((await read('identity', 1_000, MiB, [new Uint8Array(1_000)])).result).toHaveLength(1_000);
    expect((await read('identity', 1_000, MiB, [new Uint8Array(1_001)])).result).toBe('too_large');
    expect((await read('gzip', 1_000, MiB, [gzipSync(new Uint8Array(1_000))])).result).toHaveLength(1_000);
    expect((await read('gzip', 1_000, MiB, [gzipSync(new Uint8Array(1_001))])).result).toBe('too_large');
  });

  it('ends a bomb at the limit, with no more held than that', async () => {
    const bomb = gzipSync(new Uint8Array(20 * MiB));
    const { result, usedBytes } = await read('gzip', MiB, 100 * MiB, pieces(bomb, 1_000));
    expect(result).toBe('too_large');
    expect(usedBytes).toBeLessThan(1.5 * MiB);
  });

  it('makes a sender of single bytes pay for the objects they cost', async () => {
    const dribble = pieces(new Uint8Array(20_000), 1);
    expect((await read('identity', MiB, MiB, dribble)).result).toBe('overload');
    expect((await read('identity', MiB, 4 * MiB, dribble)).result).toHaveLength(20_000);
  });

  it('does not keep a large read buffer for a small piece of it, nor copy a large piece', () => {
    const large = new Uint8Array(65_536).fill(1);
    let result: Buffer | BodyProblem = 'corrupt';
    const reader = createBodyReader('identity', MiB, createByteBudget(MiB).lease(), (given) => {
      result = given;
    });
    reader.write(large.subarray(10, 20));
    reader.write(large.subarray(0, 30_000));
    large.fill(2); // shows which of them was copied when it came
    reader.end();
    expect(result).toEqual(Buffer.concat([Buffer.alloc(10, 1), Buffer.alloc(30_000, 2)]));
  });

  it('asks for room before it holds anything, and takes no new request when the rest is needed by the old ones', () => {
    const budget = createByteBudget(1_000_000);
    const lease = budget.lease();
    expect(lease.grow(700_000)).toBe(true);
    expect(budget.admits()).toBe(true);
    expect(lease.grow(200_000)).toBe(true);
    expect(budget.admits()).toBe(false);
    expect(lease.grow(200_000)).toBe(false);
    lease.settle(10);
    expect(budget.usedBytes).toBe(10);
    lease.release();
    expect(budget.usedBytes).toBe(0);
  });
});
