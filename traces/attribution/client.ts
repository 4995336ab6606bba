/**
 * Who caused a request (CONVENTIONS "Who the client is"): from the socket peer of the entry span, right to left through
 * the proxies we were told to trust, to the first address that is not one of them. `client.address` is the last resort,
 * as it holds whatever the client wrote leftmost.
 */
import type { AttributionConfig } from '../../schemas/config/attribution.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import {
  type Address,
  type AddressRanges,
  addressClass,
  createRanges,
  type Parsed,
  type Peer,
  parseAddress,
  parsePeer,
  UNIX_PEER,
} from './address.ts';
import { type Elements, forwardedElements, forwardedForElements, LOST_END } from './forwarded.ts';

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
export type ResolvedClient = Pick<ClientRecord, 'address' | 'source' | 'confidence' | 'reason' | 'hops' | 'peer'>;

export interface Attribution {
  /** The same object for the same evidence, while it is remembered. */
  resolve(evidence: ClientEvidence): ResolvedClient;
  /** Names of the headers that some configuration reads beside the two list headers: lower case, `-` for `_`. */
  readonly singleValueHeaders: ReadonlySet<string>;
  /** Characters after which SDKs cut the values of attributes; 0 = they do not. */
  readonly attributeLengthLimit: number;
  /** Results remembered now. */
  readonly remembered: number;
}

/**
 * Nothing that he sent decided who is named. Headers that disagree are no doubt here: whoever adds one of his own would hide by it, under
 * somebody else's request or as nobody.
 */
export const isSure = ({ confidence, reason }: Pick<ClientRecord, 'confidence' | 'reason'>): boolean =>
  confidence === 'high' || reason === 'headers-disagree';

interface Trust {
  readonly proxies: AddressRanges;
  readonly hops: number;
  readonly singles: readonly { readonly header: string; readonly proxies: AddressRanges }[];
  readonly forwarding: AttributionConfig['forwarding'];
  readonly configured: boolean;
  /** Configured for this very service. */
  readonly own: boolean;
  readonly peers: Map<string, KnownPeer>;
}

/** What is remembered of one peer; of an untrusted one there is nothing else to know. */
interface KnownPeer {
  readonly peer: Peer;
  readonly alone: ResolvedClient | undefined;
  /** By the one X-Forwarded-For value, where that is all there is. */
  readonly byValue: Map<string, ResolvedClient>;
  /** By everything, as JSON: any separator of ours could stand inside a header. */
  readonly byAll: Map<string, ResolvedClient>;
}

const NO_HOPS: readonly string[] = Object.freeze([]);
/** Longer headers are read again each time: they are rare, and whoever sends them must not fill the memory. */
const MAX_REMEMBERED_LENGTH = 512;

export function createAttribution(config: AttributionConfig): Attribution {
  const trustOf = (service: AttributionConfig['services'][string] | undefined): Trust => {
    const proxies = service?.trustedProxies ?? config.trustedProxies;
    const hops = service?.trustedHops ?? config.trustedHops;
    const singles = service?.singleValueHeaders ?? config.singleValueHeaders;
    return {
      proxies: createRanges(proxies),
      hops,
      singles: singles.map((single) => ({
        header: single.header.replaceAll('_', '-'),
        proxies: createRanges(single.proxies),
      })),
      forwarding: service?.forwarding ?? config.forwarding,
      configured: proxies.length > 0 || hops > 0,
      own: service?.trustedProxies !== undefined || service?.trustedHops !== undefined,
      peers: new Map(),
    };
  };
  const everywhere = trustOf(undefined);
  const byService = new Map(Object.entries(config.services).map(([name, service]) => [name, trustOf(service)]));
  const trusts = [everywhere, ...byService.values()];
  const { memoEntries } = config;
  let remembered = 0;

  function remember<T>(map: Map<string, T>, key: string, value: T): T {
    if (key.length > MAX_REMEMBERED_LENGTH || memoEntries === 0) return value;
    if (remembered >= memoEntries) {
      for (const { peers } of trusts) peers.clear();
      remembered = 0;
      map.clear(); // may belong to a peer that was forgotten just now
    }
    map.set(key, value);
    remembered++;
    return value;
  }

  function knownPeer(trust: Trust, text: string): KnownPeer {
    const known = trust.peers.get(text);
    if (known !== undefined) return known;
    const peer = parsePeer(text);
    const alone = isTrusted(trust, peer) || peer.kind !== 'address' ? undefined : untrustedPeer(peer.text, peer.value);
    return remember(trust.peers, text, { peer, alone, byValue: new Map(), byAll: new Map() });
  }

  return {
    singleValueHeaders: new Set(trusts.flatMap(({ singles }) => singles.map(({ header }) => header))),
    attributeLengthLimit: config.attributeLengthLimit,
    get remembered() {
      return remembered;
    },
    resolve(evidence) {
      const trust = byService.get(evidence.service) ?? everywhere;
      const known = knownPeer(trust, evidence.peer);
      if (known.alone !== undefined) return known.alone;
      const { forwardedFor, forwarded, singleValues } = evidence;
      const plain = forwardedFor.length === 1 && forwarded.length === 0 && singleValues.length === 0;
      if (plain && trust.forwarding !== 'forwarded') {
        const value = forwardedFor[0]!;
        return known.byValue.get(value) ?? remember(known.byValue, value, resolve(evidence, trust, known.peer));
      }
      let length = evidence.clientAddress.length;
      for (const text of forwardedFor) length += text.length;
      for (const text of forwarded) length += text.length;
      for (const [, text] of singleValues) length += text.length;
      if (length > MAX_REMEMBERED_LENGTH) return resolve(evidence, trust, known.peer);
      const key = JSON.stringify([forwardedFor, forwarded, evidence.clientAddress, singleValues]);
      return known.byAll.get(key) ?? remember(known.byAll, key, resolve(evidence, trust, known.peer));
    },
  };
}

