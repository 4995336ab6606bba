/** At most so many at a time; the others wait their turn, first come first served. */

export interface Slots {
  /** Resolves with how to give the slot back. */
  take(): Promise<() => void>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    async take() {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      let given = false;
      return () => {
        if (given) return;
        given = true;
        const next = waiting.shift();
        if (next !== undefined) next();
        else free++;
      };
    },
  };
}
