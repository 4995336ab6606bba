/**
 * Questions about origins that only the store can answer, a few at a time: where producers are not traced at all, every
 * message is one, and they must not be what ClickHouse is busy with. What finds no place is not asked: the wait decides.
 */
import type { OriginAsk } from '../schemas/log/origin.ts';
import type { ClientRecord } from '../schemas/log/verdict.ts';

export interface LookUps {
  /** False when too many wait already. */
  add(ask: OriginAsk): boolean;
  readonly waiting: number;
}

const MOST_AT_ONCE = 4;
const MOST_WAITING = 1_000;

/** `found` hears of every question that the store answered. */
export function createLookUps(
  look: (ask: OriginAsk) => Promise<readonly ClientRecord[]>,
  found: (ask: OriginAsk, clients: readonly ClientRecord[]) => void,
): LookUps {
  const queue: OriginAsk[] = [];
  let running = 0;

  async function run(first: OriginAsk): Promise<void> {
    for (let ask: OriginAsk | undefined = first; ask !== undefined; ask = queue.shift()) {
      try {
        found(ask, await look(ask));
      } catch {
        // the store is away: the wait decides
      }
    }
    running--;
  }

  return {
    add(ask) {
      if (running < MOST_AT_ONCE) {
        running++;
        void run(ask);
        return true;
      }
      if (queue.length >= MOST_WAITING) return false;
      queue.push(ask);
      return true;
    },
    get waiting() {
      return queue.length;
    },
  };
}
