/**
 * Named operations, `POST /orders/{id}/pay`, against the method and path of a request as its sender wrote them. Spellings that servers
 * take for the same path (double slashes, dots, percent-encoding, matrix parameters, letters' case, a slash at the end) match too:
 * only what is decided about an actor is refused, so that matching too much costs nobody else. Pure.
 */

export type OperationMatcher = (method: string, path: string) => boolean;

const MOST_PATH = 8_192;

/** The path as most servers read it. */
export function normalPath(given: string): string {
  let path = given.slice(0, MOST_PATH);
  const end = path.search(/[?#]/);
  if (end >= 0) path = path.slice(0, end);
  for (let i = 0; i < 2 && path.includes('%'); i++) path = decodePercent(path);
  const segments: string[] = [];
  for (const part of path.replaceAll('\\', '/').split('/')) {
    const semicolon = part.indexOf(';');
    const segment = semicolon < 0 ? part : part.slice(0, semicolon);
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`.toLowerCase();
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
  return (given, path) => {
    const asked = given.toUpperCase();
    // whoever may not get, may not ask for the head
    if (method !== '*' && method !== asked && !(method === 'GET' && asked === 'HEAD')) return false;
    const segments = normalPath(path).split('/').slice(1);
    if (segments.length === 1 && segments[0] === '') segments.pop();
    if (below ? segments.length < parts.length : segments.length !== parts.length) return false;
    return parts.every((part, i) => part === '*' || /^\{[^{}]*\}$/.test(part) || part === segments[i]);
  };
}
