/**
 * Reads the head of a span message (and events and links) into reused objects: positions and numbers only, nothing is
 * allocated. Attributes, events and links stay bytes and are walked with `nextField` (cursor.ts).
 */
import { createCursor, readLength, readVarint, resetCursor, skipField, uint32At, WireType } from './cursor.ts';
import { EventField, LinkField, SpanField, StatusField } from './fields.ts';

/** Ranges are byte offsets into `bytes`, end exclusive; an absent text is an empty range. Times: unsigned 64-bit nanoseconds. */
export interface SpanHead {
  bytes: Uint8Array;
  /** The span message itself. */
  start: number;
  end: number;
  /** 16 bytes, not all zero. */
  traceIdStart: number;
  spanIdHigh: number;
  spanIdLow: number;
  /** Both halves 0 = no parent. */
  parentHigh: number;
  parentLow: number;
  nameStart: number;
  nameEnd: number;
  /** 0…5; an unknown kind reads as 0. */
  kind: number;
  startHigh: number;
  startLow: number;
  endHigh: number;
  endLow: number;
  /** False when the message has no flags field: then nothing is known about the parent's remoteness. */
  hasFlags: boolean;
  flags: number;
  traceStateStart: number;
  traceStateEnd: number;
  /** 0 unset, 1 ok, 2 error. */
  statusCode: number;
  statusMessageStart: number;
  statusMessageEnd: number;
  /** Where the first one's tag lies: `resetCursor(cursor, bytes, first…, end)` then `nextField`. `end` when there is none. */
  attributeCount: number;
  firstAttribute: number;
  eventCount: number;
  firstEvent: number;
  linkCount: number;
  firstLink: number;
}

export const createSpanHead = (): SpanHead => ({
  bytes: new Uint8Array(0),
  start: 0,
  end: 0,
  traceIdStart: 0,
  spanIdHigh: 0,
  spanIdLow: 0,
  parentHigh: 0,
  parentLow: 0,
  nameStart: 0,
  nameEnd: 0,
  kind: 0,
  startHigh: 0,
  startLow: 0,
  endHigh: 0,
  endLow: 0,
  hasFlags: false,
  flags: 0,
  traceStateStart: 0,
  traceStateEnd: 0,
  statusCode: 0,
  statusMessageStart: 0,
  statusMessageEnd: 0,
  attributeCount: 0,
  firstAttribute: 0,
  eventCount: 0,
  firstEvent: 0,
  linkCount: 0,
  firstLink: 0,
});

/** Value of an unsigned 64-bit pair as a number; nanoseconds of today lose their last eight bits (≤ 256 ns). */
export const pairToNumber = (high: number, low: number): number => high * 4294967296 + low;

/** Unix milliseconds of a nanosecond pair, with a fraction exact to about a microsecond. */
export function pairToMs(high: number, low: number): number {
  // Whole milliseconds first (2³² = 4294·10⁶ + 967296), so that the float's 53 bits are not spent on nanoseconds.
  const remainderNs = ((high % 1e6) * 967296 + low) % 1e6;
  return Math.round(high * 4294.967296 + (low - remainderNs) / 1e6) + remainderNs / 1e6;
}

/** Nanoseconds from the first pair to the second, exact when they lie within 104 days of each other. */
export const pairDifference = (fromHigh: number, fromLow: number, toHigh: number, toLow: number): number =>
  (toHigh - fromHigh) * 4294967296 + (toLow - fromLow);

const cursor = createCursor(new Uint8Array(0));
const inner = createCursor(new Uint8Array(0));

const BYTES = WireType.bytes;
const VARINT = WireType.varint;
const FIXED64 = WireType.fixed64;
const FIXED32 = WireType.fixed32;

/** Big-endian 32 bits, as ids are written. */
const idHalf = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

/**
 * Fills `head` from the span message in [start, end). False when the span cannot be used: malformed bytes, a trace id that
 * is not 16 bytes or zero, a span id that is not 8 bytes or zero, a parent id of another length than 0 or 8. Fields of a
 * known number with another wire type are skipped as unknown; a repeated scalar's last value counts (protobuf's rule).
 */
