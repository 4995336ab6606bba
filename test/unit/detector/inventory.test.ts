import { beforeEach, describe, expect, it } from 'vitest';
import { createInventoryWriter, type InventoryWriter } from '../../../detector/inventory.ts';
import type { CallCount, InventoryRows } from '../../../schemas/clickhouse/inventory-row.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { DAY, verdictOf } from '../responder/verdicts.ts';
import { segmentOf } from '../traces/segments.ts';

const symbols = createSymbols({ maxTexts: 1_000, maxLabels: 1_000 });
const HOUR = Math.floor(DAY / 3_600_000) * 3_600_000;
const tree = (operation: string, outcome: 'ok' | 'error' = 'ok') => ({
  service: 'gateway',
  operation,
  children: [{ service: 'catalog', operation: 'GET /items', outcome }],
});

let nowMs = DAY;
let stored: InventoryRows[] = [];
let counted: CallCount[] = [];
let away = false;
let inventory: InventoryWriter;

beforeEach(() => {
  nowMs = DAY;
  stored = [];
  counted = [];
  away = false;
  inventory = create();
});

const create = (): InventoryWriter =>
  createInventoryWriter(
    {
      async upsertInventory(rows) {
        if (away) throw new Error('away');
        stored.push(rows);
      },
      callCounts: async (partition, hourMs) =>
        counted.filter((count) => count.partition === partition && count.hourMs === hourMs),
    },
    { now: () => nowMs },
  );

const see = (operation: string, isCounted = true, outcome: 'ok' | 'error' = 'ok'): void =>
  inventory.see(segmentOf(symbols, tree(operation, outcome), { startMs: DAY }), verdictOf({}), isCounted);

const callsOf = (rows: InventoryRows | undefined) =>
  rows?.calls.map(({ callerService, service, operation, calls, errors }) => [
    `${callerService}→${service} ${operation}`,
    calls,
    errors,
  ]);

describe('the inventory', () => {
  it('writes what is new at once, with who called it and whether it is exposed', async () => {
    see('GET /search');
    await inventory.flush();
    expect(
      stored[0]!.operations.map(({ service, operation, callers, exposed }) => [service, operation, callers, exposed]),
    ).toEqual([
      ['gateway', 'GET /search', [''], true],
      ['catalog', 'GET /items', ['gateway'], false],
    ]);
    expect(callsOf(stored[0])).toEqual([
      ['→gateway GET /search', 1, 0],
      ['gateway→catalog GET /items', 1, 0],
    ]);
    expect(stored[0]!.calls[0]!.hourMs).toBe(HOUR);
  });

  it('writes counts of known calls every ten seconds, as totals of the hour', async () => {
    see('GET /search');
    await inventory.flush();
    see('GET /search', true, 'error');
    await inventory.flush();
    expect(stored).toHaveLength(1);
    nowMs += 10_000;
    await inventory.flush();
    expect(callsOf(stored[1])).toEqual([
      ['→gateway GET /search', 2, 0],
      ['gateway→catalog GET /items', 2, 1],
    ]);
    nowMs += 10_000;
    await inventory.flush();
    expect(stored).toHaveLength(2); // nothing changed
  });

  it('goes on from what an earlier owner counted in the hour, and counts a replay only once', async () => {
    see('GET /search');
    await inventory.flush();
    counted = [...stored[0]!.calls];
    inventory = create(); // a restart
    see('GET /search', false);
    see('GET /search');
    await inventory.flush();
    expect(callsOf(stored.at(-1))).toEqual([
      ['→gateway GET /search', 2, 0],
      ['gateway→catalog GET /items', 2, 0],
    ]);
  });

  it('still has what could not be written, and forgets what is read again', async () => {
    see('GET /search');
    away = true;
    await expect(inventory.flush()).rejects.toThrow('away');
    away = false;
    await inventory.flush();
    expect(callsOf(stored[0])?.[0]).toEqual(['→gateway GET /search', 1, 0]);
    counted = [...stored[0]!.calls];
    see('GET /search');
    inventory.drop(0);
    see('GET /search');
    await inventory.flush();
    expect(callsOf(stored.at(-1))?.[0]).toEqual(['→gateway GET /search', 2, 0]);
  });
});
