/**
 * Under which names an operation is told its objects. Senders make names up, so what an event keeps is chosen: what the path names, then
 * the names that the operation's requests have had most often, and of names that are not established no more than a share.
 */
import { hashText } from '../../traces/byte-table.ts';
import type { Symbols } from '../../traces/segment.ts';

export const MAX_OBJECTS = 8;
/** Of them by names that are not established. */
const MOST_UNESTABLISHED = 4;
/** Requests, and different clients among them, that establish a name. */
const REQUESTS = 20;
const CLIENTS = 3;
/** Names not known yet that one request may bring. */
const MOST_NEW = 16;
const MAX_NAMES = 50_000;

export interface ObjectName {
  readonly text: string;
  readonly high: number;
  readonly low: number;
}

interface Name extends ObjectName {
  requests: number;
  /** The first few. */
  readonly clients: string[];
  /** Request that it was last counted in. */
  last: number;
}

export interface ObjectNames {
  /** A request of this client; what follows is of it. */
  begin(client: string): void;
  /** A parameter of this label (service and operation) and name, at `place`. The path's is always kept while there is room. */
  offer(label: number, name: number, place: number, isPath: boolean): void;
  readonly count: number;
  placeAt(n: number): number;
  nameAt(n: number): ObjectName;
  /** Chooses, in the order of how well they are known, and counts what was offered. */
  choose(): void;
}

interface Offer {
  place: number;
  name: Name;
  isPath: boolean;
}

/** `maxNames`: names remembered over all operations; the rarest are forgotten. */
export function createObjectNames(symbols: Symbols, maxNames = MAX_NAMES): ObjectNames {
  const names = new Map<number, Name>();
  let offers: Offer[] = [];
  let added = 0;
  let request = 0;
  let client = '';

  function add(key: number, label: number, symbol: number): Name {
    const { service, operation } = symbols.labelOf(label);
    const text = `${symbols.text(service)} ${symbols.text(operation)} · ${symbols.text(symbol)}`;
    const hash = hashText(text);
    // lossy counting (Manku & Motwani 2002): what came once or twice makes room for what comes next, what comes always stays
    while (names.size >= maxNames)
      for (const [other, known] of names) {
        known.requests >>= 1;
        if (known.requests === 0) names.delete(other);
      }
    const name: Name = { text, high: Math.floor(hash / 4294967296), low: hash | 0, requests: 0, clients: [], last: 0 };
    names.set(key, name);
    return name;
  }

  function count(name: Name): void {
    if (name.last === request) return;
    name.last = request;
    name.requests++;
    if (name.clients.length < CLIENTS && !name.clients.includes(client)) name.clients.push(client);
  }

  const isEstablished = ({ requests, clients }: Name): boolean => requests >= REQUESTS && clients.length >= CLIENTS;

  const rank = (a: Offer, b: Offer): number =>
    Number(b.isPath) - Number(a.isPath) ||
    (a.isPath
      ? 0
      : Number(isEstablished(b.name)) - Number(isEstablished(a.name)) || b.name.requests - a.name.requests) ||
    a.place - b.place;

  return {
    begin(given) {
      offers = [];
      added = 0;
      request++;
      client = given;
    },
    offer(label, symbol, place, isPath) {
      const key = label * 4_194_304 + symbol;
      let name = names.get(key);
      if (name === undefined) {
        if (!isPath && added >= MOST_NEW) return;
        added++;
        name = add(key, label, symbol);
      }
      offers.push({ place, name, isPath });
    },
    choose() {
      const offered = offers;
      if (offered.length > 1) {
        offered.sort(rank);
        let room = MOST_UNESTABLISHED;
        offers = offered
          .filter(({ isPath, name }) => isPath || isEstablished(name) || room-- > 0)
          .slice(0, MAX_OBJECTS);
      }
      for (const { name } of offered) count(name);
    },
    get count() {
      return offers.length;
    },
    placeAt: (n) => offers[n]!.place,
    nameAt: (n) => offers[n]!.name,
  };
}