const isTrusted = ({ hops, proxies }: Trust, peer: Peer): boolean =>
  peer.kind === 'address' ? hops >= 1 || proxies.has(peer.value) : peer.kind === 'unix' && (hops >= 1 || proxies.unix);

const untrustedPeer = (text: string, value: Address): ResolvedClient =>
  addressClass(value) === 'public'
    ? { address: text, source: 'peer', confidence: 'high', reason: '', hops: NO_HOPS, peer: text }
    : { address: text, source: 'peer', confidence: 'low', reason: 'private-peer', hops: NO_HOPS, peer: text };

/** A client found, and the outermost hop of ours that it came through. */
interface Walked {
  readonly client: ResolvedClient;
  readonly outermost: Parsed | undefined;
}

function resolve(evidence: ClientEvidence, trust: Trust, peer: Peer): ResolvedClient {
  if (!isTrusted(trust, peer)) return withoutPeer(evidence, trust, peer);
  const own = peer.kind === 'address' ? peer : undefined;
  const { client, outermost } = throughHeaders(evidence, trust, own);
  const named = bySingleValue(evidence, trust, peer, outermost) ?? client;
  return { ...named, peer: own?.text ?? UNIX_PEER };
}

/** A header that names the client alone is believed from whom it is configured for: the peer, or the outermost hop. */
function bySingleValue(
  evidence: ClientEvidence,
  trust: Trust,
  peer: Peer,
  outermost: Parsed | undefined,
): ResolvedClient | undefined {
  if (evidence.singleValues.length === 0) return undefined;
  for (const { header, proxies } of trust.singles) {
    const sets =
      (peer.kind === 'address' && proxies.has(peer.value)) ||
      (peer.kind === 'unix' && proxies.unix) ||
      (outermost?.kind === 'address' && proxies.has(outermost.value));
    const value = sets ? evidence.singleValues.find(([name]) => name === header)?.[1] : undefined;
    const parsed = value === undefined ? undefined : parseAddress(value);
    if (parsed?.kind !== 'address') continue;
    const hops = outermost?.kind === 'address' ? [outermost.text] : NO_HOPS;
    return { ...certain(parsed, 'header'), hops: peer.kind === 'address' ? hopsTo(peer.text, hops) : hops };
  }
  return undefined;
}

const hopsTo = (peer: string, outer: readonly string[]): readonly string[] =>
  outer.length === 0 || outer[0] === peer ? [peer] : [peer, ...outer];

const certain = (
  { text, value }: Extract<Parsed, { kind: 'address' }>,
  source: ResolvedClient['source'],
): Omit<ResolvedClient, 'hops'> =>
  addressClass(value) === 'public'
    ? { address: text, source, confidence: 'high', reason: '' }
    : { address: text, source, confidence: 'medium', reason: 'private-address' };

