/**
 * The list headers proxies append to: X-Forwarded-For, and Forwarded (RFC 7239). Read from the right, one element at a
 * time: the walk ends where the client's own writing begins, and nothing left of that costs anything or changes anything.
 */
import { withoutBlanks } from './address.ts';

/** Elements of a header looked at: more proxies than this stand in no row. */
export const MAX_ELEMENTS = 64;
/** Stands at the left end of a header that was cut to what may be looked at: a piece of an address is none. */
export const CUT = '…';
/** Ends a header that an SDK cut: its right end, which alone can be believed, is lost. */
export const LOST_END = '…lost';

export interface Elements {
  /** The next one to the left; undefined when there is none. */
  previous(): string | undefined;
}

/** All values of X-Forwarded-For as one list. An empty element is one: skipped, it would let the client name who stands left of it. */
export function forwardedForElements(values: readonly string[]): Elements {
  return fromRight(
    values,
    (value, end) => {
      const comma = value.lastIndexOf(',', end - 1);
      return end === 0 ? -1 : comma;
    },
    withoutBlanks,
  );
}

/** The `for` node of every element of all Forwarded values; '' where an element has none, or more than one. */
export function forwardedElements(values: readonly string[]): Elements {
  return fromRight(values, elementStart, nodeOf);
}

/** `commaBefore`: where the comma left of the element that ends at `end` stands; −1 when there is none. */
function fromRight(
  values: readonly string[],
  commaBefore: (value: string, end: number) => number,
  read: (element: string) => string,
): Elements {
  let at = values.length - 1;
  let end = at >= 0 ? values[at]!.length : 0;
  let left = MAX_ELEMENTS;
  return {
    previous() {
      if (at < 0) return undefined;
      if (left-- === 0) return CUT;
      const value = values[at]!;
      const comma = commaBefore(value, end);
      const element = value.slice(comma + 1, end);
      if (comma < 0) {
        at--;
        if (at >= 0) end = values[at]!.length;
      } else end = comma;
      return read(element);
    },
  };
}

/**
 * A comma inside quotes separates nothing. From the right, an element reaches as far as its quotes are in pairs: a quote
 * that a client left open stands left of what proxies appended, and must not swallow that.
 */
function elementStart(value: string, end: number): number {
  let quotes = 0;
  for (let i = end - 1; i >= 0; i--) {
    const character = value[i];
    if (character === '"' && !isEscaped(value, i)) quotes++;
    else if (character === ',' && quotes % 2 === 0) return i;
  }
  return -1;
}

function isEscaped(value: string, at: number): boolean {
  let backslashes = 0;
  while (value[at - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1;
}

/** One parameter of a name at most (RFC 7239 §4): two `for` in an element say nothing. */
function nodeOf(element: string): string {
  let node: string | undefined;
  for (const pair of splitPairs(element)) {
    const equals = pair.indexOf('=');
    if (equals < 0 || withoutBlanks(pair.slice(0, equals)).toLowerCase() !== 'for') continue;
    if (node !== undefined) return '';
    node = withoutBlanks(pair.slice(equals + 1));
  }
  if (node === undefined) return element.endsWith(LOST_END) ? LOST_END : '';
  if (!node.startsWith('"')) return node;
  return node.length >= 2 && node.endsWith('"') ? node.slice(1, -1).replaceAll(/\\(.)/g, '$1') : '';
}

function splitPairs(element: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let from = 0;
  for (let i = 0; i < element.length; i++) {
    const character = element[i];
    if (quoted && character === '\\') i++;
    else if (character === '"') quoted = !quoted;
    else if (character === ';' && !quoted) {
      parts.push(element.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(element.slice(from));
  return quoted ? [] : parts;
}
