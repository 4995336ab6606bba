/**
 * Who caused a request (CONVENTIONS "Who the client is"): from the socket peer of the entry span, right to left through
 * the proxies we were told to trust, to the first address that is not one of them. `client.address` is the last resort,
 * as it holds whatever the client wrote leftmost.
 */
import type { AttributionConfig } from '../../schemas/config/attribution.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import { type AddressRanges, addressClass, createRanges, parseAddress } from './address.ts';
import { forwardedElements, forwardedForElements } from './forwarded.ts';

/** What the entry span says; '' and empty lists where it says nothing. */
export interface ClientEvidence {
  readonly service: string;
  readonly peer: string;
  readonly forwardedFor: readonly string[];
  readonly forwarded: readonly string[];
  readonly clientAddress: string;
  /** Values of the configured single-value headers that were captured, as [header, value]. */
  readonly singleValues: readonly (readonly [string, string])[];
}

/** The part of a client record that the evidence decides. */
export type ResolvedClient = Pick<ClientRecord, 'address' | 'source' | 'confidence' | 'reason' | 'hops'>;

export interface Attribution {
  resolve(evidence: ClientEvidence): ResolvedClient;
  /** Lower-case names of the headers that some configuration reads, beside the two list headers. */
  readonly singleValueHeaders: ReadonlySet<string>;
}

interface Trust {
  readonly proxies: AddressRanges;
  readonly hops: number;
  readonly singles: readonly { readonly header: string; readonly proxies: AddressRanges }[];
  readonly forwarding: AttributionConfig['forwarding'];
  readonly configured: boolean;
}

const NO_HOPS: readonly string[] = Object.freeze([]);

export function createAttribution(config: AttributionConfig): Attribution {
  const trustOf = (service: AttributionConfig['services'][string] | undefined): Trust => {
    const proxies = service?.trustedProxies ?? config.trustedProxies;
    const hops = service?.trustedHops ?? config.trustedHops;
    const singles = service?.singleValueHeaders ?? config.singleValueHeaders;
    return {
      proxies: createRanges(proxies),
      hops,
      singles: singles.map((single) => ({ header: single.header, proxies: createRanges(single.proxies) })),
      forwarding: service?.forwarding ?? config.forwarding,
      configured: proxies.length > 0 || hops > 0,
    };
  };
  const everywhere = trustOf(undefined);
  const byService = new Map(Object.entries(config.services).map(([name, service]) => [name, trustOf(service)]));
  const headers = new Set([everywhere, ...byService.values()].flatMap((trust) => trust.singles.map((s) => s.header)));
  const memo = new Map<string, ResolvedClient>();

  return {
    singleValueHeaders: headers,
    resolve(evidence) {
      const trust = byService.get(evidence.service) ?? everywhere;
      // JSON, as any separator of ours could stand inside a header.
      const key = JSON.stringify([
        byService.has(evidence.service) ? evidence.service : '',
        evidence.peer,
        evidence.forwardedFor,
        evidence.forwarded,
        evidence.clientAddress,
        evidence.singleValues,
      ]);
      const known = memo.get(key);
      if (known !== undefined) return known;
      const resolved = resolve(evidence, trust);
      if (memo.size >= config.memoEntries) memo.clear();
      if (config.memoEntries > 0 && key.length <= 512) memo.set(key, resolved);
      return resolved;
    },
  };
}

function resolve(evidence: ClientEvidence, trust: Trust): ResolvedClient {
  const peer = parseAddress(evidence.peer);
  if (peer.kind !== 'address') return withoutPeer(evidence, trust);
  const peerTrusted = trust.hops >= 1 || trust.proxies.has(peer.value);
  if (!peerTrusted) {
    return addressClass(peer.value) === 'public'
      ? { address: peer.text, source: 'peer', confidence: 'high', reason: '', hops: NO_HOPS }
      : { address: peer.text, source: 'peer', confidence: 'low', reason: 'private-peer', hops: NO_HOPS };
  }
  for (const single of trust.singles) {
    if (!single.proxies.has(peer.value)) continue;
    const value = evidence.singleValues.find(([header]) => header === single.header)?.[1];
    if (value === undefined) continue;
    const parsed = parseAddress(value);
    if (parsed.kind === 'address') {
      return { address: parsed.text, source: 'header', confidence: 'high', reason: '', hops: [peer.text] };
    }
  }
  return throughHeaders(evidence, trust, [peer.text], '');
}

