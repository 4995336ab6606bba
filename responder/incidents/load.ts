/**
 * Load or attack? One slow node is an attack only when its seconds were quiet elsewhere (DETECTION §6): no other service
 * with 3 or more, and over 5 %, of its self times above their maxima.
 */
import type { CollectiveCounts } from '../../schemas/log/collective.ts';

const MIN_ABOVE = 3;
const MIN_SHARE = 0.05;

interface ServiceSecond {
  count: number;
  above: number;
}

export interface LoadBook {
  add(counts: CollectiveCounts): void;
  /** True when another service than `service` was slow in any second of [startMs, endMs]. */
  othersSlow(service: string, startMs: number, endMs: number): boolean;
  /** Forgets seconds before `ms`. */
  forget(ms: number): void;
  snapshot(): LoadSnapshot;
}

export type LoadSnapshot = readonly (readonly [number, Readonly<Record<string, ServiceSecond>>])[];

export function createLoadBook(snapshot: LoadSnapshot = []): LoadBook {
  const seconds = new Map<number, Record<string, ServiceSecond>>(
    snapshot.map(([s, byService]) => [s, { ...byService }]),
  );
  return {
    add(counts) {
      const second = Math.floor((counts.window * counts.windowMs) / 1000);
      const byService = seconds.get(second) ?? {};
      for (const key of counts.keys) {
        if (key.feature !== 'self') continue;
        const known = byService[key.service] ?? { count: 0, above: 0 };
        byService[key.service] = { count: known.count + key.count, above: known.above + key.aboveMaximum };
      }
      seconds.set(second, byService);
    },
    othersSlow(service, startMs, endMs) {
      const totals: Record<string, ServiceSecond> = {};
      for (let second = Math.floor(startMs / 1000); second <= Math.floor(endMs / 1000); second++) {
        for (const [name, { count, above }] of Object.entries(seconds.get(second) ?? {})) {
          const total = totals[name] ?? { count: 0, above: 0 };
          totals[name] = { count: total.count + count, above: total.above + above };
        }
      }
      return Object.entries(totals).some(
        ([name, { count, above }]) => name !== service && above >= MIN_ABOVE && above > MIN_SHARE * count,
      );
    },
    forget(ms) {
      for (const second of seconds.keys()) if (second * 1000 < ms) seconds.delete(second);
    },
    snapshot: () => [...seconds],
  };
}
