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
  /** Distinct by their entry spans, at most 64, in an order that does not depend on who answered first. */
  readonly clients: readonly ClientRecord[];
  /** Gives those that are new, to be asked for: the spans of a batch may come in several exports. */
  add(producers: readonly Producer[]): readonly Producer[];
  /** False when the answer changes nothing. */
  take(answer: OriginAnswer): boolean;
}

const entryOf = (client: ClientRecord): string => `${client.entryTraceId} ${client.entrySpanId}`;

const keyOf = ({ traceId, spanId }: Producer): string => traceId + spanId;

export function createGathering(): Gathering {
  const known = new Set<string>();
  const awaited = new Set<string>();
  const unknown = new Set<string>();
  const clients = new Map<string, ClientRecord>();
  const gathering: Gathering = {
    get awaited() {
      return awaited.size;
    },
    get complete() {
      return awaited.size === 0 && unknown.size === 0;
    },
    get clients() {
      return [...clients].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, client]) => client);
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
      const wasComplete = gathering.complete;
      const before = clients.size;
      awaited.delete(producer);
      if (state === 'unknown') unknown.add(producer);
      else unknown.delete(producer); // a later answer may know what an earlier one did not
      for (const client of found) {
        if (clients.size < MAX_ORIGINS && !clients.has(entryOf(client))) clients.set(entryOf(client), client);
      }
      return clients.size > before || gathering.complete !== wasComplete;
    },
  };
  return gathering;
}
