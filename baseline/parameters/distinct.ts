/** HyperLogLog over 256 registers (Flajolet 2007): distinct clients of a parameter, ± 6.5 %; merges exactly by maximum. */
import { avalanche } from './hash.ts';

const REGISTERS = 256;

export const createDistinct = (): Uint8Array => new Uint8Array(REGISTERS);

export const addDistinct = (registers: Uint8Array, value: number): void => {
  const hash = avalanche(value ^ 0x2545f491);
  const rank = Math.clz32(hash << 8) + 1;
  const at = hash >>> 24;
  // 24 bits remain after the register index.
  const capped = Math.min(rank, 25);
  if (registers[at]! < capped) registers[at] = capped;
};

export const mergeDistinct = (into: Uint8Array, from: Uint8Array): void => {
  for (let i = 0; i < REGISTERS; i++) if (from[i]! > into[i]!) into[i] = from[i]!;
};

export const estimateDistinct = (registers: Uint8Array): number => {
  let sum = 0;
  let empty = 0;
  for (let i = 0; i < REGISTERS; i++) {
    sum += 2 ** -registers[i]!;
    if (registers[i] === 0) empty++;
  }
  const raw = ((0.7213 / (1 + 1.079 / REGISTERS)) * REGISTERS * REGISTERS) / sum;
  return Math.round(raw <= 2.5 * REGISTERS && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : raw);
};
