/**
 * A shop's ordinary people over days: who they are, what they ask for. Nothing here knows the detector's constants; rates differ from
 * person to person by skewed distributions. The same seed gives the same days.
 */
import type { ActorEvent, TouchedObject } from '../../../schemas/log/actor-event.ts';
import { createRandom, type Random } from './random.ts';

export type Kind = 'shopper' | 'visitor' | 'agent' | 'support';

export interface Person {
  readonly id: number;
  readonly kind: Kind;
  readonly address: string;
  readonly user: string | null;
  readonly account: string;
  /** Share of requests for pages that are gone; of sign-ins mistyped; of objects that others shared with them. */
  readonly lost: number;
  readonly mistypes: number;
  readonly shared: number;
  /** Sessions a day. */
  readonly sessions: number;
  readonly orders: number[];
  /** Hour of day they are most awake. */
  readonly peak: number;
}

export interface Session {
  readonly person: Person;
  address: string;
  atMs: number;
  left: number;
  place: number;
  signedIn: boolean;
  /** Whose folder was shared with them, and how many of its documents they have yet to open. */
  folder: Person | null;
  unopened: number;
  /** Parts of the page that were fetched and are not there. */
  lostParts: number;
}

/** What happens to everybody for a while. */
export interface Scene {
  readonly kind: 'sign-ins fail' | 'parts of pages are lost';
  readonly fromMs: number;
  readonly toMs: number;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** A Monday at midnight. */
export const START_MS = Date.UTC(2026, 2, 2);

const PAGES = [
  'GET /',
  'GET /search',
  'GET /products/{id}',
  'POST /cart',
  'GET /orders',
  'GET /orders/{id}',
  'GET /help',
];
/** From page to page, by hundredths; rows as PAGES. */
const NEXT = [
  [0, 38, 33, 4, 17, 0, 8],
  [6, 22, 58, 5, 6, 0, 3],
  [7, 24, 36, 23, 7, 0, 3],
  [12, 16, 26, 10, 34, 0, 2],
  [9, 6, 12, 2, 7, 62, 2],
  [11, 9, 14, 3, 34, 26, 3],
  [31, 26, 17, 1, 23, 0, 2],
];

export interface World {
  readonly people: Person[];
  readonly random: Random;
  /** Orders ever made; ids count up from 1. */
  orders: number;
  /** Orders that their owners looked at, newest last. */
  readonly seen: number[];
  readonly scenes: Scene[];
  newOrder(person: Person): number;
}

const address = (n: number): string =>
  n % 9 === 4
    ? `2001:db8:${(n >>> 8).toString(16)}:${(n & 255).toString(16)}::${(n % 97) + 1}`
    : `${20 + ((n >>> 16) % 60)}.${(n >>> 8) & 255}.${(n * 37) & 255}.${1 + ((n * 11) % 253)}`;

/** Whether an address, a client, a network or a user is of these people: attacks come from elsewhere, by names of their own. */
export const isOrdinary = (key: string): boolean =>
  /^(u-\d|[2-7]\d\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|2001:db8:)/.test(key);

export interface Shares {
  readonly clients: number;
  readonly support: number;
  readonly agents: number;
  /** Users behind one address. */
  readonly behindOne: number;
}

export function createWorld(seed: number, shares: Shares): World {
  const random = createRandom(seed);
  const people: Person[] = [];
  const world: World = {
    people,
    random,
    orders: 0,
    seen: [],
    scenes: [],
    newOrder(person) {
      world.orders++;
      person.orders.push(world.orders);
      return world.orders;
    },
  };
  const add = (kind: Kind, at: string): void => {
    const id = people.length;
    const office = kind === 'agent' || kind === 'support';
    people.push({
      id,
      kind,
      address: at,
      user: kind === 'visitor' ? null : `u-${id}`,
      account: `person${id}@mail.example`,
      lost: Math.min(0.2, 0.013 * random.gamma(0.8)),
      mistypes: Math.min(0.5, 0.07 * random.gamma(1.4)),
      shared:
        kind === 'agent'
          ? 0.15 + 0.2 * random.next()
          : kind === 'support'
            ? 0.5 + 0.35 * random.next()
            : Math.min(0.2, 0.006 * random.gamma(1.2)),
      sessions: office ? 3 + 4 * random.next() : Math.min(8, 0.85 * random.gamma(1.1)),
      orders: [],
      peak: office ? 13 : 12 + 9 * random.next(),
    });
  };
  for (let i = 0; i < shares.clients; i++) {
    const share = random.next();
    add(share < 0.16 ? 'visitor' : 'shopper', address(i));
  }
  for (let i = 0; i < shares.agents; i++) add('agent', address(900_000 + i));
  for (let i = 0; i < shares.support; i++) add('support', `192.0.2.${10 + (i % 5)}`);
  for (let i = 0; i < shares.behindOne; i++) add('shopper', '198.51.100.77');
  for (let i = 0; i < 12 * 30; i++) add('shopper', `203.0.113.${20 + Math.floor(i / 12)}`); // offices of twelve
  // what was ordered before anybody looked
  for (let i = 0; i < shares.clients * 2; i++) world.newOrder(people[random.below(shares.clients)]!);
  return world;
}

/** Sessions in which a folder that somebody shared is opened, document by document. */
const SHARES_A_FOLDER = 0.003;
const DOCUMENTS = 16;
const PARTS = 6;

const isOn = (world: World, kind: Scene['kind'], atMs: number): boolean =>
  world.scenes.some((scene) => scene.kind === kind && atMs >= scene.fromMs && atMs < scene.toMs);

/** Sessions that begin in this hour, by the hour's and the person's habits. */
export function sessionsOf(world: World, hourMs: number): Session[] {
  const { random } = world;
  const hour = Math.floor((hourMs % DAY_MS) / HOUR_MS);
  const weekend = Math.floor((hourMs - START_MS) / DAY_MS) % 7 > 4;
  const found: Session[] = [];
  const { people } = world;
  for (const person of people) {
    const office = person.kind === 'agent' || person.kind === 'support';
    if (office && (weekend || hour < 7 || hour > 18)) continue;
    const away = Math.min(Math.abs(hour - person.peak), 24 - Math.abs(hour - person.peak));
    const awake = Math.exp(-(away * away) / 18) / 7.2;
    if (random.next() >= person.sessions * awake * (office ? 1.6 : 1)) continue;
    found.push({
      person,
      // one in eleven sessions of a shopper comes from another network: a phone
      address:
        person.kind === 'shopper' && random.next() < 1 / 11
          ? address(1_500_000 + random.below(300_000))
          : person.address,
      atMs: hourMs + random.below(HOUR_MS),
      left: 3 + Math.floor(9 * random.gamma(0.9)),
      place: -1,
      signedIn: false,
      folder: person.user !== null && random.next() < SHARES_A_FOLDER ? people[random.below(people.length)]! : null,
      unopened: 4 + Math.floor(6 * random.gamma(0.6)),
      lostParts: 0,
    });
  }
  return found;
}

type Mutable = { -readonly [K in keyof ActorEvent]: ActorEvent[K] };

/** One event that is written over and over: whoever takes it keeps none of it. */
export function newEvent(): Mutable {
  return {
    id: '',
    part: 'request',
    revision: 0,
    atMs: 0,
    startMs: 0,
    service: 'edge',
    operation: '',
    asynchronous: false,
    client: {
      address: '',
      source: 'x-forwarded-for',
      confidence: 'high',
      reason: '',
      hops: [],
      entrySpanId: '00f067aa0ba902b7',
      entryTraceId: '',
      user: null,
      session: null,
    },
    outcome: 1,
    httpStatus: 200,
    sampleWeight: 1,
    responseBytes: 900,
    objects: [],
    login: null,
    anomalous: false,
    p: 0.5,
    findings: [],
  };
}

let serial = 0;
const hex = (n: number, length: number): string => n.toString(16).padStart(length, '0');

export function address2(event: Mutable, at: string, user: string | null, atMs: number): void {
  serial++;
  const traceId = hex(serial, 12) + hex((serial * 2654435761) >>> 0, 8) + hex((serial * 40503) >>> 0, 12);
  event.id = `20260302-${traceId}-00f067aa0ba902b7`;
  event.atMs = atMs;
  event.startMs = atMs - 20;
  event.client = { ...event.client, address: at, user, entryTraceId: traceId };
  event.httpStatus = 200;
  event.outcome = 1;
  event.objects = NONE;
  event.login = null;
  event.responseBytes = 900;
}

const NONE: readonly TouchedObject[] = [];
const objectHash = (kind: number, n: number): number => kind * 4_503_599_627 + n * 7919 + 13;
export const order = (n: number): TouchedObject[] => [
  { kind: 'edge GET /orders/{id} · 1', hash: objectHash(3, n), number: n },
];
const product = (n: number): TouchedObject[] => [
  { kind: 'edge GET /products/{id} · 1', hash: objectHash(2, n), number: n },
];
const customer = (n: number): TouchedObject[] => [
  { kind: 'edge GET /backoffice/customers/{id} · 1', hash: objectHash(5, n), number: n },
];

const documentOf = (owner: Person, n: number): TouchedObject[] => {
  const number = owner.id * 1_000 + n;
  return [{ kind: 'edge GET /documents/{id} · 1', hash: objectHash(7, number), number }];
};

/** The session's next request into `event`; moves the session on. */
export function act(world: World, session: Session, event: Mutable): void {
  const { random } = world;
  const { person } = session;
  const atMs = session.atMs;
  session.left--;
  session.atMs += 1_500 + Math.floor(24_000 * random.gamma(0.7));
  address2(event, session.address, session.signedIn ? person.user : null, atMs);
  if (
    !session.signedIn &&
    person.user !== null &&
    (session.place < 0 || person.kind !== 'shopper' || random.next() < 0.3)
  ) {
    const right = random.next() >= person.mistypes && !isOn(world, 'sign-ins fail', atMs);
    event.operation = 'POST /login';
    const wrongName = !right && random.next() < 0.15;
    event.login = { account: wrongName ? `${person.account}${random.below(30)}` : person.account, succeeded: right };
    event.httpStatus = right ? 200 : 401;
    event.outcome = right ? 1 : 2;
    session.signedIn = right;
    if (!right && random.next() < 0.75) session.left++; // tries again
    session.place = 0;
    return;
  }
  if (session.lostParts < PARTS && isOn(world, 'parts of pages are lost', atMs)) {
    event.operation = `GET /static/part-${session.lostParts}.js`;
    event.httpStatus = 404;
    event.outcome = 2;
    session.lostParts++;
    session.atMs = atMs + 40;
    session.left++;
    return;
  }
  if (session.signedIn && session.folder !== null && session.unopened > 0) {
    event.operation = 'GET /documents/{id}';
    event.objects = documentOf(session.folder, session.unopened);
    session.unopened--;
    session.left++;
    session.atMs = atMs + 2_000 + Math.floor(7_000 * random.next());
    return;
  }
  if (random.next() < person.lost) {
    event.operation = random.next() < 0.6 ? `GET /old/${random.below(40)}` : 'GET';
    event.httpStatus = 404;
    event.outcome = 2;
    return;
  }
  const office = person.kind === 'support' || (person.kind === 'agent' && random.next() < 0.5);
  if (office && random.next() < 0.45) {
    event.operation = person.kind === 'support' ? 'GET /backoffice/customers/{id}' : 'GET /orders/{id}';
    event.objects =
      person.kind === 'support' ? customer(random.below(world.people.length)) : order(1 + random.below(world.orders));
    if (person.kind === 'agent' && random.next() > person.shared * 2) ownOrder(world, person, event);
    return;
  }
  if (session.signedIn && random.next() < 0.05) {
    event.operation = 'GET /documents/{id}';
    event.objects = documentOf(person, random.below(DOCUMENTS));
    return;
  }
  session.place = next(random, Math.max(0, session.place));
  if (session.place === 5 && event.client.user === null) session.place = 4; // nobody sees orders who has not signed in
  event.operation = PAGES[session.place]!;
  switch (session.place) {
    case 2:
      event.objects = product(1 + Math.floor(4_000 * random.next() ** 3));
      if (random.next() < 0.004) [event.httpStatus, event.outcome] = [404, 2];
      return;
    case 3:
      if (person.user !== null && random.next() < 0.35) world.newOrder(person);
      return;
    case 5:
      if (random.next() < person.shared) event.objects = order(1 + random.below(world.orders));
      else ownOrder(world, person, event);
      event.responseBytes = 2_500;
  }
}

function ownOrder(world: World, person: Person, event: Mutable): void {
  const { random } = world;
  event.operation = 'GET /orders/{id}';
  const { orders } = person;
  if (orders.length === 0) {
    event.operation = 'GET /orders';
    return;
  }
  const one = orders[orders.length - 1 - Math.floor(orders.length * random.next() ** 2)]!;
  event.objects = order(one);
  world.seen.push(one);
}

function next(random: Random, from: number): number {
  let point = random.below(100);
  for (let to = 0; to < 7; to++) {
    point -= NEXT[from]![to]!;
    if (point < 0) return to;
  }
  return 0;
}
