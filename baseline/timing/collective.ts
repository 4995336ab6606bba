/**
 * Collective timing: shifts that no single trace shows (DETECTION §2). Counts of 20-second windows, summed over partitions,
 * are held against each key's own rate; what moved by itself points at one service, its callers do not; when half of all
 * keys move at once it is load. Pure: driven by the windows' own times.
 */
import type { CollectiveCounts, CollectiveKey } from '../../schemas/log/collective.ts';
import type { Finding } from '../../schemas/log/verdict.ts';
import { grouped } from '../fusion/match-line.ts';
import { countTail } from './count-tail.ts';

export interface CollectiveJudgeOptions {
  /** Width of the windows judged; counts of another width (the load test's seconds) are passed over. */
  readonly windowMs: number;
  /** Windows with p (times the keys tested) at or below this raise an incident. */
  readonly alarmP: number;
  /** Windows looked at together: the last one, the last few, more. */
  readonly spans: readonly number[];
  /** Least median shift, octaves, and least exceedances that may raise one. */
  readonly leastShift: number;
  readonly leastExceedances: number;
  /** Share of active keys that must move for load, and how many keys that needs. */
  readonly loadShare: number;
  readonly loadKeys: number;
  /** Quiet windows after which an incident of a service is over. */
  readonly quietWindows: number;
}

export const COLLECTIVE_DEFAULTS: CollectiveJudgeOptions = {
  windowMs: 20_000,
  alarmP: 1e-5,
  spans: [1, 3, 9],
  leastShift: 0.5,
  leastExceedances: 3,
  loadShare: 0.5,
  loadKeys: 8,
  quietWindows: 3,
};

export interface CollectiveIncident {
  /** `service` moved by itself; `load` when half of everything did. */
  readonly cause: 'service' | 'load';
  /** '' for load. */
  readonly service: string;
  /** True the first time; false while it goes on. */
  readonly opened: boolean;
  readonly startMs: number;
  readonly endMs: number;
  readonly p: number;
  /** Median shift of the strongest key, octaves. */
  readonly shift: number;
  readonly finding: Finding;
  readonly traceIds: readonly string[];
}

export interface CollectiveJudge {
  add(counts: CollectiveCounts): void;
  /** Judges the windows that ended at or before `beforeMs`, oldest first. */
  judge(beforeMs: number): CollectiveIncident[];
  snapshot(): CollectiveSnapshot;
}

interface Sum {
  count: number;
  exceedances: number;
  expected: number;
  above: number;
  aboveExpected: number;
  dispersion: number;
  wide: number;
  wideExpected: number;
  wideDispersion: number;
  /** Shift weighted by count. */
  shift: number;
  /** Mean time of the exceedances, weighted by them. */
  exceedanceMs: number;
  wideMs: number;
}

interface KeyFacts {
  readonly service: string;
  readonly caller: string;
  readonly label: string;
}

export interface CollectiveSnapshot {
  /** Window → key → sums; windows seen, judged ones kept for the longer spans. */
  readonly windows: readonly (readonly [
    number,
    readonly (readonly [string, KeyFacts, Sum])[],
    Record<string, string[]>,
  ])[];
  readonly judgedTo: number;
  readonly open: readonly (readonly [string, number, number])[];
}

interface WindowSums {
  readonly keys: Map<string, { readonly facts: KeyFacts; readonly sum: Sum }>;
  readonly traces: Map<string, string[]>;
}

interface Moved {
  readonly facts: KeyFacts;
  readonly p: number;
  readonly sum: Sum;
  /** Windows it was found over. */
  readonly span: number;
  /** By the count of p ≤ 0.1. */
  readonly wide: boolean;
}

