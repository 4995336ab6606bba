/** Open-addressing table from (parent label, label and outcome) to a key's index: no strings, no objects a lookup. */

export interface KeyTable {
  size: number;
  mask: number;
  parents: Int32Array;
  labels: Int32Array;
  /** Index + 1; 0 = free. */
  slots: Int32Array;
}

export const createKeyTable = (capacity = 64): KeyTable => {
  let slots = 64;
  while (slots < 2 * capacity) slots *= 2;
  return {
    size: 0,
    mask: slots - 1,
    parents: new Int32Array(slots),
    labels: new Int32Array(slots),
    slots: new Int32Array(slots),
  };
};

const place = (parent: number, label: number): number => {
  const h = Math.imul(parent, 0x9e3779b1) ^ Math.imul(label + 0x7f4a7c15, 0x85ebca6b);
  return (h ^ (h >>> 15)) | 0;
};

/** Index of a key, −1 when absent. `label` is label · 4 + outcome. */
export function findKey(table: KeyTable, parent: number, label: number): number {
  const { mask, parents, labels, slots } = table;
  let i = place(parent, label) & mask;
  for (;;) {
    const slot = slots[i]!;
    if (slot === 0) return -1;
    if (parents[i] === parent && labels[i] === label) return slot - 1;
    i = (i + 1) & mask;
  }
}

export function putKey(table: KeyTable, parent: number, label: number, index: number): void {
  if (2 * (table.size + 1) > table.slots.length) grow(table);
  const { mask, parents, labels, slots } = table;
  let i = place(parent, label) & mask;
  while (slots[i] !== 0) i = (i + 1) & mask;
  parents[i] = parent;
  labels[i] = label;
  slots[i] = index + 1;
  table.size++;
}

function grow(table: KeyTable): void {
  const { parents, labels, slots } = table;
  const wider = createKeyTable(slots.length);
  for (let i = 0; i < slots.length; i++) if (slots[i] !== 0) putKey(wider, parents[i]!, labels[i]!, slots[i]! - 1);
  Object.assign(table, wider);
}
