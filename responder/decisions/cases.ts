/** Open incidents that may still become decisions, and which of them are about an address, a network or a user. Pure. */
import { covers, type Network, parseNetwork } from './network.ts';
import type { Case } from './rules.ts';

export interface Cases {
  get(id: string): Case | undefined;
  set(one: Case): void;
  delete(id: string): void;
  /** Those about one of the texts (an address, a user) or an address in one of the networks. */
  about(texts: readonly string[], networks: readonly Network[]): readonly Case[];
  all(): readonly Case[];
}

/** The one told of longest ago goes first. */
const MOST = 2_000;

export function createCases(snapshot: readonly Case[] = []): Cases {
  const cases = new Map<string, Case>();
  const byAddress = new Map<string, { readonly network: Network; readonly ids: Set<string> }>();
  const byUser = new Map<string, Set<string>>();

  function remove(id: string): void {
    const one = cases.get(id);
    if (one === undefined) return;
    cases.delete(id);
    const address = one.client.address === null ? undefined : parseNetwork(one.client.address)?.text;
    const same = address === undefined ? undefined : byAddress.get(address);
    same?.ids.delete(id);
    if (same?.ids.size === 0) byAddress.delete(address!);
    const users = byUser.get(one.client.user ?? '');
    users?.delete(id);
    if (users?.size === 0) byUser.delete(one.client.user ?? '');
  }

  function set(one: Case): void {
    remove(one.id); // the newest last
    cases.set(one.id, one);
    const network = one.client.address === null ? null : parseNetwork(one.client.address);
    if (network !== null) {
      const same = byAddress.get(network.text) ?? { network, ids: new Set() };
      same.ids.add(one.id);
      byAddress.set(network.text, same);
    }
    if (one.client.user !== null) {
      const users = byUser.get(one.client.user) ?? new Set();
      users.add(one.id);
      byUser.set(one.client.user, users);
    }
    if (cases.size > MOST) remove(cases.keys().next().value!);
  }
  for (const one of snapshot) set(one);

  return {
    get: (id) => cases.get(id),
    set,
    delete: remove,
    about(texts, networks) {
      const ids = new Set<string>();
      for (const text of texts) for (const id of byUser.get(text) ?? []) ids.add(id);
      for (const network of networks) {
        if (network.single) for (const id of byAddress.get(network.text)?.ids ?? []) ids.add(id);
        else
          for (const same of byAddress.values())
            if (covers(network, same.network)) for (const id of same.ids) ids.add(id);
      }
      // in the order they were told of, as a replay has it
      return ids.size === 0 ? [] : [...cases.values()].filter(({ id }) => ids.has(id));
    },
    all: () => [...cases.values()],
  };
}
