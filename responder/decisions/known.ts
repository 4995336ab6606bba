/**
 * What is known of addresses, networks and users that response must know before it acts: how many share them, how grave they
 * are, which are proxies, and which a misconfiguration notice covers. From the records of `findings` alone; bounded. Pure.
 */
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import { STAGES, type Stage } from '../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import { covers, type Network, overlap, parseNetwork } from './network.ts';

export interface KnownActor {
  /** Distinct users behind it. */
  readonly users: number;
  /** Lately. */
  readonly requests: number;
  /** By a service whose spans name users. */
  readonly usersNamed: boolean;
  /** Of a network: how sure its least sure address is. */
  readonly confidence: ClientRecord['confidence'];
  readonly risk: number;
  readonly stages: readonly Stage[];
  /** Over a bound by itself. */
  readonly abuses: boolean;
  readonly atMs: number;
}

export interface Known {
  /** Gives what it is about: addresses, ranges and users whose decisions are to be looked at again. */
  actor(record: ActorRecord): readonly string[];
  /** A client of a verdict: hops and peers are proxies. Gives those not known as such before. */
  client(client: ClientRecord, atMs: number): readonly string[];
  /** Our own configuration names the wrong client: these. */
  notice(addresses: readonly string[], atMs: number): readonly string[];
  address(text: string, nowMs: number): KnownActor | undefined;
  network(text: string, nowMs: number): KnownActor | undefined;
  user(text: string, nowMs: number): KnownActor | undefined;
  /** Users behind those of its addresses that are known. */
  usersWithin(network: Network, nowMs: number): number;
  /** Networks over a bound that the address is one of, narrowest first. */
  abusing(address: Network, nowMs: number): readonly Network[];
  /** Seen to be one in the last day. */
  isProxy(network: Network, nowMs: number): boolean;
  isNoticed(network: Network, nowMs: number): boolean;
  snapshot(): KnownSnapshot;
}

type Rows<T> = readonly (readonly [string, T])[];
export interface KnownSnapshot {
  readonly addresses: Rows<KnownActor>;
  readonly networks: Rows<KnownActor>;
  readonly users: Rows<KnownActor>;
  /** When they were seen to be last. */
  readonly proxies: Rows<number>;
  readonly notices: Rows<number>;
}

/** What was said of somebody counts so long. */
const FACTS_MS = 86_400_000;
const MOST = { addresses: 10_000, networks: 2_000, users: 5_000, proxies: 2_000, notices: 2_000 } as const;

/** Newest last; the one not heard of for longest goes first. */
function createRecent<T>(most: number, rows: Rows<T> = []) {
  const map = new Map<string, T>(rows);
  return {
    map,
    set(key: string, value: T): boolean {
      const isNew = !map.delete(key);
      map.set(key, value);
      if (map.size > most) map.delete(map.keys().next().value!);
      return isNew;
    },
  };
}

/** Parsed once: ranges are compared with everything there is. */
function createParsed(texts: () => Iterable<string>): { each(): Iterable<Network>; add(text: string): void } {
  let parsed = new Map<string, Network>();
  const add = (text: string): void => {
    const network = parsed.get(text) ?? parseNetwork(text);
    if (network !== null) parsed.set(text, network);
  };
  for (const text of texts()) add(text);
  return {
    add,
    *each() {
      const present = new Set(texts());
      if (parsed.size > present.size) parsed = new Map([...parsed].filter(([text]) => present.has(text)));
      yield* parsed.values();
    },
  };
}