export function readSpanHead(bytes: Uint8Array, start: number, end: number, head: SpanHead): boolean {
  head.bytes = bytes;
  head.start = start;
  head.end = end;
  head.traceIdStart = -1;
  head.spanIdHigh = head.spanIdLow = 0;
  head.parentHigh = head.parentLow = 0;
  head.nameStart = head.nameEnd = start;
  head.kind = 0;
  head.startHigh = head.startLow = head.endHigh = head.endLow = 0;
  head.hasFlags = false;
  head.flags = 0;
  head.traceStateStart = head.traceStateEnd = start;
  head.statusCode = 0;
  head.statusMessageStart = head.statusMessageEnd = start;
  head.attributeCount = head.eventCount = head.linkCount = 0;
  head.firstAttribute = head.firstEvent = head.firstLink = end;

  resetCursor(cursor, bytes, start, end);
  while (cursor.position < end) {
    const tagAt = cursor.position;
    const tag = readVarint(cursor);
    const field = tag >>> 3;
    const wireType = tag & 7;
    if (wireType === BYTES && field !== 0) {
      const length = readLength(cursor);
      if (cursor.failed) return false;
      const at = cursor.position;
      cursor.position = at + length;
      switch (field) {
        case SpanField.traceId:
          if (length !== 16) return false;
          head.traceIdStart = at;
          break;
        case SpanField.spanId:
          if (length !== 8) return false;
          head.spanIdHigh = idHalf(bytes, at);
          head.spanIdLow = idHalf(bytes, at + 4);
          break;
        case SpanField.parentSpanId:
          if (length === 8) {
            head.parentHigh = idHalf(bytes, at);
            head.parentLow = idHalf(bytes, at + 4);
          } else if (length === 0) head.parentHigh = head.parentLow = 0;
          else return false;
          break;
        case SpanField.name:
          head.nameStart = at;
          head.nameEnd = at + length;
          break;
        case SpanField.traceState:
          head.traceStateStart = at;
          head.traceStateEnd = at + length;
          break;
        case SpanField.attributes:
          if (head.attributeCount++ === 0) head.firstAttribute = tagAt;
          break;
        case SpanField.events:
          if (head.eventCount++ === 0) head.firstEvent = tagAt;
          break;
        case SpanField.links:
          if (head.linkCount++ === 0) head.firstLink = tagAt;
          break;
        case SpanField.status:
          if (!readStatus(bytes, at, at + length, head)) return false;
          break;
        default:
      }
    } else if (wireType === FIXED64 && field === SpanField.startTimeUnixNano) {
      const at = cursor.position;
      skipField(cursor, FIXED64);
      if (cursor.failed) return false;
      head.startLow = uint32At(bytes, at);
      head.startHigh = uint32At(bytes, at + 4);
    } else if (wireType === FIXED64 && field === SpanField.endTimeUnixNano) {
      const at = cursor.position;
      skipField(cursor, FIXED64);
      if (cursor.failed) return false;
      head.endLow = uint32At(bytes, at);
      head.endHigh = uint32At(bytes, at + 4);
    } else if (wireType === VARINT && field === SpanField.kind) {
      const kind = readVarint(cursor);
      head.kind = kind <= 5 ? kind : 0;
    } else if (wireType === FIXED32 && field === SpanField.flags) {
      const at = cursor.position;
      skipField(cursor, FIXED32);
      if (cursor.failed) return false;
      head.flags = uint32At(bytes, at);
      head.hasFlags = true;
    } else if (field === 0) return false;
    else skipField(cursor, wireType);
    if (cursor.failed) return false;
  }
  if (head.traceIdStart < 0 || (head.spanIdHigh === 0 && head.spanIdLow === 0)) return false;
  return !isZero(bytes, head.traceIdStart, 16);
}

function readStatus(bytes: Uint8Array, start: number, end: number, head: SpanHead): boolean {
  resetCursor(inner, bytes, start, end);
  while (inner.position < end) {
    const tag = readVarint(inner);
    if (tag === ((StatusField.code << 3) | VARINT)) {
      const code = readVarint(inner);
      head.statusCode = code <= 2 ? code : 0;
    } else if (tag === ((StatusField.message << 3) | BYTES)) {
      const length = readLength(inner);
      head.statusMessageStart = inner.position;
      head.statusMessageEnd = inner.position + length;
      inner.position += length;
    } else if (tag < 8) return false;
    else skipField(inner, tag & 7);
    if (inner.failed) return false;
  }
  return true;
}

