/** Which operations are attempts to sign in, which parameters name the account, and whether an attempt succeeded. */
import type { ActorsConfig } from '../../schemas/config/actors.ts';
import { Outcome } from '../../traces/segment.ts';

/** Case, `-` and `_` do not count; neither does what a file's name ends with. */
const plain = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[-_]/g, '')
    .replace(/\.[a-z]{2,5}$/, '');

/** Methods that send a password, where the configuration names none. */
const SENDING = new Set(['POST', 'PUT', 'PATCH', 'HTTP']);
const METHOD = /^([A-Z]{3,10}|_OTHER) +/;

interface LoginPattern {
  /** '' = any that sends. */
  readonly method: string;
  readonly parts: readonly string[];
}

function parsePattern(text: string): LoginPattern {
  const method = METHOD.exec(text)?.[1] ?? '';
  const path = method === '' ? text : text.replace(METHOD, '');
  return { method, parts: partsOf(path) };
}

const partsOf = (path: string): string[] =>
  path
    .split('/')
    .filter((part) => part !== '')
    .map(plain);

/**
 * Whether an operation is an attempt to sign in: `POST /api/v2/login`, `shop.Auth/SignIn`, `mutation login`. Of a GraphQL
 * operation the name counts, of others the last parts.
 */
export function createLoginTest({ operations }: ActorsConfig['login']): (operation: string) => boolean {
  const patterns = operations.map(parsePattern).filter(({ parts }) => parts.length > 0);
  return (operation) => {
    const method = METHOD.exec(operation)?.[1] ?? '';
    const path = operation.replace(METHOD, '').replace(/^mutation +/, '');
    const parts = partsOf(path);
    // an RPC method without a slash: `auth.Auth.Login`
    if (method === '' && parts.length === 1) parts.splice(0, 1, ...path.split('.').map(plain));
    return patterns.some((pattern) => {
      if (pattern.method === '' ? method !== '' && !SENDING.has(method) : pattern.method !== method) return false;
      const from = parts.length - pattern.parts.length;
      return from >= 0 && pattern.parts.every((part, i) => part === parts[from + i]);
    });
  };
}

/** Whether a parameter's name is one of `names`: whole, or after its last dot or bracket (`user[email]`). */
export function createNameTest(names: readonly string[]): (name: string) => boolean {
  const bare = (name: string): string => name.toLowerCase().replaceAll(/[-_.\]]/g, '');
  const wanted = new Set(names.map(bare));
  return (name) => wanted.has(bare(name)) || wanted.has(bare(name.slice(lastMark(name) + 1)));
}

const lastMark = (name: string): number => Math.max(name.lastIndexOf('.'), name.lastIndexOf('['));

/** What a server answers to somebody it does not let in: wrong, unknown, locked, too many. */
const REFUSED = new Set([400, 401, 403, 404, 422, 423, 429]);

/**
 * Null when nobody can tell: the server failed, or refused for another reason. Not found is an unknown account where one was named,
 * else a page that is not there: scanners try many names of it.
 */
export function loginSucceeded(outcome: number, httpStatus: number, hasAccount: boolean): boolean | null {
  if (outcome === Outcome.ok) return true;
  if (outcome !== Outcome.clientError || (httpStatus === 404 && !hasAccount)) return null;
  return httpStatus === 0 || REFUSED.has(httpStatus) ? false : null;
}
