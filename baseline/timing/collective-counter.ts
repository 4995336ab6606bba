/**
 * Counts of a partition by window of event time: how many observations of each label were exceedances, how many above all
 * that was learned, and by how many octaves they moved (DETECTION §2). Fed right after the timing model scored a segment.
 */
import type { CollectiveCounts, CollectiveKey } from '../../schemas/log/collective.ts';
import type { Segment, Symbols } from '../../traces/segment.ts';
import { calleeOf } from './gap.ts';
import type { TimingModel } from './model.ts';
import { type CollectiveRates, rateKey } from './rates.ts';

export interface CollectiveCounterOptions {
  readonly partition: number;
  readonly windowMs: number;
  readonly version: string;
  readonly rates: CollectiveRates;
  /** 'self' leaves totals and example traces out: all the load test needs. */
  readonly features?: 'all' | 'self';
}

export interface CollectiveCounter {
  /** Takes the segment that `timing` scored last. `offset`: that of its first record. */
  add(timing: TimingModel, segment: Segment, offset: number): void;
  /** Counts of the windows that ended at or before `beforeMs`, oldest first; what comes later for them is dropped. */
  close(beforeMs: number): CollectiveCounts[];
  /** Smallest first offset of the windows still open, undefined without any: nothing above it may be committed. */
  oldestOffset(): number | undefined;
  /** Segments that came after their window had been closed. */
  readonly late: number;
  /** Counts from here on are held against another version. */
  useVersion(version: string, rates: CollectiveRates): void;
}

/** 1/p of an exceedance. */
const EXCEEDANCE = 100;
/** Shifts are counted in eighths of an octave, ± 8 octaves. */
const SHIFT_BINS = 129;
const MOST_TRACES = 5;

interface Slot {
  readonly label: number;
  readonly service: number;
  readonly caller: number;
  readonly feature: 'self' | 'total';
  count: number;
  exceedances: number;
  above: number;
  /** Sum of the exceedances' ends after the window's start. */
  exceedanceMs: number;
  readonly shifts: Uint32Array;
  readonly traces: string[];
}

interface Window {
  readonly number: number;
  firstOffset: number;
  symbols: Symbols;
  /** label · 2 + feature → slot index + 1. */
  slotOf: Int32Array;
  readonly slots: Slot[];
}

