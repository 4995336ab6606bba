/** Labels and counts in words for people. */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Symbols } from '../../traces/segment.ts';

/** `orders POST /orders`, `orders client POST /charge`, `orders SELECT orders (postgresql)`. */
export function labelWords(symbols: Symbols, id: number): string {
  const { service, kind, operation, peer } = symbols.labelOf(id);
  const role = kind === SpanKind.client && peer === 0 ? 'client ' : kind === SpanKind.producer ? 'producer ' : '';
  const system = peer === 0 ? '' : ` (${symbols.text(peer)})`;
  return `${symbols.text(service)} ${role}${symbols.text(operation)}${system}`;
}

/** The label of another call as seen from one of `service`: its own service is left out. */
export function labelWordsFrom(symbols: Symbols, id: number, service: number): string {
  const words = labelWords(symbols, id);
  const own = `${symbols.text(service)} `;
  return symbols.labelOf(id).service === service && words.startsWith(own) ? words.slice(own.length) : words;
}

/** 48211 → `48,211`. */
export const grouped = (count: number): string => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');

/** `a, b and 3 more`. */
export function listed(words: readonly string[], most = 3): string {
  if (words.length <= most) return words.join(', ');
  return `${words.slice(0, most).join(', ')} and ${words.length - most} more`;
}
