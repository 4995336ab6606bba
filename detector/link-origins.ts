/** Origins across links inside one run of offline scoring: the clients behind a producer span, bounded. */

import type { ClientRecord } from '../schemas/log/verdict.ts';
import { SpanKind } from '../schemas/otlp/fields.ts';
import { type Segment, spanIdHex } from '../traces/segment.ts';

const MOST_REMEMBERED = 200_000;
const MOST_CLIENTS = 64;

export interface LinkOrigins {
  /** Takes the PRODUCER spans of the segment at hand, caused by `clients`. */
  remember(segment: Segment, clients: readonly ClientRecord[]): void;
  /** Distinct clients behind producer spans; empty when none of them is known. */
  clientsOf(producers: Segment['producers']): readonly ClientRecord[];
}

export function createLinkOrigins(): LinkOrigins {
  const byProducer = new Map<string, readonly ClientRecord[]>();
  return {
    remember(segment, clients) {
      for (let i = 0; i < segment.spanCount; i++) {
        if (segment.kind[i] !== SpanKind.producer) continue;
        byProducer.set(segment.traceId + spanIdHex(segment, i), clients);
        if (byProducer.size > MOST_REMEMBERED) byProducer.delete(byProducer.keys().next().value!);
      }
    },
    clientsOf(producers) {
      const found = new Map<string, ClientRecord>();
      for (const { traceId, spanId } of producers) {
        for (const client of byProducer.get(traceId + spanId) ?? []) {
          if (found.size < MOST_CLIENTS)
            found.set(`${client.address} ${client.entryTraceId} ${client.entrySpanId}`, client);
        }
      }
      return [...found.values()];
    },
  };
}
