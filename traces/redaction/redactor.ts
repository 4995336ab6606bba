/** The one redactor: by name, by names inside a text, by shape. See README.md. */
import { createHmac } from 'node:crypto';
import { type Redactor, Sensitivity } from '../../schemas/clickhouse/redactor.ts';
import type { RedactionConfig } from '../../schemas/config/redaction.ts';
import { textOf } from '../../schemas/otlp/text.ts';
import { createUnescaper, isEscape, MAX_LAYERS } from './escapes.ts';
import { createNameJudge } from './names.ts';
import {
  type Range,
  readElementName,
  readElementValue,
  readNameBefore,
  readUserInfo,
  readValueAfter,
} from './pairs.ts';
import { endOfCardNumber, endOfJwt } from './shapes.ts';

export type { Redactor } from '../../schemas/clickhouse/redactor.ts';

export const MASK = '[redacted]';
const MASK_BYTES = Buffer.from(MASK);
const HASH_PREFIX = 'hmac:';
const HASH_LENGTH = HASH_PREFIX.length + 16;
const MAX_REDACTED = 100;

/** Attributes that a client's user is read from, and those that an account is. */
const USER_NAMES = ['user.id', 'enduser.id'];
const ACCOUNT_NAMES = [...USER_NAMES, 'user.name', 'user.email'];

/** What a byte may start: nothing, a number, a pair, a token. */
const Start = { none: 0, digit: 1, pair: 2, token: 3, escape: 4, tag: 5 } as const;
const START = new Uint8Array(256);
START.fill(Start.digit, 48, 58);
START[0x3d] = START[0x3a] = Start.pair; // = :
START[0x65] = Start.token; // e
START[0x25] = Start.escape; // %
START[0x3e] = Start.tag; // >

/** Names seen, by hash; the whole memo is dropped when it is full, so that made-up names cannot grow it. */
const MEMO_LIMIT = 8_192;
interface Seen {
  readonly name: Uint8Array;
  readonly sensitivity: Sensitivity;
}