/** Whether `length` bytes are all zero: an id that is none. */
export function isZero(bytes: Uint8Array, start: number, length: number): boolean {
  for (let i = start; i < start + length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** A span event; attributes as in SpanHead. */
export interface EventView {
  bytes: Uint8Array;
  end: number;
  timeHigh: number;
  timeLow: number;
  nameStart: number;
  nameEnd: number;
  attributeCount: number;
  firstAttribute: number;
}

export const createEventView = (): EventView => ({
  bytes: new Uint8Array(0),
  end: 0,
  timeHigh: 0,
  timeLow: 0,
  nameStart: 0,
  nameEnd: 0,
  attributeCount: 0,
  firstAttribute: 0,
});

/** Fills `view` from the event message in [start, end); false when malformed. Attributes: `nextField(cursor, EventField.attributes)`. */
export function readEvent(bytes: Uint8Array, start: number, end: number, view: EventView): boolean {
  view.bytes = bytes;
  view.end = end;
  view.timeHigh = view.timeLow = 0;
  view.nameStart = view.nameEnd = start;
  view.attributeCount = 0;
  view.firstAttribute = end;
  resetCursor(inner, bytes, start, end);
  while (inner.position < end) {
    const tagAt = inner.position;
    const tag = readVarint(inner);
    if (tag === ((EventField.timeUnixNano << 3) | FIXED64)) {
      const at = inner.position;
      skipField(inner, FIXED64);
      if (inner.failed) return false;
      view.timeLow = uint32At(bytes, at);
      view.timeHigh = uint32At(bytes, at + 4);
    } else if (tag === ((EventField.name << 3) | BYTES)) {
      const length = readLength(inner);
      view.nameStart = inner.position;
      view.nameEnd = inner.position + length;
      inner.position += length;
    } else if (tag < 8) return false;
    else {
      if (tag === ((EventField.attributes << 3) | BYTES) && view.attributeCount++ === 0) view.firstAttribute = tagAt;
      skipField(inner, tag & 7);
    }
    if (inner.failed) return false;
  }
  return true;
}

/** A span link; attributes as in SpanHead. */
export interface LinkView {
  bytes: Uint8Array;
  end: number;
  /** 16 bytes, not all zero. */
  traceIdStart: number;
  spanIdHigh: number;
  spanIdLow: number;
  traceStateStart: number;
  traceStateEnd: number;
  hasFlags: boolean;
  flags: number;
  attributeCount: number;
  firstAttribute: number;
}

export const createLinkView = (): LinkView => ({
  bytes: new Uint8Array(0),
  end: 0,
  traceIdStart: 0,
  spanIdHigh: 0,
  spanIdLow: 0,
  traceStateStart: 0,
  traceStateEnd: 0,
  hasFlags: false,
  flags: 0,
  attributeCount: 0,
  firstAttribute: 0,
});

/** Fills `view` from the link message in [start, end); false when malformed or without valid ids. Attributes: `LinkField.attributes`. */
export function readLink(bytes: Uint8Array, start: number, end: number, view: LinkView): boolean {
  view.bytes = bytes;
  view.end = end;
  view.traceIdStart = -1;
  view.spanIdHigh = view.spanIdLow = 0;
  view.traceStateStart = view.traceStateEnd = start;
  view.hasFlags = false;
  view.flags = 0;
  view.attributeCount = 0;
  view.firstAttribute = end;
  resetCursor(inner, bytes, start, end);
  while (inner.position < end) {
    const tagAt = inner.position;
    const tag = readVarint(inner);
    if ((tag & 7) === BYTES && tag >= 8) {
      const length = readLength(inner);
      if (inner.failed) return false;
      const at = inner.position;
      inner.position = at + length;
      const field = tag >>> 3;
      if (field === LinkField.traceId) {
        if (length !== 16) return false;
        view.traceIdStart = at;
      } else if (field === LinkField.spanId) {
        if (length !== 8) return false;
        view.spanIdHigh = idHalf(bytes, at);
        view.spanIdLow = idHalf(bytes, at + 4);
      } else if (field === LinkField.traceState) {
        view.traceStateStart = at;
        view.traceStateEnd = at + length;
      } else if (field === LinkField.attributes && view.attributeCount++ === 0) view.firstAttribute = tagAt;
    } else if (tag === ((LinkField.flags << 3) | FIXED32)) {
      const at = inner.position;
      skipField(inner, FIXED32);
      if (inner.failed) return false;
      view.flags = uint32At(bytes, at);
      view.hasFlags = true;
    } else if (tag < 8) return false;
    else skipField(inner, tag & 7);
    if (inner.failed) return false;
  }
  if (view.traceIdStart < 0 || (view.spanIdHigh === 0 && view.spanIdLow === 0)) return false;
  return !isZero(bytes, view.traceIdStart, 16);
}
