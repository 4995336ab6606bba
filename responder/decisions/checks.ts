/**
 * May this request go on? For gateways that ask before they forward (Envoy's ext_authz over HTTP): who the client is by the same
 * rules as for spans, what is decided about it, and for which operations. What is not known is not refused.
 */
import type { Attribution } from '../../traces/attribution/client.ts';
import { type AskedOperation, matcherOf, type OperationMatcher, readOperation } from './operations.ts';
import type { Served } from './served.ts';

export interface CheckedRequest {
  readonly method: string;
  /** As its sender wrote it, with query. */
  readonly path: string;
  /** Entry service, for which attribution may be configured by itself; '' = none. */
  readonly service: string;
  /** Who asks: the gateway. */
  readonly peer: string;
  readonly forwardedFor: readonly string[];
  readonly forwarded: readonly string[];
  readonly singleValues: readonly (readonly [string, string])[];
  /** As the gateway tells it; '' = not told. */
  readonly user: string;
}

export interface CheckResult {
  readonly result: 'ordinary' | 'reduced-rights' | 'refused' | 'refused-operation';
  /** 0…100; 0 = nothing is decided. */
  readonly risk: number;
}

export type Check = (request: CheckedRequest) => CheckResult;

const ORDINARY: CheckResult = Object.freeze({ result: 'ordinary', risk: 0 });

export function createCheck(served: Served, attribution: Pick<Attribution, 'resolve'>): Check {
  const matchers = new Map<string, OperationMatcher>();
  const matches = (operation: string, asked: AskedOperation): boolean => {
    let matcher = matchers.get(operation);
    if (matcher === undefined) {
      matcher = matcherOf(operation);
      if (matchers.size >= 10_000) matchers.clear();
      matchers.set(operation, matcher);
    }
    return matcher(asked);
  };

  return ({ method, path, service, peer, forwardedFor, forwarded, singleValues, user }) => {
    if (served.all().length === 0) return ORDINARY;
    const client = attribution.resolve({ service, peer, forwardedFor, forwarded, clientAddress: '', singleValues });
    const sure = client.confidence === 'high' || client.confidence === 'medium';
    const decisions = [
      ...(sure && client.address !== null ? served.ofAddress(client.address) : []),
      ...(user === '' ? [] : served.ofUser(user)),
    ];
    if (decisions.length === 0) return ORDINARY;
    // one that only reduces rights still says so
    const risk = Math.max(1, ...decisions.map((decision) => decision.risk));
    // there is no captcha here: whoever is to be shown one goes on with the risk, which the service can show one for
    const bans = decisions.filter(({ type }) => type === 'ban');
    if (bans.some(({ target }) => target === 'everything')) return { result: 'refused', risk };
    const operations = bans.flatMap((one) => (one.target === 'operations' ? one.operations : []));
    if (operations.length === 0) return { result: 'reduced-rights', risk };
    const asked = readOperation(method, path);
    const refused = operations.some((one) => matches(one, asked));
    return { result: refused ? 'refused-operation' : 'reduced-rights', risk };
  };
}