export function createRedactor(config: RedactionConfig): Redactor {
  if (config.mode === 'keep') return KEEP;
  const judge = createNameJudge(config);
  const memo = new Map<string, Sensitivity>();
  const seen = new Map<number, Seen>();
  const name: Range = { start: 0, end: 0 };
  const value: Range = { start: 0, end: 0 };
  const unescaper = createUnescaper();
  const nameUnescaper = createUnescaper();

  const classify = (text: string): Sensitivity => {
    let sensitivity = memo.get(text);
    if (sensitivity === undefined) {
      sensitivity = judge(text);
      if (memo.size >= MEMO_LIMIT) memo.clear();
      if (text.length < 200) memo.set(text, sensitivity);
    }
    return sensitivity;
  };

  const classifyBytes = (bytes: Uint8Array, start: number, end: number): Sensitivity => {
    const length = end - start;
    let hash = length;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const found = seen.get(hash);
    if (found !== undefined && found.name.length === length) {
      let i = 0;
      while (i < length && bytes[start + i] === found.name[i]) i++;
      if (i === length) return found.sensitivity;
    }
    const text = textOf(bytes, start, end);
    const sensitivity = classify(text);
    if (seen.size >= MEMO_LIMIT) seen.clear();
    if (length < 200) seen.set(hash, { name: Uint8Array.prototype.slice.call(bytes, start, end), sensitivity });
    return sensitivity;
  };

  const decoded = (bytes: Uint8Array, start: number, end: number): string => {
    let length = nameUnescaper.first(bytes, start, end);
    if (length < 0) return textOf(bytes, start, end);
    for (let layer = 1; layer < MAX_LAYERS; layer++) {
      const shorter = nameUnescaper.next();
      if (shorter < 0) break;
      length = shorter;
    }
    return textOf(nameUnescaper.bytes(), 0, length);
  };

  /** A name inside a text may be percent-encoded: `pass%77ord`. */
  const isSecretName = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (end - start < 3) return false;
    for (let i = start; i < end; i++)
      if (bytes[i] === 0x25) return classify(lastNameOf(decoded(bytes, start, end))) === Sensitivity.secret;
    return classifyBytes(bytes, start, end) === Sensitivity.secret;
  };

  /** Sets `value` to what must go because of the sign or the end of a tag at `at`; an empty range when nothing must. */
  const readSecret = (bytes: Uint8Array, at: number, start: number, end: number): void => {
    value.start = value.end = at;
    const c = bytes[at];
    if (c === 0x3a && bytes[at + 1] === 0x2f && bytes[at + 2] === 0x2f && at + 3 < end) {
      readUserInfo(bytes, at + 3, end, value);
      if (isHashed(textOf(bytes, Math.max(start, value.start - HASH_PREFIX.length), value.end)))
        value.end = value.start;
    } else if (c === 0x3e) {
      readElementName(bytes, at, start, name);
      if (isSecretName(bytes, name.start, name.end)) readElementValue(bytes, at, end, value);
    } else {
      readNameBefore(bytes, at, start, name);
      if (isSecretName(bytes, name.start, name.end))
        readValueAfter(bytes, at, end, c === 0x3a && isHeaderName(bytes, name), value);
    }
    if (value.end > value.start && isRedacted(bytes, value)) value.end = value.start;
  };

  let escapes = false;
  /** Finds what must go in a text as it stands: appends [start, end) pairs to `out`, or stops at the first without one. */
  const findPlain = (bytes: Uint8Array, start: number, end: number, out: number[] | undefined): boolean => {
    let found = false;
    let i = start;
    while (i < end) {
      const kind = START[bytes[i]!]!;
      if (kind === Start.none) {
        i++;
        continue;
      }
      let from = i;
      let to = -1;
      if (kind === Start.digit) {
        const before = i > start ? bytes[i - 1]! : 0;
        if (config.values && !isWordByte(before)) to = endOfCardNumber(bytes, i, end);
        if (to < 0) {
          while (i < end && START[bytes[i]!] === Start.digit) i++;
          continue;
        }
      } else if (kind === Start.token) {
        if (config.values) to = endOfJwt(bytes, i, start, end);
      } else if (kind === Start.escape) {
        escapes ||= isEscape(bytes, i, end);
      } else {
        readSecret(bytes, i, start, end);
        if (value.end > value.start) {
          from = value.start;
          to = value.end;
        }
      }
      if (to < 0) {
        i++;
        continue;
      }
      if (out === undefined) return true;
      out.push(from, to);
      found = true;
      for (; i < to; i++) escapes ||= bytes[i] === 0x25;
    }
    return found;
  };

  /**
   * The same in the text and in what each layer of its percent-encoding hides: where either says that a byte must go, it
   * goes, so that an encoded text never shows more than the plain one.
   */
  const find = (bytes: Uint8Array, start: number, end: number, out: number[] | undefined): boolean => {
    escapes = false;
    const plain = findPlain(bytes, start, end, out);
    if (!escapes || (plain && out === undefined)) return plain;
    let hidden = false;
    let length = unescaper.first(bytes, start, end);
    for (let layer = 1; length >= 0; layer++) {
      let i = out?.length ?? 0;
      if (findPlain(unescaper.bytes(), 0, length, out)) {
        if (out === undefined) return true;
        hidden = true;
        for (; i < out.length; i++) out[i] = unescaper.origin(out[i]!);
      }
      length = layer < MAX_LAYERS ? unescaper.next() : -1;
    }
    if (hidden) unite(out!);
    return plain || hidden;
  };

  const secret = (text: string): string => {
    if (text === '' || text === MASK || isHashed(text)) return text;
    return config.mode === 'mask'
      ? MASK
      : HASH_PREFIX + createHmac('sha256', config.key).update(text).digest('hex').slice(0, 16);
  };

  const look = (text: string): string => {
    const bytes = Buffer.from(text);
    const ranges: number[] = [];
    if (!find(bytes, 0, bytes.length, ranges)) return text;
    let redacted = '';
    let at = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      redacted += bytes.toString('utf8', at, ranges[i]) + secret(bytes.toString('utf8', ranges[i], ranges[i + 1]));
      at = ranges[i + 1]!;
    }
    return redacted + bytes.toString('utf8', at);
  };

  const isSecretOf = (names: readonly string[]): boolean => names.some((one) => classify(one) === Sensitivity.secret);
  const userIsSecret = isSecretOf(USER_NAMES);
  const accountIsSecret = isSecretOf(ACCOUNT_NAMES);

  return {
    classify,
    classifyBytes,
    suspects: (bytes, start, end) => find(bytes, start, end, undefined),
    secret,
    look,
    value(key, text) {
      const sensitivity = classify(key);
      if (sensitivity === Sensitivity.secret) return secret(text);
      return sensitivity === Sensitivity.look ? look(text) : text;
    },
    user: (text) => unlessMasked(userIsSecret ? secret(text) : look(text)),
    account: (text) => unlessMasked(accountIsSecret ? secret(text) : look(text)),
  };
}