/** Reads the list headers behind a hop of ours: `peer`, or an unseen one (a Unix socket's other end). */
function throughHeaders(evidence: ClientEvidence, trust: Trust, peer: Parsed | undefined): Walked {
  const useFor = evidence.forwardedFor.length > 0 && trust.forwarding !== 'forwarded';
  const useForwarded = evidence.forwarded.length > 0 && trust.forwarding !== 'x-forwarded-for';
  if (!useFor && !useForwarded) {
    const hops = peer?.kind === 'address' ? [peer.text] : NO_HOPS;
    return { client: withoutHeaders(evidence, trust, hops, 'no-header-capture'), outermost: peer };
  }
  const byForwarded = (): Walked => walk(forwardedElements(evidence.forwarded), 'forwarded', trust, peer);
  if (!useFor) return byForwarded();
  const first = walk(forwardedForElements(evidence.forwardedFor), 'x-forwarded-for', trust, peer);
  if (!useForwarded || first.client.confidence !== 'high') return first;
  // Both are there, and a proxy of ours appended to one only: the other is whatever the client sent.
  if (byForwarded().client.address === first.client.address) return first;
  return { ...first, client: { ...first.client, confidence: 'medium', reason: 'headers-disagree' } };
}

/** Right to left while the element is a trusted proxy; malformed or obfuscated stops at the last good hop. */
function walk(
  elements: Elements,
  source: 'x-forwarded-for' | 'forwarded',
  trust: Trust,
  peer: Parsed | undefined,
): Walked {
  const hops: string[] = peer?.kind === 'address' ? [peer.text] : [];
  let outermost = peer;
  // The peer is the first hop, seen or not; the rightmost element the second.
  for (let hop = 2; ; hop++) {
    const element = elements.previous();
    if (element === undefined) return { client: stopped(hops, source, 'medium', 'only-trusted-hops'), outermost };
    const parsed = parseAddress(element);
    if (parsed.kind !== 'address') {
      const reason = element.endsWith(LOST_END) ? 'truncated' : parsed.kind;
      return { client: stopped(hops, source, 'low', reason), outermost };
    }
    if (hop > trust.hops && !trust.proxies.has(parsed.value))
      return { client: { ...certain(parsed, source), hops }, outermost };
    hops.push(parsed.text);
    outermost = parsed;
  }
}

/** Nobody beyond our own hops can be named: the last of them is, where there is one. */
function stopped(
  hops: readonly string[],
  source: ResolvedClient['source'],
  confidence: 'medium' | 'low',
  reason: string,
): ResolvedClient {
  const last = hops.at(-1);
  return last === undefined
    ? { address: null, source: 'none', confidence: 'none', reason, hops: NO_HOPS }
    : { address: last, source, confidence, reason, hops: hops.slice(0, -1) };
}

/** Behind a trusted proxy whose headers were not captured, or without a peer. */
function withoutHeaders(
  evidence: ClientEvidence,
  trust: Trust,
  hops: readonly string[],
  reason: string,
): ResolvedClient {
  const said = parseAddress(evidence.clientAddress);
  if (said.kind === 'address' && !trust.proxies.has(said.value) && !hops.includes(said.text))
    return { address: said.text, source: 'client.address', confidence: 'low', reason, hops };
  return stopped(hops, 'peer', 'low', reason);
}

/**
 * No usable socket peer. Headers say something only where proxies of ours stand in front; that they do here is known
 * when they are configured for this very service, else it is a guess.
 */
function withoutPeer(evidence: ClientEvidence, trust: Trust, peer: Peer): ResolvedClient {
  const reason = peer.kind === 'unix' ? 'unix-peer' : 'no-peer';
  const unix = peer.kind === 'unix' ? { peer: UNIX_PEER } : {};
  const useHeaders =
    trust.configured &&
    ((evidence.forwardedFor.length > 0 && trust.forwarding !== 'forwarded') ||
      (evidence.forwarded.length > 0 && trust.forwarding !== 'x-forwarded-for'));
  if (!useHeaders) return { ...withoutHeaders(evidence, trust, NO_HOPS, reason), ...unix };
  const { client } = throughHeaders(evidence, trust, undefined);
  if (client.address === null) return { ...client, ...unix };
  const sure = trust.own && client.confidence === 'high';
  return { ...client, confidence: sure ? 'medium' : 'low', reason, ...unix };
}
