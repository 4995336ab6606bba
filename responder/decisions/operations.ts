/**
 * Named operations, `POST /orders/{id}/pay`, against the method and path of a request as its sender wrote them. Spellings that servers
 * take for the same path (double slashes, dots, percent-encoding, matrix parameters, letters' case, a slash at the end) match too:
 * only what is decided about an actor is refused, so that matching too much costs nobody else. Pure.
 */

/**
 * Longer paths are not read: reading one takes as long as it is, and what was cut off could be what a server goes by. They match every
 * path, so that nobody gets by with padding. RFC 9110 §4.1 has senders and receivers manage 8,000 for all of a URI; queries do not count here.
 */
export const MOST_PATH = 2_048;

/** Method and path of one request, read once for all operations that it is held against. */
export interface AskedOperation {
  readonly method: string;
  /** Undefined: longer than is read. */
  readonly segments: readonly string[] | undefined;
}

export type OperationMatcher = (asked: AskedOperation) => boolean;

export const readOperation = (method: string, path: string): AskedOperation => ({
  method: method.toUpperCase(),
  segments: segmentsOf(path),
});

/** The path's parts as most servers read it. */
function segmentsOf(given: string): readonly string[] | undefined {
  const end = given.search(/[?#]/);
  let path = end >= 0 ? given.slice(0, end) : given;
  if (path.length > MOST_PATH) return undefined;
  for (let i = 0; i < 2 && path.includes('%'); i++) path = decodePercent(path);
  const segments: string[] = [];
  for (const part of path.replaceAll('\\', '/').toLowerCase().split('/')) {
    const semicolon = part.indexOf(';');
    const segment = semicolon < 0 ? part : part.slice(0, semicolon);
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments;
}

const decodePercent = (text: string): string =>
  text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** `METHOD /path`: `*` any method, `{name}` and `*` one segment, `**` at the end anything below. */
export function matcherOf(operation: string): OperationMatcher {
  const space = operation.indexOf(' ');
  const method = operation.slice(0, space).toUpperCase();
  const template = operation.slice(space + 1).toLowerCase();
  const parts = template.split('/').filter((part) => part !== '');
  const below = parts.at(-1) === '**';
  if (below) parts.pop();
  const named = parts.flatMap((part, i) => (part === '*' || /^\{[^{}]*\}$/.test(part) ? [] : [[i, part] as const]));
  return (asked) => {
    // whoever may not get, may not ask for the head
    if (method !== '*' && method !== asked.method && !(method === 'GET' && asked.method === 'HEAD')) return false;
    const { segments } = asked;
    if (segments === undefined) return true;
    if (below ? segments.length < parts.length : segments.length !== parts.length) return false;
    return named.every(([i, part]) => segments[i] === part);
  };
}
