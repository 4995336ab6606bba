/**
 * 53-bit number → small integer by open addressing: a Map with such keys allocates a heap number an insertion and hashes
 * slower. Nothing is ever removed.
 */

export interface NumberTable {
  size: number;
  mask: number;
  keys: Float64Array;
  /** −1 where the slot is free. */
  values: Int32Array;
}

export function createNumberTable(expected = 64): NumberTable {
  let capacity = 16;
  while (capacity < expected * 2) capacity *= 2;
  return { size: 0, mask: capacity - 1, keys: new Float64Array(capacity), values: new Int32Array(capacity).fill(-1) };
}

/** The value of `key`, −1 when absent. */
export function lookUp(table: NumberTable, key: number): number {
  const { keys, values, mask } = table;
  let slot = (key | 0) & mask;
  for (;;) {
    const value = values[slot]!;
    if (value < 0 || keys[slot] === key) return value;
    slot = (slot + 1) & mask;
  }
}

/** Adds a key that is not there; `value` ≥ 0. */
export function insert(table: NumberTable, key: number, value: number): void {
  if ((table.size + 1) * 2 > table.mask + 1) grow(table);
  put(table, key, value);
  table.size++;
}

function put(table: NumberTable, key: number, value: number): void {
  const { keys, values, mask } = table;
  let slot = (key | 0) & mask;
  while (values[slot]! >= 0) slot = (slot + 1) & mask;
  keys[slot] = key;
  values[slot] = value;
}

function grow(table: NumberTable): void {
  const { keys, values } = table;
  const capacity = (table.mask + 1) * 2;
  table.mask = capacity - 1;
  table.keys = new Float64Array(capacity);
  table.values = new Int32Array(capacity).fill(-1);
  for (let slot = 0; slot < keys.length; slot++) if (values[slot]! >= 0) put(table, keys[slot]!, values[slot]!);
}

export function clearTable(table: NumberTable): void {
  table.values.fill(-1);
  table.size = 0;
}