export function createKnown(snapshot?: KnownSnapshot): Known {
  const addresses = createRecent<KnownActor>(MOST.addresses, snapshot?.addresses);
  const networks = createRecent<KnownActor>(MOST.networks, snapshot?.networks);
  const users = createRecent<KnownActor>(MOST.users, snapshot?.users);
  const proxies = createRecent<number>(MOST.proxies, snapshot?.proxies);
  const notices = createRecent<number>(MOST.notices, snapshot?.notices);
  const isProxySince = (text: string, atMs: number): boolean => (proxies.map.get(text) ?? -Infinity) > atMs - FACTS_MS;
  const parsedAddresses = createParsed(() => addresses.map.keys());
  const parsedNetworks = createParsed(() => networks.map.keys());
  const parsedProxies = createParsed(() => proxies.map.keys());
  const parsedNotices = createParsed(() => notices.map.keys());

  const fresh = (found: KnownActor | undefined, nowMs: number): KnownActor | undefined =>
    found !== undefined && found.atMs > nowMs - FACTS_MS ? found : undefined;

  const known: Known = {
    actor(record) {
      const touched = [...known.client(record.client, record.atMs)];
      const { kind, key } = record.subject;
      const named = kind === 'client' || kind === 'network' ? parseNetwork(key) : null;
      if (record.abuse === 'attribution') {
        const covered = [key, record.client.address ?? '', ...record.clients];
        return [...touched, ...known.notice(covered, record.atMs)];
      }
      const { facts, risk, atMs } = record;
      if (facts.misattributed === true) touched.push(...known.notice([key], atMs));
      const stages = STAGES.filter((stage) => record.stages.some((mark) => mark.stage === stage));
      // of many it is the least sure that counts; a client that is a /64 is as sure as the address it came by
      const confidence = facts.confidence ?? (kind === 'client' ? record.client.confidence : 'none');
      const { users: behind, requests, usersNamed = false } = facts;
      const actor = {
        users: behind,
        requests,
        usersNamed,
        confidence,
        risk,
        stages,
        abuses: record.abuse !== '',
        atMs,
      };
      // what is told of one that was over its bound goes on to be one that was
      const merged = (before: KnownActor | undefined): KnownActor =>
        fresh(before, atMs)?.abuses === true ? { ...actor, abuses: true } : actor;
      if (named?.single) {
        addresses.set(named.text, merged(addresses.map.get(named.text)));
        parsedAddresses.add(named.text);
        touched.push(named.text);
      } else if (named !== null) {
        networks.set(named.text, merged(networks.map.get(named.text)));
        parsedNetworks.add(named.text);
        touched.push(named.text);
        // a client of IPv6 is a /64: what is known of it is known of the address it came by
        const one = kind === 'client' ? parseNetwork(record.client.address ?? '') : null;
        if (one?.single) {
          addresses.set(one.text, merged(addresses.map.get(one.text)));
          parsedAddresses.add(one.text);
          touched.push(one.text);
        }
      } else if (kind === 'user') {
        users.set(key, merged(users.map.get(key)));
        touched.push(key);
      }
      return touched;
    },
    // of any confidence: our own balancer must not be decided about because headers are not captured behind it
    client({ hops, peer, address }, atMs) {
      const found: string[] = [];
      for (const text of peer === undefined || peer === address ? hops : [...hops, peer]) {
        const proxy = parseNetwork(text);
        if (proxy === null) continue;
        if (!isProxySince(proxy.text, atMs)) found.push(proxy.text);
        proxies.set(proxy.text, Math.max(atMs, proxies.map.get(proxy.text) ?? 0));
        parsedProxies.add(proxy.text);
      }
      return found;
    },
    notice(covered, atMs) {
      const found: string[] = [];
      for (const text of covered) {
        const one = parseNetwork(text);
        if (one === null) continue;
        notices.set(one.text, atMs);
        parsedNotices.add(one.text);
        found.push(one.text);
      }
      return found;
    },
    address: (text, nowMs) => fresh(addresses.map.get(text), nowMs),
    network: (text, nowMs) => fresh(networks.map.get(text), nowMs),
    user: (text, nowMs) => fresh(users.map.get(text), nowMs),
    usersWithin(network, nowMs) {
      let users = 0;
      for (const address of parsedAddresses.each())
        if (covers(network, address)) users += fresh(addresses.map.get(address.text), nowMs)?.users ?? 0;
      return users;
    },
    abusing(address, nowMs) {
      const found: Network[] = [];
      for (const network of parsedNetworks.each()) {
        const actor = fresh(networks.map.get(network.text), nowMs);
        if (actor?.abuses === true && covers(network, address)) found.push(network);
      }
      return found.sort((a, b) => b.bits - a.bits);
    },
    isProxy(network, nowMs) {
      if (network.single) return isProxySince(network.text, nowMs);
      for (const proxy of parsedProxies.each())
        if (isProxySince(proxy.text, nowMs) && overlap(proxy, network)) return true;
      return false;
    },
    isNoticed(network, nowMs) {
      for (const notice of parsedNotices.each())
        if (notices.map.get(notice.text)! > nowMs - FACTS_MS && overlap(notice, network)) return true;
      return false;
    },
    snapshot: () => ({
      addresses: [...addresses.map],
      networks: [...networks.map],
      users: [...users.map],
      proxies: [...proxies.map],
      notices: [...notices.map],
    }),
  };
  return known;
}
