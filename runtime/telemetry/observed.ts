/** Shows counters that pure parts keep for themselves (assembly, reading) as metrics: a series a field, observed at scrapes. */
import type { Metrics } from './metrics.ts';

/** `duplicateSpans` becomes `event="duplicate_spans"`. */
const eventName = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** One counter, a series a field of `stats`; every field is a number. */
function observeStats(metrics: Metrics, name: string, help: string, role: string, stats: object): void {
  const series = Object.keys(stats).map((field) => [field, { role, event: eventName(field) }] as const);
  const counts = stats as Readonly<Record<string, number>>;
  metrics.observedCounter(name, help, () => series.map(([field, labels]) => [counts[field]!, labels] as const));
}

/** Counters and gauges of a role's assembly; gives the assembler back. */
export function observeAssembly<A extends { readonly stats: object; gauges(): object }>(
  metrics: Metrics,
  role: string,
  assembler: A,
): A {
  const help = 'What assembly met: spans, early closes, late, duplicate, invalid and truncated spans';
  observeStats(metrics, 'assembly_total', help, role, assembler.stats);
  metrics.gauge('assembly_held', 'Spans, segments and bytes of open and recently closed segments', () =>
    Object.entries<number>({ ...assembler.gauges() }).map(([what, value]) => [value, { role, what }] as const),
  );
  return assembler;
}

/** Counters of a role's reader. */
export function observeReading(metrics: Metrics, role: string, stats: object): void {
  const help = 'What reading met: segments, spans, clamped times, negative durations, orphans, cut values';
  observeStats(metrics, 'reading_total', help, role, stats);
}
