/**
 * The decode chain (DETECTION §3.2), at most three layers beyond the one a URL itself needs. Layers that disguise text
 * (percent, entities, escapes, Unicode forms) are taken off for the profile; containers (base64, JWT) are opened for the
 * attack patterns only, because whether random letters are base64 is a guess. Which layers came off is a feature.
 */
import { ParameterSource } from '../../../traces/segment.ts';
import { decodeBase64, decodeEntities, decodeEscapes, decodePercent, decodeUnicode } from './layers.ts';

export const MAX_LAYERS = 3;
/** Longer values are read as their first HEAD and last TAIL bytes: a bound on the cost of one value. */
export const HEAD_BYTES = 8_192;
export const TAIL_BYTES = 4_096;
export const WINDOW_BYTES = HEAD_BYTES + TAIL_BYTES;

/** Digits of the signature, base 8, in the order they came off. */
export const Layer = { percent: 1, entity: 2, escape: 3, unicode: 4, base64: 5, jwt: 6 } as const;

const LAYER_NAMES = ['', 'percent', 'HTML entity', 'string escape', 'Unicode form', 'base64', 'JWT'];

/** `percent, base64` for people. */
export const encodingName = (signature: number): string => {
  const names: string[] = [];
  for (let rest = signature; rest > 0; rest = Math.floor(rest / 8)) names.unshift(LAYER_NAMES[rest % 8]!);
  return names.length === 0 ? 'plain' : names.join(', then ');
};

/** A value without its disguises. Reused; `bytes` is the caller's own array when nothing had to be decoded. */
export interface Decoded {
  bytes: Uint8Array;
  start: number;
  end: number;
  signature: number;
  /** What base64 and JWT hold, `containers` bytes of it; for attack patterns. */
  inner: Uint8Array;
  innerLength: number;
}

export interface DecodeChain {
  decode(bytes: Uint8Array, start: number, end: number, source: number, out: Decoded): void;
}

export const createDecoded = (): Decoded => ({
  bytes: new Uint8Array(0),
  start: 0,
  end: 0,
  signature: 0,
  inner: new Uint8Array(0),
  innerLength: 0,
});

/** What a first look says: which decoders are worth a pass. */
const Sign = {
  percent: 1,
  plus: 2,
  ampersand: 4,
  backslash: 8,
  beyond: 16,
  notBase64: 32,
  lower: 64,
  upper: 128,
} as const;

const signs = (): Uint8Array => {
  const out = new Uint8Array(256).fill(Sign.notBase64);
  for (let b = 0x30; b <= 0x39; b++) out[b] = 0;
  for (let b = 0x41; b <= 0x5a; b++) out[b] = Sign.upper;
  for (let b = 0x61; b <= 0x7a; b++) out[b] = Sign.lower;
  for (const b of [0x2d, 0x2f, 0x3d, 0x5f, 0x2e]) out[b] = 0;
  out[0x2b] = Sign.plus;
  out[0x25] = Sign.percent | Sign.notBase64;
  out[0x26] = Sign.ampersand | Sign.notBase64;
  out[0x5c] = Sign.backslash | Sign.notBase64;
  for (let b = 0x80; b < 256; b++) out[b] = Sign.beyond | Sign.notBase64;
  return out;
};
const SIGN_OF = signs();
const DISGUISE = Sign.percent | Sign.ampersand | Sign.backslash | Sign.beyond;

const look = (bytes: Uint8Array, start: number, end: number): number => {
  let seen = 0;
  for (let i = start; i < end; i++) seen |= SIGN_OF[bytes[i]!]!;
  return seen;
};

/** Decoded text, not chance: random letters rarely decode to nothing but printable ASCII. */
const isText = (bytes: Uint8Array, length: number): boolean => {
  if (length < 8) return false;
  for (let i = 0; i < length; i++) {
    const b = bytes[i]!;
    if ((b < 0x20 || b > 0x7e) && b !== 0x09 && b !== 0x0a && b !== 0x0d) return false;
  }
  return true;
};

