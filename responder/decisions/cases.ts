/** Open incidents that may still become decisions, and which of them are about an address, a network or a user. Pure. */
import { covers, type Network, parseNetwork } from './network.ts';
import type { Case } from './rules.ts';

export interface Cases {
  get(key: string): Case | undefined;
  set(one: Case): void;
  /** All of an incident. */
  delete(incidentId: string): void;
  /** Those about one of the texts (an address, a user) or an address in one of the networks. */
  about(texts: readonly string[], networks: readonly Network[]): readonly Case[];
  all(): readonly Case[];
  /** How many gave way to newer ones. */
  readonly forgotten: number;
}

/** The one told of longest ago goes first. */
const MOST = 2_000;

export function createCases(snapshot: readonly Case[] = []): Cases {
  const cases = new Map<string, Case>();
  const byAddress = new Map<string, { readonly network: Network; readonly keys: Set<string> }>();
  const byUser = new Map<string, Set<string>>();
  const byIncident = new Map<string, Set<string>>();
  let forgotten = 0;

  function remove(key: string): void {
    const one = cases.get(key);
    if (one === undefined) return;
    cases.delete(key);
    const address = one.client.address === null ? undefined : parseNetwork(one.client.address)?.text;
    const same = address === undefined ? undefined : byAddress.get(address);
    same?.keys.delete(key);
    if (same?.keys.size === 0) byAddress.delete(address!);
    take(byUser, one.client.user ?? '', key);
    take(byIncident, one.id, key);
  }

  function set(one: Case): void {
    remove(one.key); // the newest last
    cases.set(one.key, one);
    const network = one.client.address === null ? null : parseNetwork(one.client.address);
    if (network !== null) {
      const same = byAddress.get(network.text) ?? { network, keys: new Set() };
      same.keys.add(one.key);
      byAddress.set(network.text, same);
    }
    if (one.client.user !== null) put(byUser, one.client.user, one.key);
    put(byIncident, one.id, one.key);
    if (cases.size <= MOST) return;
    remove(cases.keys().next().value!);
    forgotten++;
  }
  for (const one of snapshot) set(one);

  return {
    get: (key) => cases.get(key),
    set,
    delete(incidentId) {
      for (const key of [...(byIncident.get(incidentId) ?? [])]) remove(key);
    },
    about(texts, networks) {
      const keys = new Set<string>();
      for (const text of texts) for (const key of byUser.get(text) ?? []) keys.add(key);
      for (const network of networks) {
        if (network.single) for (const key of byAddress.get(network.text)?.keys ?? []) keys.add(key);
        else
          for (const same of byAddress.values())
            if (covers(network, same.network)) for (const key of same.keys) keys.add(key);
      }
      // in the order they were told of, as a replay has it
      return keys.size === 0 ? [] : [...cases.values()].filter(({ key }) => keys.has(key));
    },
    all: () => [...cases.values()],
    get forgotten() {
      return forgotten;
    },
  };
}

function put(map: Map<string, Set<string>>, name: string, key: string): void {
  const keys = map.get(name) ?? new Set();
  keys.add(key);
  map.set(name, keys);
}

function take(map: Map<string, Set<string>>, name: string, key: string): void {
  const keys = map.get(name);
  keys?.delete(key);
  if (keys?.size === 0) map.delete(name);
}
