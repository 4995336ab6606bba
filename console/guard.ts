/**
 * Who may talk to the console: the bearer token on every request, and no page of another site. A browser that was led here by
 * a name of the attacker's (DNS rebinding) names that host; one that a foreign page makes send (CSRF) names that origin.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { ProblemError } from './problem.ts';

export interface GuardConfig {
  readonly token: string;
  /** What it is bound to: a name or an address. */
  readonly host: string;
  /** Names beside loopback under which it is reached. */
  readonly hosts: readonly string[];
}

export interface Asked {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly authorization: string | undefined;
}

const LOOPBACK = new Set(['localhost', '[::1]']);
/** As it stands in a URL and a `Host`. */
const inUrl = (host: string): string => URL.parse(`http://${isIP(host) === 6 ? `[${host}]` : host}`)?.hostname ?? host;
/** An address of this machine alone cannot be rebound: who names it means us. */
const isLoopbackAddress = (name: string): boolean => isIP(name) === 4 && name.startsWith('127.');
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Throws a ProblemError for a request that must not pass. */
export function createGuard({ token, host: bound, hosts }: GuardConfig): (asked: Asked) => void {
  const wanted = digest(token);
  const named = new Set(hosts.map((host) => host.toLowerCase()));
  const own = new Set([...LOOPBACK, inUrl(bound.toLowerCase())]);
  const isOurs = (host: string): boolean => {
    const name = host.toLowerCase();
    const withoutPort = name.replace(/:\d+$/, '');
    return named.has(name) || own.has(withoutPort) || isLoopbackAddress(withoutPort);
  };
  return ({ host, origin, fetchSite, authorization }) => {
    if (host === undefined || !isOurs(host))
      throw new ProblemError(421, `the console is not known as '${host ?? ''}': add the name to console.hosts`);
    if (origin !== undefined) {
      const url = URL.parse(origin);
      if (url === null || url.host.toLowerCase() !== host.toLowerCase())
        throw new ProblemError(403, 'requests of another site’s pages are refused');
    }
    if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none')
      throw new ProblemError(403, 'requests of another site’s pages are refused');
    const given = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
    if (given === undefined || !timingSafeEqual(digest(given), wanted))
      throw new ProblemError(401, 'a bearer token is needed: console.token, or the one in the console’s directory');
  };
}