/** Reads the list headers, `hops` being what was walked before them. */
function throughHeaders(
  evidence: ClientEvidence,
  trust: Trust,
  hops: readonly string[],
  reason: string,
): ResolvedClient {
  const useFor = evidence.forwardedFor.length > 0 && trust.forwarding !== 'forwarded';
  const useForwarded = evidence.forwarded.length > 0 && trust.forwarding !== 'x-forwarded-for';
  if (!useFor && !useForwarded) return withoutHeaders(evidence, trust, hops, reason);
  const first = useFor
    ? walk(forwardedForElements(evidence.forwardedFor), 'x-forwarded-for', trust, hops, reason)
    : walk(forwardedElements(evidence.forwarded), 'forwarded', trust, hops, reason);
  if (!useFor || !useForwarded) return first;
  // Both are there, and a proxy of ours appended to one only: the other is whatever the client sent.
  const second = walk(forwardedElements(evidence.forwarded), 'forwarded', trust, hops, reason);
  return second.address === first.address || first.confidence !== 'high'
    ? first
    : { ...first, confidence: 'medium', reason: 'headers-disagree' };
}

/** Right to left while the element is a trusted proxy; malformed or obfuscated stops at the last good hop. */
function walk(
  elements: readonly string[],
  source: 'x-forwarded-for' | 'forwarded',
  trust: Trust,
  before: readonly string[],
  reason: string,
): ResolvedClient {
  const hops = [...before];
  for (let i = elements.length - 1; i >= 0; i--) {
    const parsed = parseAddress(elements[i]!);
    if (parsed.kind !== 'address') {
      const last = hops.at(-1) ?? null;
      return {
        address: last,
        source: last === null ? 'none' : source,
        confidence: last === null ? 'none' : 'low',
        reason: parsed.kind,
        hops: hops.slice(0, -1),
      };
    }
    const position = elements.length - 1 - i;
    // The peer is the first hop; the rightmost element the second.
    if (position + 1 < trust.hops || trust.proxies.has(parsed.value)) {
      hops.push(parsed.text);
      continue;
    }
    if (reason !== '') return { address: parsed.text, source, confidence: 'medium', reason, hops };
    return addressClass(parsed.value) === 'public'
      ? { address: parsed.text, source, confidence: 'high', reason: '', hops }
      : { address: parsed.text, source, confidence: 'medium', reason: 'private-address', hops };
  }
  // Every hop is ours: the request began inside.
  return {
    address: hops.at(-1) ?? null,
    source,
    confidence: 'medium',
    reason: 'only-trusted-hops',
    hops: hops.slice(0, -1),
  };
}

/** Behind a trusted proxy whose headers were not captured. */
function withoutHeaders(
  evidence: ClientEvidence,
  trust: Trust,
  hops: readonly string[],
  reason: string,
): ResolvedClient {
  const said = parseAddress(evidence.clientAddress);
  const why = reason === '' ? 'no-header-capture' : reason;
  if (said.kind === 'address' && !trust.proxies.has(said.value) && !hops.includes(said.text)) {
    return { address: said.text, source: 'client.address', confidence: 'low', reason: why, hops };
  }
  const last = hops.at(-1);
  if (last === undefined) return { address: null, source: 'none', confidence: 'none', reason: why, hops: NO_HOPS };
  return { address: last, source: 'peer', confidence: 'low', reason: why, hops: hops.slice(0, -1) };
}

/** No usable socket peer: headers say something only if we know that a proxy of ours stands in front. */
function withoutPeer(evidence: ClientEvidence, trust: Trust): ResolvedClient {
  return trust.configured
    ? throughHeaders(evidence, trust, NO_HOPS, 'no-peer')
    : withoutHeaders(evidence, trust, NO_HOPS, 'no-peer');
}
