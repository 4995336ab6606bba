/** How far the worker has come in each partition, and a promise for when it has come as far as needed. */

export interface Progress {
  done(partition: string, offset: bigint): void;
  /** Resolves with true once everything before `ends` is done, with false when that takes longer than `withinMs`. */
  reaches(ends: ReadonlyMap<string, bigint>, withinMs: number): Promise<boolean>;
}

export function createProgress(): Progress {
  const next = new Map<string, bigint>();
  let look = (): void => undefined;
  return {
    done(partition, offset) {
      if (offset >= (next.get(partition) ?? 0n)) next.set(partition, offset + 1n);
      look();
    },
    reaches: (ends, withinMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(false), withinMs);
        look = () => {
          for (const [partition, end] of ends) if ((next.get(partition) ?? 0n) < end) return;
          clearTimeout(timer);
          resolve(true);
        };
        look();
      }),
  };
}
