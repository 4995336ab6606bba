/**
 * Which partition a key belongs to: murmur2 as Java's Kafka client computes it (org.apache.kafka.common.utils.Utils), so
 * that every producer, ours or not, puts a trace into the same partition.
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** 32-bit signed murmur2 of bytes. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  let h = SEED ^ length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const left = length - i;
  if (left === 3) h ^= bytes[i + 2]! << 16;
  if (left >= 2) h ^= bytes[i + 1]! << 8;
  if (left >= 1) h = Math.imul(h ^ bytes[i]!, M);
  h ^= h >>> 13;
  h = Math.imul(h, M);
  return h ^ (h >>> 15);
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(3 * 256);

/** Partition of a key among `partitions`, as Java's default partitioner gives it. */
export function partitionOf(key: string, partitions: number): number {
  if (partitions === 1) return 0;
  const { length } = key;
  let bytes: Uint8Array;
  if (length <= 256) {
    // the usual key is 32 hex characters: no encoder, no allocation but a view
    let ascii = true;
    for (let i = 0; i < length; i++) {
      const code = key.charCodeAt(i);
      if (code > 0x7f) {
        ascii = false;
        break;
      }
      scratch[i] = code;
    }
    bytes = ascii ? scratch.subarray(0, length) : scratch.subarray(0, encoder.encodeInto(key, scratch).written);
  } else bytes = encoder.encode(key);
  return (murmur2(bytes) & 0x7fffffff) % partitions;
}
