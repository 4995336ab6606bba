/**
 * Load or attack? One slow node is an attack only when its seconds were quiet elsewhere (DETECTION §6): no other service
 * with 3 or more, and over 5 %, of its self times above their maxima, and by enough to explain it.
 */
import type { CollectiveCounts } from '../../schemas/log/collective.ts';

const MIN_ABOVE = 3;
const MIN_SHARE = 0.05;
/** A delay is explained by others of its size: on average at least this share of it (docs/adr/037). */
const EXPLAINS = 1 / 20;

/** Of counts that do not say by how much (an earlier release's): it may have been any amount. */
const UNKNOWN_MS = 1e9;

interface ServiceSecond {
  count: number;
  above: number;
  /** Sum of what lay above the maxima, milliseconds. */
  aboveMs: number;
}

export interface LoadBook {
  add(counts: CollectiveCounts): void;
  /** True when another service than `service` was slow in the seconds of [startMs, endMs], by enough to explain `excessMs`. */
  othersSlow(service: string, startMs: number, endMs: number, excessMs: number): boolean;
  /** Forgets seconds before `ms`. */
  forget(ms: number): void;
  snapshot(): LoadSnapshot;
}

/** `aboveMs` was not known to an earlier release. */
type KnownSecond = Pick<ServiceSecond, 'count' | 'above'> & Partial<Pick<ServiceSecond, 'aboveMs'>>;
export type LoadSnapshot = readonly (readonly [number, Readonly<Record<string, KnownSecond>>])[];

export function createLoadBook(snapshot: LoadSnapshot = []): LoadBook {
  const seconds = new Map<number, Record<string, ServiceSecond>>(
    snapshot.map(([s, byService]) => [
      s,
      Object.fromEntries(
        Object.entries(byService).map(([name, { count, above, aboveMs = UNKNOWN_MS * above }]) => [
          name,
          { count, above, aboveMs },
        ]),
      ),
    ]),
  );
  return {
    add(counts) {
      const second = Math.floor((counts.window * counts.windowMs) / 1000);
      const byService = seconds.get(second) ?? {};
      for (const key of counts.keys) {
        if (key.feature !== 'self') continue;
        const known = byService[key.service] ?? { count: 0, above: 0, aboveMs: 0 };
        byService[key.service] = {
          count: known.count + key.count,
          above: known.above + key.aboveMaximum,
          aboveMs: known.aboveMs + (key.aboveMs ?? UNKNOWN_MS * key.aboveMaximum),
        };
      }
      seconds.set(second, byService);
    },
    othersSlow(service, startMs, endMs, excessMs) {
      const totals: Record<string, ServiceSecond> = {};
      for (let second = Math.floor(startMs / 1000); second <= Math.floor(endMs / 1000); second++) {
        for (const [name, { count, above, aboveMs }] of Object.entries(seconds.get(second) ?? {})) {
          const total = totals[name] ?? { count: 0, above: 0, aboveMs: 0 };
          totals[name] = { count: total.count + count, above: total.above + above, aboveMs: total.aboveMs + aboveMs };
        }
      }
      return Object.entries(totals).some(
        ([name, { count, above, aboveMs }]) =>
          name !== service && above >= MIN_ABOVE && above > MIN_SHARE * count && aboveMs >= EXPLAINS * excessMs * above,
      );
    },
    forget(ms) {
      for (const second of seconds.keys()) if (second * 1000 < ms) seconds.delete(second);
    },
    snapshot: () => [...seconds],
  };
}
