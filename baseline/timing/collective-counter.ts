/**
 * Counts of a partition by window of event time: how many observations of each label were exceedances, how many above all
 * that was learned, and by how many octaves they moved (DETECTION §2). Fed right after the timing model scored a segment.
 */
import type { CollectiveCounts, CollectiveKey } from '../../schemas/log/collective.ts';
import type { Segment, Symbols } from '../../traces/segment.ts';
import { calleeOf } from './gap.ts';
import { Beyond, type TimingModel } from './model.ts';
import { type CollectiveRates, nominalAbove, nominalExceedance, rateKey } from './rates.ts';

export interface CollectiveCounterOptions {
  readonly partition: number;
  readonly windowMs: number;
  readonly version: string;
  readonly rates: CollectiveRates;
  /** 'self' leaves totals and example traces out: all the load test needs. */
  readonly features?: 'all' | 'self';
  /**
   * How long a request may have ended before its first record came and still be in time for its window: beyond that, or
   * begun after it came, it is placed by the log's clock. Without it all are placed by their own.
   */
  readonly behindMs?: number;
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

/** 1/p of an exceedance; a key too young to claim that much has one wherever a value lies beyond all it learned. */
const EXCEEDANCE = 100;
/** Of the wider level: a shift of everything shows there even when learning saw one per cent of such values. */
const WIDE = 10;
const OWN = Beyond.selfAbove | Beyond.selfBelow;
const WHOLE = Beyond.totalAbove | Beyond.totalBelow;
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
  /** Sum of what lay above the maximum. */
  aboveMs: number;
  /** What of both chance alone would give, by what the keys rest on. */
  nominal: number;
  nominalAbove: number;
  nominalWide: number;
  wide: number;
  /** Sums of the exceedances' ends after the window's start. */
  exceedanceMs: number;
  wideMs: number;
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
  const behindMs = options.behindMs ?? Number.POSITIVE_INFINITY;
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
      aboveMs: 0,
      nominal: 0,
      nominalAbove: 0,
      nominalWide: 0,
      wide: 0,
      exceedanceMs: 0,
      wideMs: 0,
      shifts: new Uint32Array(SHIFT_BINS),
      traces: [],
    };
    window.slots.push(slot);
    window.slotOf[at] = window.slots.length;
    return slot;
  }

  function count(
    slot: Slot,
    inverse: number,
    shift: number,
    outside: boolean,
    above: boolean,
    learned: number,
    sinceMs: number,
  ): boolean {
    slot.count++;
    slot.nominal += nominalExceedance(learned, 1 / EXCEEDANCE);
    slot.nominalWide += nominalExceedance(learned, 1 / WIDE);
    slot.nominalAbove += nominalAbove(learned);
    const bin = (shift * 8 + 64.5) | 0;
    slot.shifts[bin < 0 ? 0 : bin >= SHIFT_BINS ? SHIFT_BINS - 1 : bin]!++;
    if (above) slot.above++;
    if (!outside && inverse < WIDE) return false;
    slot.wide++;
    slot.wideMs += sinceMs;
    if (!outside && inverse < EXCEEDANCE) return false;
    slot.exceedances++;
    slot.exceedanceMs += sinceMs;
    return true;
  }

  function show({ traces }: Slot, traceId: string): void {
    if (traces.length < MOST_TRACES && traces[traces.length - 1] !== traceId) traces.push(traceId);
  }

  function toCounts(window: Window): CollectiveCounts {
    const { symbols } = window;
    const keys: CollectiveKey[] = [];
    const traces: Record<string, readonly string[]> = {};
    for (const slot of window.slots) {
      const service = symbols.text(slot.service);
      const label = symbols.labelText(slot.label);
      const known = rates.byKey.get(rateKey(service, label, slot.feature));
      const rate = known ?? rates.overall;
      const expected = slot.count * rate.exceedance;
      const aboveExpected = slot.count * rate.above;
      const wideExpected = slot.count * rate.wide;
      keys.push({
        service,
        label,
        feature: slot.feature,
        count: slot.count,
        exceedances: slot.exceedances,
        expected: known === undefined ? Math.max(expected, slot.nominal) : expected,
        dispersion: rate.dispersion,
        aboveMaximum: slot.above,
        aboveMs: slot.aboveMs,
        aboveExpected: known === undefined ? Math.max(aboveExpected, slot.nominalAbove) : aboveExpected,
        wide: slot.wide,
        wideExpected: known === undefined ? Math.max(wideExpected, slot.nominalWide) : wideExpected,
        wideDispersion: rate.wideDispersion,
        shift: medianShift(slot),
        exceedanceMs: slot.exceedances === 0 ? 0 : window.number * windowMs + slot.exceedanceMs / slot.exceedances,
        wideMs: slot.wide === 0 ? 0 : window.number * windowMs + slot.wideMs / slot.wide,
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
      const { startNs, durationNs, childCount, traceId } = segment;
      const baseMs = behindMs === Infinity ? segment.startMs : believedStartMs(segment, behindMs);
      const lastMs = behindMs === Infinity ? Infinity : Math.max(baseMs, segment.appendMs) + MOST_AHEAD_MS;
      for (let i = 0; i < nodes.count; i++) {
        const key = nodes.key[i]!;
        if (key < 0) continue;
        const lastedNs = Number.isNaN(durationNs[i]!) ? 0 : durationNs[i]!; // unknown
        const endMs = Math.min(lastMs, baseMs + (startNs[i]! + nodes.shiftNs[i]! + lastedNs) / 1e6);
        const number = Math.floor(endMs / windowMs);
        const sinceMs = endMs - number * windowMs;
        const window = windowOf(number, offset, segment.symbols);
        if (window === undefined) {
          late++;
          continue;
        }
        const beyond = nodes.beyond[i]!;
        const self = nodes.selfInverse[i]!;
        if (self > 0) {
          const slot = slotFor(window, segment, i, 0);
          const outside = (beyond & OWN) !== 0;
          const above = (beyond & Beyond.selfAbove) !== 0;
          const learned = timing.learned(key, 'self');
          if (above) slot.aboveMs += timing.aboveNs(key, nodes.selfNs[i]!) / 1e6;
          if (count(slot, self, nodes.selfShift[i]!, outside, above, learned, sinceMs) && withTotals)
            show(slot, traceId);
        }
        const total = nodes.totalInverse[i]!;
        if (withTotals && childCount[i]! > 0 && total > 0) {
          const slot = slotFor(window, segment, i, 1);
          const outside = (beyond & WHOLE) !== 0;
          const above = (beyond & Beyond.totalAbove) !== 0;
          const learned = timing.learned(nodes.totalKey[i]!, 'total');
          if (count(slot, total, nodes.totalShift[i]!, outside, above, learned, sinceMs)) show(slot, traceId);
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

/** A span cannot have been logged before it began: then its clock is ahead. */
const AHEAD_MS = 2_000;
/** A window further ahead would hold the commit back until then; no segment is held so long (assembly.maxAgeMs). */
const MOST_AHEAD_MS = 60_000;

/** Start of the entry, by the clock of the log where its own is of no use. */
function believedStartMs({ startMs, appendMs, durationNs }: Segment, behindMs: number): number {
  const lastedMs = Number.isNaN(durationNs[0]!) ? 0 : durationNs[0]! / 1e6;
  if (startMs > appendMs + AHEAD_MS) return appendMs;
  return startMs + lastedMs < appendMs - behindMs ? appendMs - lastedMs : startMs;
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
