/**
 * Writes protobuf from a message's end to its start: when a message's tag and length are due, its length is known, so
 * nothing is measured twice and no intermediate buffers are made. Fields appear in the reverse of the order of the calls.
 */
import { WireType } from './cursor.ts';

export class BackwardWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  /** Everything from here to the end is written. */
  #free: number;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
    this.#free = capacity;
  }

  /** Bytes written so far: take it before a message's fields, give it to `message` after them; `rewind` to it undoes. */
  get length(): number {
    return this.#bytes.length - this.#free;
  }

  rewind(length: number): void {
    this.#free = this.#bytes.length - length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#free);
  }

  #room(count: number): void {
    if (this.#free >= count) return;
    const written = this.length;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, written + count + 1024));
    larger.set(this.#bytes.subarray(this.#free), larger.length - written);
    this.#bytes = larger;
    this.#free = larger.length - written;
  }

  #varint(value: number): void {
    this.#room(5);
    const bytes = this.#bytes;
    if (value < 0x80) {
      bytes[--this.#free] = value;
      return;
    }
    const size = value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
    let at = this.#free - size;
    this.#free = at;
    let rest = value;
    for (let i = 1; i < size; i++) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at] = rest;
  }

  /** Tag and length of what was written since `length` was `from`. */
  message(field: number, from: number): void {
    this.#varint(this.length - from);
    this.#varint((field << 3) | WireType.bytes);
  }

  uint32(field: number, value: number): void {
    this.#varint(value >>> 0);
    this.#varint((field << 3) | WireType.varint);
  }

  /** A 64-bit varint from two unsigned halves. */
  varint64(field: number, high: number, low: number): void {
    if (high === 0) {
      this.uint32(field, low);
      return;
    }
    this.#room(15);
    let size = 5; // the first 28 + 4 low bits, then the rest of the high half
    for (let rest = high >>> 3; rest !== 0; rest >>>= 7) size++;
    let at = this.#free - size;
    this.#free = at;
    let lowRest = low;
    let highRest = high;
    for (let i = 1; i < size; i++) {
      this.#bytes[at++] = (lowRest & 0x7f) | 0x80;
      lowRest = ((lowRest >>> 7) | ((highRest & 0x7f) << 25)) >>> 0;
      highRest >>>= 7;
    }
    this.#bytes[at] = lowRest;
    this.#varint((field << 3) | WireType.varint);
  }

  fixed64(field: number, high: number, low: number): void {
    this.#fixed32(high);
    this.#fixed32(low);
    this.#varint((field << 3) | WireType.fixed64);
  }

  fixed32(field: number, value: number): void {
    this.#fixed32(value);
    this.#varint((field << 3) | WireType.fixed32);
  }

  #fixed32(value: number): void {
    this.#room(4);
    this.#free -= 4;
    const bytes = this.#bytes;
    const at = this.#free;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }

  double(field: number, value: number): void {
    scratch.setFloat64(0, value);
    this.fixed64(field, scratch.getUint32(0), scratch.getUint32(4));
  }

  text(field: number, value: string): void {
    const length = value.length;
    if (length > 48 || !this.#ascii(value)) {
      const size = Buffer.byteLength(value);
      this.#room(size);
      this.#free -= size;
      Buffer.from(this.#bytes.buffer, this.#free, size).write(value);
      this.#varint(size);
    } else this.#varint(length);
    this.#varint((field << 3) | WireType.bytes);
  }

  /** Short texts are nearly always ASCII: a loop beats the native call. False = it is not, nothing was written. */
  #ascii(value: string): boolean {
    const { length } = value;
    this.#room(length);
    const at = this.#free - length;
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[at + i] = code;
    }
    this.#free = at;
    return true;
  }

  raw(field: number, value: Uint8Array): void {
    this.#room(value.length);
    this.#free -= value.length;
    this.#bytes.set(value, this.#free);
    this.message(field, this.length - value.length);
  }

  /** An id from hex of any case; false (and nothing written) when it is not exactly `size` bytes of hex, or zero. */
  hex(field: number, value: unknown, size: number): boolean {
    if (typeof value !== 'string' || value.length !== size * 2) return false;
    this.#room(size);
    const at = this.#free - size;
    let any = 0;
    for (let i = 0; i < size; i++) {
      const byte = (NIBBLES[value.charCodeAt(2 * i) & 0xff]! << 4) | NIBBLES[value.charCodeAt(2 * i + 1) & 0xff]!;
      if (byte < 0 || value.charCodeAt(2 * i) > 0x7f || value.charCodeAt(2 * i + 1) > 0x7f) return false;
      any |= byte;
      this.#bytes[at + i] = byte;
    }
    if (any === 0) return false;
    this.#free = at;
    this.message(field, this.length - size);
    return true;
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** Value of a hex digit by character code; −1 = none (and stays negative when combined). */
const NIBBLES = new Int8Array(256).fill(-1);
for (let i = 0; i < 16; i++) {
  NIBBLES['0123456789abcdef'.charCodeAt(i)] = i;
  NIBBLES['0123456789ABCDEF'.charCodeAt(i)] = i;
}
