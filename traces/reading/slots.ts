/** The attributes of one span that matter, as ranges and numbers; reused from span to span by a growing stamp. */
import { AnyValueField } from '../../schemas/otlp/fields.ts';
import type { KeyValueView } from '../../schemas/otlp/read-attributes.ts';
import { ATTRIBUTE_COUNT, type Attribute } from './keys.ts';

export interface AttributeSlots {
  bytes: Uint8Array;
  /** A slot is set when its stamp is this span's. */
  stamp: number;
  readonly stamps: Int32Array;
  readonly ranks: Uint8Array;
  /** AnyValue field number. */
  readonly types: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly numbers: Float64Array;
}

export const createSlots = (): AttributeSlots => ({
  bytes: new Uint8Array(0),
  stamp: 0,
  stamps: new Int32Array(ATTRIBUTE_COUNT),
  ranks: new Uint8Array(ATTRIBUTE_COUNT),
  types: new Uint8Array(ATTRIBUTE_COUNT),
  starts: new Int32Array(ATTRIBUTE_COUNT),
  ends: new Int32Array(ATTRIBUTE_COUNT),
  numbers: new Float64Array(ATTRIBUTE_COUNT),
});

/** Empties the slots for the next message, whose values lie in `bytes`. */
export function clearSlots(slots: AttributeSlots, bytes: Uint8Array): void {
  slots.bytes = bytes;
  if (++slots.stamp > 0x3fff_ffff) {
    slots.stamps.fill(0);
    slots.stamp = 1;
  }
}

/** Takes a value unless the slot holds one of the same or a newer name. */
export function setSlot(slots: AttributeSlots, slot: number, rank: number, view: KeyValueView): void {
  if (slots.stamps[slot] === slots.stamp && slots.ranks[slot]! >= rank) return;
  slots.stamps[slot] = slots.stamp;
  slots.ranks[slot] = rank;
  slots.types[slot] = view.type;
  slots.starts[slot] = view.valueStart;
  slots.ends[slot] = view.valueEnd;
  slots.numbers[slot] = view.number;
}

/** Set to a non-empty string. */
export const hasText = (slots: AttributeSlots, slot: Attribute): boolean =>
  slots.stamps[slot] === slots.stamp &&
  slots.types[slot] === AnyValueField.string &&
  slots.ends[slot]! > slots.starts[slot]!;

export const hasValue = (slots: AttributeSlots, slot: Attribute): boolean => slots.stamps[slot] === slots.stamp;

/** An integer from a number or from decimal text; −1 when there is none. */
export function numberIn(slots: AttributeSlots, slot: Attribute): number {
  if (slots.stamps[slot] !== slots.stamp) return -1;
  const type = slots.types[slot];
  if (type === AnyValueField.int || type === AnyValueField.double) {
    const value = slots.numbers[slot]!;
    return value >= 0 ? Math.floor(value) : -1;
  }
  if (type !== AnyValueField.string) return -1;
  const end = slots.ends[slot]!;
  let value = 0;
  let at = slots.starts[slot]!;
  if (at >= end || end - at > 15) return -1;
  for (; at < end; at++) {
    const digit = slots.bytes[at]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** A boolean, also written as text. */
export const isTrue = (slots: AttributeSlots, slot: Attribute): boolean =>
  slots.stamps[slot] === slots.stamp &&
  (slots.types[slot] === AnyValueField.bool
    ? slots.numbers[slot] !== 0
    : slots.types[slot] === AnyValueField.string && slots.bytes[slots.starts[slot]!] === 0x74);