/** Two buffers take turns: each layer reads one and writes the other. */
export const createDecodeChain = (): DecodeChain => {
  const room = WINDOW_BYTES + 8;
  const buffers: [Uint8Array, Uint8Array] = [new Uint8Array(room), new Uint8Array(room)];
  const innerBuffers: [Uint8Array, Uint8Array] = [new Uint8Array(room), new Uint8Array(room)];
  let layers = 0;
  let signature = 0;

  /** Takes disguises off `pair[turn][0, length)`; gives the turn, sets `length`. */
  let length = 0;
  const undress = (pair: [Uint8Array, Uint8Array], from: 0 | 1): 0 | 1 => {
    let turn = from;
    while (layers < MAX_LAYERS) {
      const input = pair[turn];
      const output = pair[turn === 0 ? 1 : 0];
      const seen = look(input, 0, length);
      if ((seen & DISGUISE) === 0) break;
      let layer = 0;
      let next = -1;
      if (seen & Sign.percent) next = decodePercent(input, length, output, false);
      if (next >= 0) layer = Layer.percent;
      if (next < 0 && seen & Sign.ampersand) {
        next = decodeEntities(input, length, output);
        if (next >= 0) layer = Layer.entity;
      }
      if (next < 0 && seen & Sign.backslash) {
        next = decodeEscapes(input, length, output);
        if (next >= 0) layer = Layer.escape;
      }
      if (next < 0 && seen & Sign.beyond) {
        next = decodeUnicode(input, length, output);
        if (next >= 0) layer = Layer.unicode;
      }
      if (next < 0) break;
      length = next;
      turn = turn === 0 ? 1 : 0;
      layers++;
      signature = signature * 8 + layer;
    }
    return turn;
  };

  const openContainer = (bytes: Uint8Array, start: number, end: number, out: Decoded): void => {
    out.innerLength = 0;
    let turn: 0 | 1 = 0;
    let from = start;
    let until = end;
    while (layers < MAX_LAYERS && until - from >= 12 && until - from <= WINDOW_BYTES) {
      const source = out.innerLength === 0 ? bytes : innerBuffers[turn];
      const target = out.innerLength === 0 ? innerBuffers[turn] : innerBuffers[turn === 0 ? 1 : 0];
      const seen = look(source, from, until);
      if ((seen & Sign.notBase64) !== 0 || (seen & Sign.lower) === 0 || (seen & Sign.upper) === 0) return;
      const jwt = source[from] === 0x65 && source[from + 1] === 0x79 && source[from + 2] === 0x4a;
      const dot = source.indexOf(0x2e, from);
      let written = -1;
      if (jwt && dot > from && dot < until) {
        // Header and body, one after the other; the signature says nothing.
        const second = source.indexOf(0x2e, dot + 1);
        const bodyEnd = second > dot && second < until ? second : until;
        const header = decodeBase64(source, from, dot, target);
        const body = header < 0 ? -1 : decodeBase64(source, dot + 1, bodyEnd, target.subarray(header));
        written = body < 0 ? -1 : header + body;
      } else if (dot < 0 || dot >= until) {
        written = decodeBase64(source, from, until, target);
      }
      if (written < 0 || !isText(target, written)) return;
      if (out.innerLength !== 0) turn = turn === 0 ? 1 : 0;
      layers++;
      signature = signature * 8 + (jwt && dot > from && dot < until ? Layer.jwt : Layer.base64);
      length = written;
      turn = undress(innerBuffers, turn);
      out.inner = innerBuffers[turn];
      out.innerLength = length;
      from = 0;
      until = length;
    }
  };

  return {
    decode(bytes, start, end, source, out) {
      layers = 0;
      signature = 0;
      out.innerLength = 0;
      const size = end - start;
      const seen = look(bytes, start, size > WINDOW_BYTES ? start + HEAD_BYTES : end);
      const url = source === ParameterSource.query || source === ParameterSource.path;
      const plus = source === ParameterSource.query && (seen & Sign.plus) !== 0;
      const disguised = (seen & DISGUISE) !== 0 || plus;
      if (!disguised && size <= WINDOW_BYTES) {
        out.bytes = bytes;
        out.start = start;
        out.end = end;
      } else {
        let turn: 0 | 1 = 0;
        const first = buffers[0];
        if (size <= WINDOW_BYTES) {
          first.set(bytes.subarray(start, end));
          length = size;
        } else {
          first.set(bytes.subarray(start, start + HEAD_BYTES));
          first.set(bytes.subarray(end - TAIL_BYTES, end), HEAD_BYTES);
          length = WINDOW_BYTES;
        }
        if (url) {
          // What the URL itself needs is transport, not disguise: no layer, no feature.
          const next = decodePercent(first, length, buffers[1], plus);
          if (next >= 0) {
            length = next;
            turn = 1;
          }
        }
        turn = undress(buffers, turn);
        out.bytes = buffers[turn];
        out.start = 0;
        out.end = length;
      }
      openContainer(out.bytes, out.start, out.end, out);
      out.signature = signature;
    },
  };
};