export function createCollectiveJudge(
  options: CollectiveJudgeOptions = COLLECTIVE_DEFAULTS,
  snapshot?: CollectiveSnapshot,
): CollectiveJudge {
  const { windowMs } = options;
  let judgedTo = snapshot?.judgedTo ?? Number.NEGATIVE_INFINITY;
  const windows = new Map<number, WindowSums>();
  /** Service → when its evidence began, and the window of its last alarm. */
  const open = new Map<string, { first: number; last: number }>();
  for (const [number, keys, traces] of snapshot?.windows ?? []) {
    windows.set(number, {
      keys: new Map(keys.map(([id, facts, sum]) => [id, { facts, sum: { ...sum } }])),
      traces: new Map(Object.entries(traces)),
    });
  }
  for (const [service, first, last] of snapshot?.open ?? []) open.set(service, { first, last });
  const longest = Math.max(...options.spans);

  function add(counts: CollectiveCounts): void {
    if (counts.windowMs !== windowMs || counts.window <= judgedTo) return;
    let window = windows.get(counts.window);
    if (window === undefined) {
      window = { keys: new Map(), traces: new Map() };
      windows.set(counts.window, window);
    }
    for (const key of counts.keys) if (key.feature === 'self') addKey(window, key);
    for (const [label, ids] of Object.entries(counts.traces)) {
      const known = window.traces.get(label) ?? [];
      window.traces.set(label, [...new Set([...known, ...ids])].slice(0, 5));
    }
  }

  function judge(beforeMs: number): CollectiveIncident[] {
    const due = [...windows.keys()].filter((w) => w > judgedTo && (w + 1) * windowMs <= beforeMs).sort((a, b) => a - b);
    const incidents: CollectiveIncident[] = [];
    for (const number of due) {
      incidents.push(...judgeWindow(number));
      judgedTo = number;
      for (const old of windows.keys()) if (old <= number - longest) windows.delete(old);
      for (const [service, { last }] of open) if (number - last > options.quietWindows) open.delete(service);
    }
    return incidents;
  }

  function judgeWindow(number: number): CollectiveIncident[] {
    const window = windows.get(number)!;
    const moved: Moved[] = [];
    let active = 0;
    let movedNow = 0;
    for (const [id, { facts, sum }] of window.keys) {
      if (sum.count >= 5) active++;
      const best = strongest(id, facts, number);
      if (best === undefined) continue;
      if (sum.count >= 5 && best.span === 1 && best.p * window.keys.size <= 0.01) movedNow++;
      if (best.p * window.keys.size <= options.alarmP) moved.push(best);
    }
    if (moved.length === 0) return [];
    if (active >= options.loadKeys && movedNow >= options.loadShare * active) return [loadOf(number, moved, window)];
    return blame(moved, window).map((found) => incidentOf(number, found, window));
  }

  /** The span of windows, ending with this one, over which the key is least explained by chance. */
  function strongest(id: string, facts: KeyFacts, number: number): Moved | undefined {
    let best: Moved | undefined;
    const sum = emptySum();
    for (let back = 0; back < longest; back++) {
      const at = windows.get(number - back)?.keys.get(id);
      if (at !== undefined) addSum(sum, at.sum);
      if (!options.spans.includes(back + 1)) continue;
      if (sum.wide < options.leastExceedances || Math.abs(sum.shift / sum.count) < options.leastShift) continue;
      const narrow = Math.min(
        countTail(sum.exceedances, sum.expected, sum.dispersion),
        countTail(sum.above, sum.aboveExpected, sum.dispersion),
      );
      const wide = countTail(sum.wide, sum.wideExpected, sum.wideDispersion);
      const corrected = Math.min(1, Math.min(narrow, wide) * STATISTICS * options.spans.length);
      if (best === undefined || corrected < best.p)
        best = { facts, p: corrected, sum: { ...sum }, span: back + 1, wide: wide < narrow };
    }
    return best;
  }

  /**
   * One incident a service. A moved way between two services may be either one's doing: the callee counts in full, the
   * caller by half, and the other way round where the callee's ways from others stayed as they were; the service that
   * explains most goes first, and what it explains is taken from the others.
   */
  function blame(moved: readonly Moved[], window: WindowSums): { service: string; lead: Moved }[] {
    const found: { service: string; lead: Moved }[] = [];
    let left = [...moved];
    while (left.length > 0) {
      const weight = new Map<string, number>();
      const addWeight = (service: string, value: number): void => {
        if (service !== '') weight.set(service, (weight.get(service) ?? 0) + value);
      };
      for (const item of left) {
        const strength =
          Math.min(30, -Math.log10(Math.max(item.p, 1e-300))) * Math.abs(item.sum.shift / item.sum.count);
        const callers = isCallersOwn(item, window);
        addWeight(item.facts.service, callers ? strength / 2 : strength);
        addWeight(item.facts.caller, callers ? strength : strength / 2);
      }
      const service = [...weight].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0]![0];
      const explained = left.filter((item) => item.facts.service === service || item.facts.caller === service);
      explained.sort((a, b) => Number(b.facts.service === service) - Number(a.facts.service === service) || a.p - b.p);
      found.push({ service, lead: explained[0]! });
      left = left.filter((item) => !explained.includes(item));
    }
    return found;
  }

  /** Others called the same service in the window, and their ways to it were as usual. */
  function isCallersOwn({ facts, sum: moved }: Moved, window: WindowSums): boolean {
    if (facts.caller === '') return false;
    const most = Math.abs(moved.shift / moved.count) / UNLIKE;
    let usual = false;
    for (const { facts: other, sum } of window.keys.values()) {
      if (other.service !== facts.service || other.caller === '' || other.caller === facts.caller) continue;
      if (sum.count < options.leastExceedances) continue;
      if (Math.abs(sum.shift / sum.count) > most) return false;
      usual = true;
    }
    return usual;
  }

  function incidentOf(
    number: number,
    { service, lead }: { service: string; lead: Moved },
    window: WindowSums,
  ): CollectiveIncident {
    const known = open.get(service);
    const startMs = known?.first ?? onset(number, lead);
    open.set(service, { first: startMs, last: number });
    return {
      cause: 'service',
      service,
      opened: known === undefined,
      startMs,
      endMs: (number + 1) * windowMs,
      p: lead.p,
      shift: lead.sum.shift / lead.sum.count,
      finding: findingOf(service, lead, startMs, (number + 1) * windowMs),
      traceIds: window.traces.get(lead.facts.label) ?? [],
    };
  }

  function loadOf(number: number, moved: readonly Moved[], window: WindowSums): CollectiveIncident {
    const lead = [...moved].sort((a, b) => a.p - b.p)[0]!;
    const known = open.get('');
    const startMs = known?.first ?? onset(number, lead);
    open.set('', { first: startMs, last: number });
    const endMs = (number + 1) * windowMs;
    const services = new Set(moved.map((item) => item.facts.service));
    return {
      cause: 'load',
      service: '',
      opened: known === undefined,
      startMs,
      endMs,
      p: lead.p,
      shift: lead.sum.shift / lead.sum.count,
      finding: {
        ...findingOf('', lead, startMs, endMs),
        operation: 'everything',
        explanationKey: 'load',
        seen: `${moved.length} of ${window.keys.size} timings of ${services.size} services moved at once`,
      },
      traceIds: window.traces.get(lead.facts.label) ?? [],
    };
  }

  /**
   * When it began: what moves at some point of a window and stays so has its exceedances spread evenly from there to the
   * end. Taken a little later than that, since a mean of few is uncertain and evidence should not begin before its cause.
   */
  function onset(number: number, { sum, span }: Moved): number {
    const mean = sum.exceedances > 0 ? sum.exceedanceMs / sum.exceedances : sum.wideMs / sum.wide;
    const endMs = (number + 1) * windowMs;
    return Math.max((number + 1 - span) * windowMs, mean - (endMs - mean) / 2);
  }

  return {
    add,
    judge,
    snapshot: () => ({
      windows: [...windows].map(([number, { keys, traces }]) => [
        number,
        [...keys].map(([id, { facts, sum }]) => [id, facts, sum] as const),
        Object.fromEntries(traces),
      ]),
      judgedTo,
      open: [...open].map(([service, { first, last }]) => [service, first, last] as const),
    }),
  };
}

