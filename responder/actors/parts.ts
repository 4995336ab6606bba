/**
 * A snapshot in parts, taken while events go on: `begin` says what the moment is, what is written after it is copied first, and
 * the rest is copied piece by piece. Nothing takes longer than some milliseconds at a time.
 */

/** `bytes` null: as it was kept last under this name. */
export interface Part {
  readonly name: string;
  readonly bytes: Uint8Array | null;
}

export interface PartSource {
  /** The moment; what it gives is JSON and small. */
  begin(): unknown;
  rest(): Iterable<Part>;
  /** What was kept is lost: everything is to be told again. */
  forget(): void;
  restoreMeta(meta: unknown): void;
  /** A part named as one that `rest` gave. */
  restore(name: string, bytes: Uint8Array): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const jsonBytes = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));
export const fromJsonBytes = (bytes: Uint8Array): unknown => JSON.parse(decoder.decode(bytes));

/** Typed arrays of fixed length that are copied whole: some megabytes. */
export function arraySource(
  name: string,
  arrays: Readonly<Record<string, Uint32Array | Uint16Array | Uint8Array | Float64Array | Float32Array>>,
): PartSource {
  const bytesOf = (array: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let copies: Part[] = [];
  return {
    begin() {
      copies = Object.entries(arrays).map(([key, array]) => ({
        name: `${name}/${key}`,
        bytes: bytesOf(array).slice(),
      }));
      return null;
    },
    *rest() {
      yield* copies;
      copies = [];
    },
    forget() {},
    restoreMeta() {},
    restore(partName, bytes) {
      const array = arrays[partName.slice(name.length + 1)];
      if (array === undefined || array.byteLength !== bytes.length) return; // of another size since: learned again
      bytesOf(array).set(bytes);
    },
  };
}
