/**
 * The decisions that are handed out: enforced ones, until they end by the clock. Newer revisions win, from whichever side they come
 * (the owner of the findings, or rows read back), so that ClickHouse or the owner may be away: what is known stays until it ends.
 * Nothing known is nothing blocked.
 */
import type { Decision } from '../../schemas/alerts/decision.ts';
import { parseNetwork, prefixKey } from './network.ts';

export interface Served {
  put(decisions: readonly Decision[]): void;
  /** In force now, by number. */
  all(): readonly Decision[];
  /** About this address: itself, or a range it is one of. */
  ofAddress(address: string): readonly Decision[];
  ofUser(user: string): readonly Decision[];
  /** That ended within the last hour. */
  endedLately(): readonly Decision[];
  /** Grows with every change, also when one ends. */
  readonly version: number;
}

/** Ended ones are remembered so long, so that an older row of one does not bring it back. */
const REMEMBERED_MS = 3_600_000;
const NONE: readonly Decision[] = [];

export function createServed(now: () => number): Served {
  const newest = new Map<string, Decision>();
  let byAddress = new Map<string, Decision[]>();
  let byUser = new Map<string, Decision[]>();
  /** By the number of their bits, of which there are few: an address is looked up once a number. */
  let byPrefix = new Map<number, Map<string, Decision[]>>();
  let all: readonly Decision[] = [];
  let nextEndMs = Number.POSITIVE_INFINITY;
  let version = 0;

  function index(): void {
    const nowMs = now();
    byAddress = new Map();
    byUser = new Map();
    byPrefix = new Map();
    const live: Decision[] = [];
    nextEndMs = Number.POSITIVE_INFINITY;
    for (const decision of newest.values()) {
      if (decision.expiresMs < nowMs - REMEMBERED_MS) newest.delete(decision.id);
      if (decision.state !== 'enforced' || decision.expiresMs <= nowMs) continue;
      const network = decision.scope === 'user' ? null : parseNetwork(decision.value);
      if (decision.scope === 'user') add(byUser, decision.value, decision);
      else if (network === null) continue;
      else if (network.single) add(byAddress, network.text, decision);
      else {
        const ranges = byPrefix.get(network.bits) ?? new Map<string, Decision[]>();
        byPrefix.set(network.bits, ranges);
        add(ranges, prefixKey(network, network.bits), decision);
      }
      live.push(decision);
      nextEndMs = Math.min(nextEndMs, decision.expiresMs);
    }
    all = live.sort((a, b) => a.number - b.number);
    version++;
  }

  const current = (): void => {
    if (nextEndMs <= now()) index();
  };

  return {
    put(decisions) {
      let changed = false;
      for (const decision of decisions) {
        const known = newest.get(decision.id);
        if (known !== undefined && known.revision >= decision.revision) continue;
        newest.set(decision.id, decision);
        changed ||= decision.state === 'enforced' || known?.state === 'enforced';
      }
      if (changed) index();
    },
    all() {
      current();
      return all;
    },
    ofAddress(text) {
      current();
      const exact = byAddress.get(text) ?? NONE;
      if (byPrefix.size === 0) return exact;
      const network = parseNetwork(text);
      if (network === null) return exact;
      const found = [...exact];
      for (const [bits, ranges] of byPrefix) {
        if (bits < network.bits) found.push(...(ranges.get(prefixKey(network, bits)) ?? NONE));
      }
      return found;
    },
    ofUser(user) {
      current();
      return byUser.get(user) ?? NONE;
    },
    endedLately() {
      const nowMs = now();
      const ended = (one: Decision): boolean =>
        one.state === 'undone' || one.state === 'expired' || (one.state === 'enforced' && one.expiresMs <= nowMs);
      return [...newest.values()].filter(ended);
    },
    get version() {
      current();
      return version;
    },
  };
}

function add(map: Map<string, Decision[]>, key: string, decision: Decision): void {
  const present = map.get(key);
  if (present === undefined) map.set(key, [decision]);
  else present.push(decision);
}
