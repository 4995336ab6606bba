/** Ids, times and numbers of other formats as OTLP has them. Unknown is undefined, never zero. */

/** Lowercase hex of `digits` length, padded on the left (a 64-bit trace id is the lower half); undefined = no valid id. */
export function hexId(value: unknown, digits: 16 | 32): string | undefined {
  if (typeof value !== 'string' || value.length === 0 || !/^[0-9a-f]+$/i.test(value)) return undefined;
  const id = value.toLowerCase().padStart(digits, '0');
  // some write a 64-bit id with more leading zeros than it needs
  const cut = id.slice(id.length - digits);
  if (!/^0*$/.test(id.slice(0, id.length - digits)) || /^0+$/.test(cut)) return undefined;
  return cut;
}

const LAST_NS = 2n ** 64n;

/** Microseconds (a number, with a fraction too, or its digits) as whole nanoseconds; undefined when it is no time. */
export function microsToNanos(value: unknown): bigint | undefined {
  let nanos: bigint;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return undefined;
    const whole = Math.floor(value);
    nanos = BigInt(whole) * 1000n + BigInt(Math.round((value - whole) * 1000));
  } else if (typeof value === 'string' && /^\d{1,20}$/.test(value)) nanos = BigInt(value) * 1000n;
  else return undefined;
  return nanos < 0n || nanos >= LAST_NS ? undefined : nanos;
}

/** The same for a point in time: nothing happened at 0, which other formats write for "unknown". */
export function microsToTime(value: unknown): bigint | undefined {
  const nanos = microsToNanos(value);
  return nanos === 0n ? undefined : nanos;
}

/** End of a span; undefined when its start or duration is unknown or it lies past 2554. */
export function endOf(start: bigint | undefined, duration: bigint | undefined): bigint | undefined {
  if (start === undefined || duration === undefined) return undefined;
  const end = start + duration;
  return end >= LAST_NS ? undefined : end;
}

/** Decimal digits of an integer in [−2⁶³, 2⁶³); undefined when it is none. */
export function integerText(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return undefined;
  const integer = BigInt(value);
  return BigInt.asIntN(64, integer) === integer ? integer.toString() : undefined;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A list that may be missing or null; undefined = it is something else. */
export const listOf = (value: unknown): readonly unknown[] | undefined =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : undefined;

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
