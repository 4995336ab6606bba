/** The answers about one asynchronous segment: who is behind each of its producers. A batch may have many. */
import type { OriginAnswer } from '../../schemas/log/origin.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';

export const MAX_ORIGINS = 64;

export interface Producer {
  readonly traceId: string;
  readonly spanId: string;
}

export interface Gathering {
  /** Producers nobody answered for yet. */
  readonly awaited: number;
  /** It is known who is behind every producer. */
  readonly complete: boolean;
  /**
   * Distinct by their entry spans; where those are more than 64, distinct by who they are: many messages of one client must
   * not hide another. At most 64, in an order that does not depend on who answered first.
   */
  readonly clients: readonly ClientRecord[];
  /** Gives those that are new, to be asked for: the spans of a batch may come in several exports. */
  add(producers: readonly Producer[]): readonly Producer[];
  /** False when the answer changes nothing. */
  take(answer: OriginAnswer): boolean;
}

const entryOf = (client: ClientRecord): string => `${client.entryTraceId} ${client.entrySpanId}`;

const whoOf = ({ address, user }: ClientRecord): string => JSON.stringify([address, user]);

const keyOf = ({ traceId, spanId }: Producer): string => traceId + spanId;

const sorted = (clients: ReadonlyMap<string, ClientRecord>): ClientRecord[] =>
  [...clients].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, client]) => client);

/** Keeps the 64 of the smallest keys, whoever comes first. */
function keepSmallest(kept: Map<string, ClientRecord>, key: string, client: ClientRecord): boolean {
  if (kept.size >= MAX_ORIGINS) {
    let largest = key;
    for (const known of kept.keys()) if (known > largest) largest = known;
    if (largest === key) return false;
    kept.delete(largest);
  }
  kept.set(key, client);
  return true;
}

export function createGathering(): Gathering {
  const known = new Set<string>();
  const awaited = new Set<string>();
  const unknown = new Set<string>();
  const byEntry = new Map<string, ClientRecord>();
  /** Of each who, the one of the smallest entry. */
  const byWho = new Map<string, ClientRecord>();
  let tooMany = false;

  function takeClient(client: ClientRecord): boolean {
    const entry = entryOf(client);
    if (byEntry.has(entry)) return false;
    let changes = false;
    if (byEntry.size < MAX_ORIGINS) {
      byEntry.set(entry, client);
      changes = true;
    } else tooMany = true;
    const who = whoOf(client);
    const same = byWho.get(who);
    if (same === undefined) return keepSmallest(byWho, who, client) || changes;
    if (entry >= entryOf(same)) return changes;
    byWho.set(who, client);
    return true;
  }

  const gathering: Gathering = {
    get awaited() {
      return awaited.size;
    },
    get complete() {
      return awaited.size === 0 && unknown.size === 0;
    },
    get clients() {
      return tooMany ? sorted(new Map([...byWho.values()].map((one) => [entryOf(one), one]))) : sorted(byEntry);
    },
    add(producers) {
      const fresh = producers.filter((producer) => !known.has(keyOf(producer)));
      for (const producer of fresh) {
        known.add(keyOf(producer));
        awaited.add(keyOf(producer));
      }
      return fresh;
    },
    take({ producerTraceId, producerSpanId, clients: found, state }) {
      const producer = keyOf({ traceId: producerTraceId, spanId: producerSpanId });
      if (!known.has(producer)) return false; // nobody asked
      const wasComplete = gathering.complete;
      let changes = false;
      awaited.delete(producer);
      if (state === 'unknown') unknown.add(producer);
      else unknown.delete(producer); // a later answer may know what an earlier one did not
      for (const client of found) if (takeClient(client)) changes = true;
      return changes || gathering.complete !== wasComplete;
    },
  };
  return gathering;
}
