/**
 * Buffers used again and again for batches: a new one of megabytes for each costs page faults, and has the garbage collector
 * run for memory that is not on its heap.
 */

export interface BufferPool {
  /** A buffer of `size` bytes, holding anything. */
  take(size: number): Buffer;
  /** Nobody uses it any more. */
  give(buffer: Buffer): void;
}

const SMALLEST = 4_096;
const LARGEST = 2_097_152;

/** Keeps at most `keepBytes` for later. */
export function createBufferPool(keepBytes: number): BufferPool {
  const free = new Map<number, ArrayBuffer[]>();
  let kept = 0;
  return {
    take(size) {
      if (size > LARGEST) return Buffer.allocUnsafeSlow(size);
      let capacity = SMALLEST;
      while (capacity < size) capacity *= 2;
      const memory = free.get(capacity)?.pop();
      if (!memory) return Buffer.allocUnsafeSlow(capacity).subarray(0, size);
      kept -= capacity;
      return Buffer.from(memory, 0, size);
    },
    give(buffer) {
      const memory = buffer.buffer as ArrayBuffer;
      const capacity = memory.byteLength;
      if (capacity > LARGEST || kept + capacity > keepBytes) return;
      kept += capacity;
      const own = free.get(capacity);
      if (own) own.push(memory);
      else free.set(capacity, [memory]);
    },
  };
}
