/** The list headers proxies append to: X-Forwarded-For, and Forwarded (RFC 7239). Elements in the order of the header. */

/** A longer header is cut from the left: the walk begins at the right. */
const MAX_BYTES = 8192;
const MAX_ELEMENTS = 64;

const lastOf = (elements: string[]): string[] =>
  elements.length > MAX_ELEMENTS ? elements.slice(elements.length - MAX_ELEMENTS) : elements;

/** All values of X-Forwarded-For as one list. */
export function forwardedForElements(values: readonly string[]): string[] {
  const joined = values.join(',');
  return lastOf(
    (joined.length > MAX_BYTES ? joined.slice(joined.length - MAX_BYTES) : joined)
      .split(',')
      .map((text) => text.trim()),
  );
}

/** The `for` node of every element of all Forwarded values; '' where an element has none. */
export function forwardedElements(values: readonly string[]): string[] {
  const joined = values.join(',');
  const text = joined.length > MAX_BYTES ? joined.slice(joined.length - MAX_BYTES) : joined;
  return lastOf(splitOutsideQuotes(text, ',').map(nodeOf));
}

function nodeOf(element: string): string {
  for (const pair of splitOutsideQuotes(element, ';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim().toLowerCase() !== 'for') continue;
    const value = pair.slice(equals + 1).trim();
    if (!value.startsWith('"')) return value;
    return value.length >= 2 && value.endsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : '';
  }
  return '';
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted && character === '\\') i++;
    else if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  // A quote left open hides separators that may be real: nothing of such a header can be told apart.
  return quoted ? parts.map(() => '') : parts;
}
