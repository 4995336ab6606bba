/** The one redactor: by name, by names inside a text, by shape. See README.md. */
import { createHmac } from 'node:crypto';
import { type Redactor, Sensitivity } from '../../schemas/clickhouse/redactor.ts';
import type { RedactionConfig } from '../../schemas/config/redaction.ts';
import { textOf } from '../../schemas/otlp/text.ts';
import { readEscapedName, readEscapedValue } from './escaped-pairs.ts';
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

  /** A name inside a text may be percent-encoded: `pass%77ord`. */
  const isSecretName = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (end - start < 3) return false;
    for (let i = start; i < end; i++)
      if (bytes[i] === 0x25) return classify(decodePercent(textOf(bytes, start, end))) === Sensitivity.secret;
    return classifyBytes(bytes, start, end) === Sensitivity.secret;
  };

  /** Finds what must go: appends [start, end) pairs to `out`, or stops at the first without one. */
  const find = (bytes: Uint8Array, start: number, end: number, out: number[] | undefined): boolean => {
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
      } else if (kind === Start.escape || kind === Start.tag) {
        let behind = i;
        if (kind === Start.tag) readElementName(bytes, i, start, name);
        else behind = readEscapedName(bytes, i, start, end, name);
        if (behind >= 0 && isSecretName(bytes, name.start, name.end)) {
          if (kind === Start.tag) readElementValue(bytes, i, end, value);
          else readEscapedValue(bytes, behind, end, value);
          if (value.end > value.start && !isRedacted(bytes, value)) {
            from = value.start;
            to = value.end;
          }
        }
      } else {
        if (bytes[i] === 0x3a && bytes[i + 1] === 0x2f && bytes[i + 2] === 0x2f && i + 3 < end) {
          readUserInfo(bytes, i + 3, end, value);
          if (value.end > value.start) {
            from = value.start;
            to = value.end;
          }
        } else {
          readNameBefore(bytes, i, start, name);
          if (name.end > name.start && isSecretName(bytes, name.start, name.end)) {
            readValueAfter(bytes, i, end, bytes[i] === 0x3a && isHeaderName(bytes, name), value);
            if (value.end > value.start && !isRedacted(bytes, value)) {
              from = value.start;
              to = value.end;
            }
          }
        }
      }
      if (to < 0) {
        i++;
        continue;
      }
      if (out === undefined) return true;
      out.push(from, to);
      found = true;
      i = to;
    }
    return found;
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

/** So that redacting twice changes nothing. */
function isRedacted(bytes: Uint8Array, range: Range): boolean {
  const length = range.end - range.start;
  if (bytes[range.start] === 0x5b && length >= MASK_BYTES.length - 1)
    return textOf(bytes, range.start, range.start + MASK_BYTES.length) === MASK;
  return length === 21 && isHashed(textOf(bytes, range.start, range.end));
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
