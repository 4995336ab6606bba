/**
 * Which orders of two calls a version holds. A pair's line counts the calls in which one came before the other, the other
 * before the one, and both at once; where both at once or either way round is common, order is no evidence, and the line
 * is left out.
 */
import type { OrderLine } from './entries.ts';
import type { Judge } from './evidence.ts';
import type { Links, OrderFacts } from './links.ts';
import { HIGH_FIRST, LOW_FIRST, TOGETHER } from './order.ts';

/** Fewer observations of a pair say nothing about its order. */
export const LEAST_ORDERED = 30;
/** An order at least this probable is no evidence: a pair of which both are is not kept. */
export const COMMON_ORDER = 0.2;

/** Probability of one order at a pair, both ways round and both at once counted: (1 + n) / (1 + N). */
export const orderP = (seen: number, together: number, of: number): number => (1 + seen + together) / (1 + of);

export function orderLines(links: Links, judge: Judge): OrderLine[] {
  const lines: OrderLine[] = [];
  for (const pairs of links.orders.values()) {
    for (const pair of pairs) {
      const line = toLine(links, judge, pair);
      if (line !== undefined) lines.push(line);
    }
  }
  return lines;
}

function toLine(links: Links, judge: Judge, { parent, low, high, seen }: OrderFacts): OrderLine | undefined {
  const admitted = (label: number): boolean => links.labels.get(label)?.admitted === true;
  if (!admitted(parent) || !admitted(low) || !admitted(high)) return undefined;
  const count = (relation: number): number => {
    const evidence = seen[relation as 0 | 1 | 2];
    return evidence === undefined ? 0 : judge.capped(evidence);
  };
  const before = count(LOW_FIRST);
  const after = count(HIGH_FIRST);
  const together = count(TOGETHER);
  const of = before + after + together;
  if (of < LEAST_ORDERED) return undefined;
  if (Math.min(orderP(before, together, of), orderP(after, together, of)) >= COMMON_ORDER) return undefined;
  return { parent: links.text(parent), first: links.text(low), second: links.text(high), before, after, together };
}