const KEEP: Redactor = {
  classify: () => Sensitivity.harmless,
  classifyBytes: () => Sensitivity.harmless,
  suspects: () => false,
  secret: (text) => text,
  look: (text) => text,
  value: (_, text) => text,
  user: (text) => text,
  account: (text) => text,
};

const unlessMasked = (text: string): string | null => (text === MASK ? null : text);

const isWordByte = (c: number): boolean =>
  (c >= 48 && c <= 57) || ((c | 32) >= 97 && (c | 32) <= 122) || c === 0x2e || c === 0x5f;

/** `Authorization:` and `Cookie:` take the rest of the line. */
const isHeaderName = (bytes: Uint8Array, name: Range): boolean =>
  /(authorization|cookie)$/i.test(textOf(bytes, name.start, name.end));

const isHashed = (text: string): boolean => /^hmac:[0-9a-f]{16}$/.test(text);

/** Puts [start, end) pairs in order, those that overlap or touch as one. */
function unite(ranges: number[]): void {
  const pairs: Range[] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push({ start: ranges[i]!, end: ranges[i + 1]! });
  pairs.sort((one, other) => one.start - other.start);
  ranges.length = 0;
  for (const { start, end } of pairs) {
    const last = ranges.length - 1;
    if (last > 0 && start <= ranges[last]!) ranges[last] = Math.max(ranges[last]!, end);
    else ranges.push(start, end);
  }
}

/**
 * So that redacting twice changes nothing. What is masked may end inside an escaped value: `[redacted]%22`. Not for long
 * ones: each name in a text would look through the same rest again.
 */
function isRedacted(bytes: Uint8Array, range: Range): boolean {
  const length = range.end - range.start;
  if (length > MAX_REDACTED) return false;
  if (bytes[range.start] === 0x5b && length >= MASK_BYTES.length)
    return textOf(bytes, range.start, range.start + MASK_BYTES.length) === MASK;
  if (length < HASH_LENGTH || (length > HASH_LENGTH && bytes[range.start + HASH_LENGTH] !== 0x25)) return false;
  return isHashed(textOf(bytes, range.start, range.start + HASH_LENGTH));
}

/** `a=b&name"` is what was encoded with the name: not all of it is the name. */
function lastNameOf(text: string): string {
  let end = text.length;
  while (end > 0 && !isNameCode(text.charCodeAt(end - 1))) end--;
  let start = end;
  while (start > 0 && isNameCode(text.charCodeAt(start - 1))) start--;
  return text.slice(start, end);
}

const isNameCode = (c: number): boolean => isWordByte(c) || c === 0x2d || c === 0x25 || c > 127;
