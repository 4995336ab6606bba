/**
 * Decisions as CrowdSec's local API gives them to bouncers (crowdsecurity/crowdsec pkg/models/localapi_swagger.yaml, and what
 * pkg/database/decisionfilter.go and controllers/v1/decisions.go make of the parameters). Bouncers know addresses and ranges, and
 * nothing but all or nothing: only decisions of target `everything` are shown. Pure.
 */
import type { Decision } from '../../schemas/alerts/decision.ts';
import { covers, type Network, parseNetwork } from './network.ts';

export interface LapiDecision {
  readonly id: number;
  readonly uuid: string;
  readonly origin: string;
  readonly type: string;
  readonly scope: string;
  readonly value: string;
  /** As Go writes it: `3h59m52.1s`. */
  readonly duration: string;
  readonly scenario: string;
}

export const ORIGIN = 'spanwarden';
const SCOPE = { ip: 'Ip', range: 'Range', user: 'Username' } as const;
export const scenarioOf = (decision: Decision): string => `${ORIGIN}/${decision.scenario}`;

/** As Go's time.Duration.String() of whole milliseconds, which time.ParseDuration reads. */
export function goDuration(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const whole = Math.abs(Math.round(ms));
  if (whole === 0) return '0s';
  if (whole < 1_000) return `${sign}${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = (whole % 60_000) / 1_000;
  const rest = `${Number(seconds.toFixed(3))}s`;
  return sign + (hours > 0 ? `${hours}h${minutes}m${rest}` : minutes > 0 ? `${minutes}m${rest}` : rest);
}

/** One that ended has a duration that is none, as an expired one of CrowdSec's. */
export const toEnded = (decision: Decision, nowMs: number): LapiDecision => ({
  ...toLapi(decision, nowMs),
  duration: goDuration(Math.min(0, decision.expiresMs - nowMs)),
});

export const toLapi = (decision: Decision, nowMs: number): LapiDecision => ({
  id: decision.number,
  uuid: uuidOf(decision.id),
  origin: ORIGIN,
  type: decision.type,
  scope: SCOPE[decision.scope],
  value: decision.value,
  duration: goDuration(decision.expiresMs - nowMs),
  scenario: scenarioOf(decision),
});

/** Version 8 (RFC 9562): of the decision's own 64 bits. */
const uuidOf = (id: string): string =>
  `${id.slice(0, 8)}-${id.slice(8, 12)}-8${id.slice(12, 15)}-8${id.slice(15, 16).padEnd(1, '0')}00-000000000000`;

export interface LapiFilter {
  readonly scopes?: readonly string[];
  readonly value?: string;
  readonly type?: string;
  readonly network?: Network;
  readonly contains: boolean;
  readonly origins?: readonly string[];
  readonly containing?: readonly string[];
  readonly notContaining?: readonly string[];
}

const MOST_CHARACTERS = 1_024;
const MOST_WORDS = 64;

/** What a bouncer asks for, or what is wrong with it. Unknown parameters are passed over, as CrowdSec does. */
export function readFilter(
  query: URLSearchParams,
  byDefault: { readonly scopes?: readonly string[] } = {},
): LapiFilter | string {
  for (const [name, value] of query) if (value.length > MOST_CHARACTERS) return `${name.slice(0, 64)} is too long`;
  const words = (name: string): string[] | undefined => {
    const text = query.get(name);
    return text === null || text === ''
      ? undefined
      : text
          .split(',')
          .slice(0, MOST_WORDS)
          .map((word) => word.trim().toLowerCase());
  };
  const contains = query.get('contains') ?? 'true';
  // as strconv.ParseBool
  if (!/^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(contains)) return 'invalid contains value';
  const about = query.get('ip') ?? query.get('range');
  const network = about === null ? undefined : parseNetwork(about);
  if (network === null) return 'invalid ip address / range';
  const scopes = words('scopes') ?? words('scope') ?? byDefault.scopes;
  const [value, type] = [query.get('value'), query.get('type')];
  const [origins, containing, notContaining] = [
    words('origins'),
    words('scenarios_containing'),
    words('scenarios_not_containing'),
  ];
  return {
    contains: /^[1tT]/.test(contains),
    ...(scopes !== undefined && { scopes }),
    ...(value !== null && { value }),
    ...(type !== null && { type }),
    ...(network !== undefined && { network }),
    ...(origins !== undefined && { origins }),
    ...(containing !== undefined && { containing }),
    ...(notContaining !== undefined && { notContaining }),
  };
}

/** Same filter, same text: a bouncer's position is kept by it. */
export const filterKey = (filter: LapiFilter): string => JSON.stringify({ ...filter, network: filter.network?.text });

/**
 * What bouncers are shown of the decisions in force: of several about the same (other incidents, types alike) the longest, as
 * CrowdSec's `longestDecisionForScopeTypeValue`; so one that ends is only told to be gone where no other stands.
 */
export function shown(decisions: readonly Decision[], filter: LapiFilter): readonly Decision[] {
  const longest = new Map<string, Decision>();
  for (const decision of decisions) {
    if (!matches(decision, filter)) continue;
    const key = `${decision.scope} ${decision.type} ${decision.value}`;
    const present = longest.get(key);
    if (present === undefined || present.expiresMs < decision.expiresMs) longest.set(key, decision);
  }
  return [...longest.values()];
}

function matches(decision: Decision, filter: LapiFilter): boolean {
  if (decision.target !== 'everything') return false;
  if (filter.scopes && !filter.scopes.includes(SCOPE[decision.scope].toLowerCase())) return false;
  if (filter.value !== undefined && decision.value !== filter.value) return false;
  if (filter.type !== undefined && decision.type !== filter.type) return false;
  if (filter.origins && !filter.origins.includes(ORIGIN)) return false;
  const scenario = scenarioOf(decision);
  if (filter.containing && !filter.containing.some((word) => scenario.includes(word))) return false;
  if (filter.notContaining?.some((word) => scenario.includes(word))) return false;
  if (filter.network === undefined) return true;
  const subject = decision.scope === 'user' ? null : parseNetwork(decision.value);
  if (subject === null) return false;
  return filter.contains ? covers(subject, filter.network) : covers(filter.network, subject);
}