/** A way is as usual beside one that moved when it moved by less than a quarter of that, in octaves. */
const UNLIKE = 4;
/** Counts looked at: p ≤ 0.01, p ≤ 0.1, above the maximum. */
const STATISTICS = 3;

const emptySum = (): Sum => ({
  count: 0,
  exceedances: 0,
  expected: 0,
  above: 0,
  aboveExpected: 0,
  dispersion: 1,
  wide: 0,
  wideExpected: 0,
  wideDispersion: 1,
  shift: 0,
  exceedanceMs: 0,
  wideMs: 0,
});

function addSum(into: Sum, from: Sum): void {
  into.count += from.count;
  into.exceedances += from.exceedances;
  into.expected += from.expected;
  into.above += from.above;
  into.aboveExpected += from.aboveExpected;
  into.dispersion = Math.max(into.dispersion, from.dispersion);
  into.wide += from.wide;
  into.wideExpected += from.wideExpected;
  into.wideDispersion = Math.max(into.wideDispersion, from.wideDispersion);
  into.shift += from.shift;
  into.exceedanceMs += from.exceedanceMs;
  into.wideMs += from.wideMs;
}

function addKey(window: WindowSums, key: CollectiveKey): void {
  const id = `${key.service}|${key.label}`;
  let known = window.keys.get(id);
  if (known === undefined) {
    known = { facts: { service: key.service, caller: key.caller ?? '', label: key.label }, sum: emptySum() };
    window.keys.set(id, known);
  }
  addSum(known.sum, {
    count: key.count,
    exceedances: key.exceedances,
    expected: key.expected,
    above: key.aboveMaximum,
    aboveExpected: key.aboveExpected ?? 0.001 * key.count,
    dispersion: key.dispersion ?? 1,
    wide: key.wide ?? key.exceedances,
    wideExpected: key.wideExpected ?? 0.1 * key.count,
    wideDispersion: key.wideDispersion ?? key.dispersion ?? 1,
    shift: key.shift * key.count,
    exceedanceMs: (key.exceedanceMs ?? 0) * key.exceedances,
    wideMs: (key.wideMs ?? key.exceedanceMs ?? 0) * (key.wide ?? key.exceedances),
  });
}

