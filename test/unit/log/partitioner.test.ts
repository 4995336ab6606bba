/** murmur2 and the partition of a key, against values of Java's client. */
import { expect, test } from 'vitest';
import { murmur2, partitionOf } from '../../../runtime/log/partitioner.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

test('murmur2 gives what org.apache.kafka.common.utils.Utils gives (UtilsTest.testMurmur2)', () => {
  const known: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [key, hash] of known) expect(murmur2(utf8(key)), key).toBe(hash);
});

test('the partition is the positive hash modulo partitions, for any key', () => {
  expect(partitionOf('21', 7)).toBe((-973932308 & 0x7fffffff) % 7);
  for (const key of ['', 'schlüssel', '鍵'.repeat(200), 'x'.repeat(1_000)])
    expect(partitionOf(key, 12), key).toBe((murmur2(utf8(key)) & 0x7fffffff) % 12);
  expect(partitionOf('anything', 1)).toBe(0);
});

test('trace ids spread evenly', () => {
  const counts = new Array<number>(8).fill(0);
  for (let i = 0; i < 8_000; i++) counts[partitionOf((i * 2654435761).toString(16).padStart(32, '0'), 8)]!++;
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});
