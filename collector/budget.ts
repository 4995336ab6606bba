/** Bytes of all requests in flight, bounded: what keeps the collector's memory in its place when the log is slow. */

export interface ByteBudget {
  readonly usedBytes: number;
  /** Whether a new request may begin: some room is kept for those that have begun, so that they can end. */
  admits(): boolean;
  lease(): Lease;
}

/** What one request holds. Release it when its answer is given and its bytes are let go. */
export interface Lease {
  readonly bytes: number;
  /** Takes `n` bytes more; false when the budget is spent (then nothing was taken). */
  grow(n: number): boolean;
  /** Holds exactly `n` bytes from now on, whatever the budget says: what is held must be counted. */
  settle(n: number): void;
  /** Safe to call twice. */
  release(): void;
}

const ADMITTED_SHARE = 0.8;
/** What a request costs beside its body: stream, headers, timer, closures. */
const REQUEST_BYTES = 4_096;

export function createByteBudget(maxBytes: number): ByteBudget {
  let used = 0;
  return {
    get usedBytes() {
      return used;
    },
    admits: () => used < maxBytes * ADMITTED_SHARE,
    lease() {
      let held = REQUEST_BYTES;
      used += held;
      return {
        get bytes() {
          return held;
        },
        grow(n) {
          if (used + n > maxBytes) return false;
          used += n;
          held += n;
          return true;
        },
        settle(n) {
          used += n - held;
          held = n;
        },
        release() {
          used -= held;
          held = 0;
        },
      };
    },
  };
}
