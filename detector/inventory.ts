/**
 * The inventory as the detector sees it: which operations exist, who calls them, how often. Counts are totals of an hour and
 * partition, so writing them again changes nothing; a known call costs one map look-up.
 */
import type { InventoryRows } from '../schemas/clickhouse/inventory-row.ts';
import type { Verdict } from '../schemas/log/verdict.ts';
import { SpanKind } from '../schemas/otlp/fields.ts';
import { Outcome, type Segment, type Symbols } from '../traces/segment.ts';

export interface InventoryStore {
  upsertInventory(rows: InventoryRows): Promise<void>;
}

export interface InventoryWriter {
  see(segment: Segment, verdict: Verdict): void;
  /** Writes what changed since the last time; what could not be written is still there for the next call. */
  flush(): Promise<void>;
}

interface Call {
  readonly partition: number;
  readonly hourMs: number;
  readonly caller: number;
  readonly label: number;
  firstMs: number;
  lastMs: number;
  calls: number;
  errors: number;
  readonly versions: Set<number>;
  changed: boolean;
}

const HOUR_MS = 3_600_000;
const KIND_NAMES = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
/** Calls of one hour and partition kept; a hostile sender cannot grow it. */
const MAX_CALLS = 100_000;
const MAX_VERSIONS = 20;
/** Label ids are below 2²¹ by configuration's bound, so a pair fits a double exactly. */
const LABELS = 2 ** 24;

export function createInventoryWriter(store: InventoryStore): InventoryWriter {
  const hours = new Map<string, Map<number, Call>>();
  let symbols: Symbols | undefined;

  function callsOf(partition: number, hourMs: number): Map<number, Call> {
    const key = `${partition}:${hourMs}`;
    let calls = hours.get(key);
    if (calls === undefined) {
      calls = new Map();
      hours.set(key, calls);
    }
    return calls;
  }

  function see(segment: Segment, verdict: Verdict): void {
    symbols = segment.symbols;
    const hourMs = Math.floor(verdict.appendMs / HOUR_MS) * HOUR_MS;
    const calls = callsOf(verdict.partition, hourMs);
    const { label, parent, outcome, startNs, startMs, spanCount, serviceVersion } = segment;
    for (let i = 0; i < spanCount; i++) {
      const caller = i === 0 ? 0 : label[parent[i]!]!;
      const key = caller * LABELS + label[i]!;
      let call = calls.get(key);
      const atMs = startMs + startNs[i]! / 1e6;
      if (call === undefined) {
        if (calls.size >= MAX_CALLS) continue;
        call = {
          partition: verdict.partition,
          hourMs,
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
      }
      call.calls++;
      if (outcome[i] === Outcome.error) call.errors++;
      if (atMs < call.firstMs) call.firstMs = atMs;
      if (atMs > call.lastMs) call.lastMs = atMs;
      if (i === 0 && serviceVersion !== 0 && call.versions.size < MAX_VERSIONS) call.versions.add(serviceVersion);
      call.changed = true;
    }
  }

  async function flush(): Promise<void> {
    const changed = [...hours.values()].flatMap((calls) => [...calls.values()].filter((call) => call.changed));
    if (changed.length === 0 || symbols === undefined) return;
    for (const call of changed) call.changed = false;
    try {
      await store.upsertInventory(toRows(changed, symbols));
    } catch (error) {
      for (const call of changed) call.changed = true;
      throw error;
    }
    const newest = Math.max(...changed.map(({ hourMs }) => hourMs));
    for (const [key, calls] of hours) {
      const [first] = calls.values();
      if (first === undefined || first.hourMs < newest - HOUR_MS) hours.delete(key);
    }
  }

  return { see, flush };
}

function toRows(calls: readonly Call[], symbols: Symbols): InventoryRows {
  const nameOf = (label: number) => {
    if (label === 0) return { service: '', kind: '', operation: '' };
    const { service, kind, operation } = symbols.labelOf(label);
    return {
      service: symbols.text(service),
      kind: KIND_NAMES[kind] ?? 'Unspecified',
      operation: symbols.text(operation),
    };
  };
  return {
    operations: calls.map(({ label, caller, firstMs, lastMs, versions }) => ({
      ...nameOf(label),
      firstMs,
      lastMs,
      callers: [nameOf(caller).service],
      exposed: caller === 0 && symbols.labelOf(label).kind === SpanKind.server,
      versions: [...versions].map((version) => symbols.text(version)),
    })),
    edges: calls.map(({ label, caller, firstMs, lastMs }) => {
      const from = nameOf(caller);
      const { service, operation } = nameOf(label);
      return { callerService: from.service, callerOperation: from.operation, service, operation, firstMs, lastMs };
    }),
    calls: calls.map(({ label, caller, hourMs, partition, calls: count, errors }) => {
      const from = nameOf(caller);
      return {
        hourMs,
        partition,
        callerService: from.service,
        callerOperation: from.operation,
        ...nameOf(label),
        calls: count,
        errors,
      };
    }),
  };
}