export function createCollectiveCounter(options: CollectiveCounterOptions): CollectiveCounter {
  const { partition, windowMs } = options;
  const withTotals = options.features !== 'self';
  let { version, rates } = options;
  const windows = new Map<number, Window>();
  let closedBelow = Number.NEGATIVE_INFINITY;
  let late = 0;
  let last: Window | undefined;

  function windowOf(number: number, offset: number, symbols: Symbols): Window | undefined {
    if (last?.number === number) {
      if (offset < last.firstOffset) last.firstOffset = offset;
      return last;
    }
    if (number < closedBelow) return undefined;
    let window = windows.get(number);
    if (window === undefined) {
      window = { number, firstOffset: offset, symbols, slotOf: new Int32Array(256), slots: [] };
      windows.set(number, window);
    } else if (offset < window.firstOffset) window.firstOffset = offset;
    last = window;
    return window;
  }

  function slotFor(window: Window, segment: Segment, i: number, feature: 0 | 1): Slot {
    const at = segment.label[i]! * 2 + feature;
    if (at >= window.slotOf.length) {
      const wider = new Int32Array(2 * at + 2);
      wider.set(window.slotOf);
      window.slotOf = wider;
    }
    const known = window.slotOf[at]!;
    if (known !== 0) return window.slots[known - 1]!;
    const callee = feature === 0 ? calleeOf(segment, i) : -1;
    const slot: Slot = {
      label: segment.label[i]!,
      service: segment.service[callee >= 0 ? callee : i]!,
      caller: callee >= 0 ? segment.service[i]! : 0,
      feature: feature === 0 ? 'self' : 'total',
      count: 0,
      exceedances: 0,
      above: 0,
      exceedanceMs: 0,
      shifts: new Uint32Array(SHIFT_BINS),
      traces: [],
    };
    window.slots.push(slot);
    window.slotOf[at] = window.slots.length;
    return slot;
  }

  function count(slot: Slot, inverse: number, shift: number, above: boolean, sinceMs: number, traceId: string): void {
    slot.count++;
    const bin = (shift * 8 + 64.5) | 0;
    slot.shifts[bin < 0 ? 0 : bin >= SHIFT_BINS ? SHIFT_BINS - 1 : bin]!++;
    if (above) slot.above++;
    if (inverse >= EXCEEDANCE) {
      slot.exceedances++;
      slot.exceedanceMs += sinceMs;
      const { traces } = slot;
      if (withTotals && traces.length < MOST_TRACES && traces[traces.length - 1] !== traceId) traces.push(traceId);
    }
  }

  function toCounts(window: Window): CollectiveCounts {
    const { symbols } = window;
    const keys: CollectiveKey[] = [];
    const traces: Record<string, readonly string[]> = {};
    for (const slot of window.slots) {
      const service = symbols.text(slot.service);
      const label = symbols.labelText(slot.label);
      const rate = rates.byKey.get(rateKey(service, label, slot.feature)) ?? rates.overall;
      keys.push({
        service,
        label,
        feature: slot.feature,
        count: slot.count,
        exceedances: slot.exceedances,
        expected: slot.count * rate.exceedance,
        dispersion: rate.dispersion,
        aboveMaximum: slot.above,
        aboveExpected: slot.count * rate.above,
        shift: medianShift(slot),
        exceedanceMs: slot.exceedances === 0 ? 0 : window.number * windowMs + slot.exceedanceMs / slot.exceedances,
        ...(slot.caller === 0 ? {} : { caller: symbols.text(slot.caller) }),
      });
      if (slot.traces.length > 0) traces[label] = [...new Set([...(traces[label] ?? []), ...slot.traces])];
    }
    keys.sort((a, b) => compare(a.label, b.label) || compare(a.feature, b.feature));
    return { partition, window: window.number, windowMs, version, keys, traces };
  }

  return {
    add(timing, segment, offset) {
      const { nodes } = timing;
      const { startMs, startNs, durationNs, childCount } = segment;
      for (let i = 0; i < nodes.count; i++) {
        if (nodes.key[i]! < 0) continue;
        const endMs = startMs + (startNs[i]! + durationNs[i]!) / 1e6;
        const number = Math.floor(endMs / windowMs);
        const sinceMs = endMs - number * windowMs;
        const window = windowOf(number, offset, segment.symbols);
        if (window === undefined) {
          late++;
          continue;
        }
        if (nodes.selfInverse[i]! > 0) {
          const slot = slotFor(window, segment, i, 0);
          count(
            slot,
            nodes.selfInverse[i]!,
            nodes.selfShift[i]!,
            (nodes.above[i]! & 1) !== 0,
            sinceMs,
            segment.traceId,
          );
        }
        if (withTotals && childCount[i]! > 0 && nodes.totalInverse[i]! > 0) {
          const slot = slotFor(window, segment, i, 1);
          count(
            slot,
            nodes.totalInverse[i]!,
            nodes.totalShift[i]!,
            (nodes.above[i]! & 2) !== 0,
            sinceMs,
            segment.traceId,
          );
        }
      }
    },
    close(beforeMs) {
      const due = [...windows.values()].filter((window) => (window.number + 1) * windowMs <= beforeMs);
      due.sort((a, b) => a.number - b.number);
      for (const window of due) windows.delete(window.number);
      closedBelow = Math.max(closedBelow, Math.floor(beforeMs / windowMs));
      last = undefined;
      return due.map(toCounts);
    },
    oldestOffset() {
      let oldest: number | undefined;
      for (const { firstOffset } of windows.values()) {
        if (oldest === undefined || firstOffset < oldest) oldest = firstOffset;
      }
      return oldest;
    },
    get late() {
      return late;
    },
    useVersion(nextVersion, nextRates) {
      version = nextVersion;
      rates = nextRates;
    },
  };
}

function medianShift({ count, shifts }: Slot): number {
  let below = 0;
  for (let i = 0; i < SHIFT_BINS; i++) {
    below += shifts[i]!;
    if (2 * below >= count) return (i - 64) / 8;
  }
  return 0;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
