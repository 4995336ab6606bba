/**
 * The inventory as the detector sees it: which operations exist, who calls them, how often. Counts are totals of an hour and
 * partition that go on from what is stored, so writing them again changes nothing; a known call costs one map look-up. What
 * is new is written before its offset is committed; counts follow every ten seconds, and a crash may cost these.
 */
import type { CallCount, InventoryRows } from '../schemas/clickhouse/inventory-row.ts';
import type { Verdict } from '../schemas/log/verdict.ts';
import { SpanKind } from '../schemas/otlp/fields.ts';
import { Outcome, type Segment, type Symbols } from '../traces/segment.ts';

export interface InventoryStore {
  upsertInventory(rows: InventoryRows): Promise<void>;
  /** Counts of the hour that holds `hourMs`, as an earlier owner of the partition left them. */
  callCounts(partition: number, hourMs: number): Promise<readonly CallCount[]>;
}

export interface InventoryWriter {
  /** Facts of the segment just judged; `counted` is false when a former owner counted its calls. */
  see(segment: Segment, verdict: Verdict, counted: boolean): void;
  /** Writes what is new, and counts when they are due; what could not be written is still there for the next call. */
  flush(): Promise<void>;
  /** The partition was taken away, or is read again: what was not written yet is forgotten. */
  drop(partition: number): void;
}

interface Call {
  readonly caller: number;
  readonly label: number;
  firstMs: number;
  lastMs: number;
  calls: number;
  errors: number;
  readonly versions: Set<number>;
  changed: boolean;
}

interface Hour {
  readonly partition: number;
  readonly hourMs: number;
  readonly calls: Map<number, Call>;
  /** What was stored before this process counted; undefined until it was asked for. */
  before: ReadonlyMap<string, CallCount> | undefined;
  /** A call of it was never written. */
  fresh: boolean;
}

const HOUR_MS = 3_600_000;
const COUNTS_EVERY_MS = 10_000;
const KIND_NAMES = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
/** Calls of one hour and partition kept; a hostile sender cannot grow it. */
const MAX_CALLS = 100_000;
const MAX_VERSIONS = 20;
/** Label ids are below 2²¹ by configuration's bound, so a pair fits a double exactly. */
const LABELS = 2 ** 24;

export function createInventoryWriter(store: InventoryStore, deps: { readonly now: () => number }): InventoryWriter {
  const hours = new Map<string, Hour>();
  let symbols: Symbols | undefined;
  let countsMs = deps.now();

  function hourOf(partition: number, hourMs: number): Hour {
    const key = `${partition}:${hourMs}`;
    let hour = hours.get(key);
    if (hour === undefined) {
      hour = { partition, hourMs, calls: new Map(), before: undefined, fresh: true };
      hours.set(key, hour);
    }
    return hour;
  }

  function see(segment: Segment, verdict: Verdict, counted: boolean): void {
    symbols = segment.symbols;
    const hour = hourOf(verdict.partition, Math.floor(verdict.appendMs / HOUR_MS) * HOUR_MS);
    const { calls } = hour;
    const { label, parent, outcome, startNs, startMs, spanCount, serviceVersion } = segment;
    for (let i = 0; i < spanCount; i++) {
      const caller = i === 0 ? 0 : label[parent[i]!]!;
      const key = caller * LABELS + label[i]!;
      const atMs = startMs + startNs[i]! / 1e6;
      let call = calls.get(key);
      if (call === undefined) {
        if (calls.size >= MAX_CALLS) continue;
        call = {
          caller,
          label: label[i]!,
          firstMs: atMs,
          lastMs: atMs,
          calls: 0,
          errors: 0,
          versions: new Set(),
          changed: true,
        };
        calls.set(key, call);
        hour.fresh = true;
      }
      if (counted) {
        call.calls++;
        if (outcome[i] === Outcome.error) call.errors++;
      }
      if (atMs < call.firstMs) call.firstMs = atMs;
      if (atMs > call.lastMs) call.lastMs = atMs;
      if (i === 0 && serviceVersion !== 0 && call.versions.size < MAX_VERSIONS) call.versions.add(serviceVersion);
      call.changed = true;
    }
  }

  async function flush(): Promise<void> {
    const due = deps.now() - countsMs >= COUNTS_EVERY_MS;
    const chosen = [...hours.values()].filter((hour) => due || hour.fresh);
    if (chosen.length === 0 || symbols === undefined) return;
    for (const hour of chosen) await write(hour, symbols);
    if (!due) return;
    countsMs = deps.now();
    const newest = Math.max(...[...hours.values()].map(({ hourMs }) => hourMs));
    for (const [key, { hourMs }] of hours) if (hourMs < newest - HOUR_MS) hours.delete(key);
  }

  async function write(hour: Hour, names: Symbols): Promise<void> {
    hour.before ??= new Map(
      (await store.callCounts(hour.partition, hour.hourMs)).map((count) => [keyOf(count), count]),
    );
    const changed = [...hour.calls.values()].filter((call) => call.changed);
    if (changed.length === 0) return;
    const { fresh } = hour;
    for (const call of changed) call.changed = false;
    hour.fresh = false;
    try {
      await store.upsertInventory(toRows(hour, changed, names));
    } catch (error) {
      for (const call of changed) call.changed = true;
      hour.fresh ||= fresh;
      throw error;
    }
  }

  function drop(partition: number): void {
    for (const [key, hour] of hours) if (hour.partition === partition) hours.delete(key);
  }

  return { see, flush, drop };
}

const keyOf = (count: Omit<CallCount, 'calls' | 'errors' | 'hourMs' | 'partition'>): string =>
  [count.callerService, count.callerOperation, count.service, count.kind, count.operation].join('\u0000');

function toRows(hour: Hour, calls: readonly Call[], symbols: Symbols): InventoryRows {
  const nameOf = (label: number) => {
    if (label === 0) return { service: '', kind: '', operation: '' };
    const { service, kind, operation } = symbols.labelOf(label);
    return {
      service: symbols.text(service),
      kind: KIND_NAMES[kind] ?? 'Unspecified',
      operation: symbols.text(operation),
    };
  };
  const named = calls.map((call) => ({ call, from: nameOf(call.caller), to: nameOf(call.label) }));
  return {
    operations: named.map(({ call, from, to }) => ({
      ...to,
      firstMs: call.firstMs,
      lastMs: call.lastMs,
      callers: [from.service],
      exposed: call.caller === 0 && symbols.labelOf(call.label).kind === SpanKind.server,
      versions: [...call.versions].map((version) => symbols.text(version)),
    })),
    edges: named.map(({ call, from, to }) => ({
      callerService: from.service,
      callerOperation: from.operation,
      service: to.service,
      operation: to.operation,
      firstMs: call.firstMs,
      lastMs: call.lastMs,
    })),
    calls: named.map(({ call, from, to }) => {
      const key = { callerService: from.service, callerOperation: from.operation, ...to };
      const before = hour.before?.get(keyOf(key));
      return {
        hourMs: hour.hourMs,
        partition: hour.partition,
        ...key,
        calls: call.calls + (before?.calls ?? 0),
        errors: call.errors + (before?.errors ?? 0),
      };
    }),
  };
}