/** The operation of a label's text (`service kind operation`, traces/symbols.ts). */
const operationOf = (label: string): string => label.split(' ').slice(2).join(' ') || label;

function findingOf(service: string, { facts, p, sum, span, wide }: Moved, startMs: number, endMs: number): Finding {
  const octaves = sum.shift / sum.count;
  const factor = 2 ** Math.abs(octaves);
  return {
    kind: 'collective',
    group: 'timing',
    hard: false,
    evidence: 'presence',
    explanationKey: service,
    service,
    operation: operationOf(facts.label),
    spanId: '',
    parameter: '',
    expected: wide
      ? `about ${sum.wideExpected.toFixed(1)} of ${grouped(sum.count)} beyond the usual 90 %`
      : `about ${sum.expected.toFixed(1)} of ${grouped(sum.count)} beyond the usual 99 %`,
    seen:
      `${grouped(wide ? sum.wide : sum.exceedances)} of ${grouped(sum.count)} in ${span === 1 ? 'one window' : `${span} windows`}, ` +
      `typically ${factor.toFixed(1)}× ${octaves < 0 ? 'shorter' : 'longer'}`,
    support: sum.count,
    severity: Math.abs(octaves),
    p,
    share: 1,
    candidate: false,
    startMs,
    endMs,
  };
}
