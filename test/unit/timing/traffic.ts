/** Generated traffic for tests of timing and learning: a gateway that calls a shop that asks a database. */
import type { Segment, Symbols } from '../../../traces/segment.ts';
import { type PlainSpan, segmentOf } from '../traces/segments.ts';

export interface Shape {
  /** Milliseconds of each node's own work. */
  readonly gateway: number;
  readonly way: number;
  readonly shop: number;
  readonly query: number;
}

/** Log-normal round `median` with `sigma` in natural logs. */
export function logNormal(random: () => number, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}

export const usual = (random: () => number): Shape => ({
  gateway: logNormal(random, 3, 0.3),
  way: logNormal(random, 1, 0.3),
  shop: logNormal(random, 8, 0.3),
  query: logNormal(random, 5, 0.5),
});

export function requestOf(
  symbols: Symbols,
  shape: Shape,
  facts: { traceId?: string; startMs?: number; client?: string; into?: Segment; extra?: PlainSpan[] } = {},
): Segment {
  const { gateway, way, shop, query } = shape;
  const tree: PlainSpan = {
    service: 'gateway',
    operation: 'GET /cart',
    startMs: 0,
    durationMs: gateway + way + shop + query,
    children: [
      {
        service: 'gateway',
        operation: 'GET shop',
        kind: 'client',
        startMs: gateway / 2,
        durationMs: way + shop + query,
        children: [
          {
            service: 'shop',
            operation: 'GET /cart',
            startMs: gateway / 2 + way / 2,
            durationMs: shop + query,
            children: [
              {
                service: 'shop',
                operation: 'SELECT cart',
                kind: 'client',
                peer: 'postgresql',
                startMs: gateway / 2 + way / 2 + shop / 2,
                durationMs: query,
              },
              ...(facts.extra ?? []),
            ],
          },
        ],
      },
    ],
  };
  const startMs = facts.startMs ?? 1_750_000_000_000;
  return segmentOf(symbols, tree, { ...facts, startMs, appendMs: startMs + 100 });
}
