/** Attacks on the simulated shop, each with its ground truth: which record finds it, and how many requests it took. */
import type { AbuseKind, ActorRecord } from '../../../schemas/log/actor-record.ts';
import { address2, HOUR_MS, type newEvent, order, type World } from './people.ts';

type Event = ReturnType<typeof newEvent>;

export interface Attack {
  readonly name: string;
  atMs: number;
  /** Requests made until now; when it was found. */
  requests: number;
  found: number;
  /** The record that found it. */
  by: ActorRecord | null;
  /** Writes its next request; false when it is over. */
  step(event: Event): boolean;
  isIt(record: ActorRecord): boolean;
}

const base = { requests: 0, found: 0, by: null };

export function enumeration(world: World, n: number, fromMs: number, sequential: boolean): Attack {
  const { random } = world;
  const at = `5.188.${n % 250}.${10 + (n % 60)}`;
  const user = `intruder-${sequential ? 's' : 'r'}${n}`;
  let id = 1 + random.below(world.orders - 500);
  const stride = 1 + (n % 3);
  const attack: Attack = {
    ...base,
    name: sequential ? 'enumeration, ids counted up' : 'enumeration, ids at random',
    atMs: fromMs,
    step(event) {
      address2(event, at, user, attack.atMs);
      attack.atMs += 700 + random.below(4_000);
      event.operation = 'GET /orders/{id}';
      id = sequential ? id + stride : 1 + random.below(world.orders);
      event.objects = order(id);
      return attack.requests < 400;
    },
    isIt: ({ subject }) => subject.key === user || subject.key === at,
  };
  return attack;
}

/** An ordinary customer who every fifth time looks at what is not theirs, slowly. */
export function slowMixed(world: World, n: number, fromMs: number, guessing: boolean): Attack {
  const { random } = world;
  const foreign = (): number =>
    guessing ? 1 + random.below(world.orders) : world.seen[random.below(world.seen.length)]!;
  const person = world.people[1_000 + n * 97]!;
  const user = `${guessing ? 'guess' : 'slow'}-${n}`;
  const at = `5.${guessing ? 187 : 189}.${n % 250}.${40 + (n % 60)}`;
  const own = [1, 2, 3].map(() => {
    world.orders += 1 + random.below(300);
    return world.orders;
  });
  const attack: Attack = {
    ...base,
    name: guessing ? 'mixed, one in five a guess, slow' : 'mixed, one in five foreign, slow',
    atMs: fromMs,
    step(event) {
      address2(event, at, user, attack.atMs);
      attack.atMs += 60_000 + random.below(240_000);
      event.operation = 'GET /orders/{id}';
      event.objects = order(random.next() < 0.2 ? foreign() : own[random.below(3)]!);
      return attack.requests < 600;
    },
    isIt: ({ subject }) => subject.key === user || subject.key === at || subject.key === person.address,
  };
  return attack;
}

/** Leaked pairs: each account once, one in fifty right. `addressOf` by attempt. */
export function stuffing(
  world: World,
  n: number,
  name: string,
  fromMs: number,
  attempts: number,
  everyMs: number,
  addressOf: (attempt: number) => string,
  isIt: (record: ActorRecord) => boolean,
): Attack {
  const { random } = world;
  const attack: Attack = {
    ...base,
    name,
    atMs: fromMs,
    step(event) {
      address2(event, addressOf(attack.requests), null, attack.atMs);
      attack.atMs += Math.floor(everyMs * (0.5 + random.next()));
      const right = random.next() < 0.02;
      event.operation = 'POST /login';
      event.login = { account: `leaked${n}-${attack.requests}@mail.example`, succeeded: right };
      event.httpStatus = right ? 200 : 401;
      event.outcome = right ? 1 : 2;
      return attack.requests < attempts;
    },
    isIt,
  };
  return attack;
}

const isLogin = ({ abuse }: ActorRecord): boolean => abuse === 'credential-stuffing' || abuse === 'password-spraying';

export const oneClientStuffing = (world: World, n: number, fromMs: number): Attack => {
  const at = `5.190.${n}.9`;
  return stuffing(
    world,
    n,
    'stuffing, one client',
    fromMs,
    200,
    3_000,
    () => at,
    (r) => isLogin(r) && r.subject.key === at,
  );
};

export const networkStuffing = (world: World, n: number, fromMs: number): Attack =>
  stuffing(
    world,
    n,
    'stuffing, sixty addresses of a /24',
    fromMs,
    240,
    7_000,
    (attempt) => `5.191.${n}.${20 + (attempt % 60)}`,
    (r) => isLogin(r) && r.subject.key === `5.191.${n}.0/24`,
  );

export const unrelatedStuffing = (world: World, n: number, fromMs: number): Attack =>
  stuffing(
    world,
    n,
    'stuffing, 500 unrelated addresses',
    fromMs,
    1_500,
    2_400,
    (attempt) => `${90 + (attempt % 50)}.${(attempt * 7 + n) % 250}.${(attempt % 500) >> 1}.${(attempt % 500) % 199}`,
    (r) => isLogin(r) && r.subject.kind === 'everyone',
  );

/** Few tries at each of many accounts, in rounds. */
export function spraying(world: World, n: number, fromMs: number): Attack {
  const at = `5.192.${n}.77`;
  const attack = stuffing(
    world,
    n,
    'spraying, rounds over forty accounts',
    fromMs,
    160,
    20_000,
    () => at,
    (r) => isLogin(r) && r.subject.key === at,
  );
  const { step } = attack;
  return {
    ...attack,
    step(event) {
      attack.requests = this.requests;
      attack.atMs = this.atMs;
      const more = step(event);
      this.atMs = attack.atMs;
      event.login = { account: `person${500 + n * 40 + (this.requests % 40)}@mail.example`, succeeded: false };
      event.httpStatus = 401;
      event.outcome = 2;
      return more;
    },
  };
}

interface What {
  readonly name: string;
  readonly abuse: AbuseKind;
  readonly requests: number;
}

/** Without a user, request after request from one address. `write` makes of each what it asks for. */
const fromOneAddress = (
  at: string,
  fromMs: number,
  what: What,
  everyMs: () => number,
  write: (event: Event, request: number) => void,
): Attack => fromAddresses(() => at, at, fromMs, what, everyMs, write);

/** The same from ever other addresses; `key`: whom it is to be told of. */
function fromAddresses(
  addressOf: (request: number) => string,
  key: string,
  fromMs: number,
  { name, abuse, requests }: What,
  everyMs: () => number,
  write: (event: Event, request: number) => void,
): Attack {
  const attack: Attack = {
    ...base,
    name,
    atMs: fromMs,
    step(event) {
      address2(event, addressOf(attack.requests), null, attack.atMs);
      attack.atMs += everyMs();
      write(event, attack.requests);
      return attack.requests < requests;
    },
    isIt: (record) => record.subject.key === key && record.abuse === abuse,
  };
  return attack;
}

export const scanning = ({ random }: World, n: number, fromMs: number): Attack =>
  fromOneAddress(
    `5.193.${n}.31`,
    fromMs,
    { name: 'scanning for paths', abuse: 'scanning', requests: 200 },
    () => 300 + random.below(900),
    (event) => {
      event.operation = 'GET';
      event.httpStatus = 404;
      event.outcome = 2;
    },
  );

/** Another address of a network each request: a /64 that anybody has, a /48, or a /24. */
export const enumerationIn = (world: World, n: number, fromMs: number, bits: 64 | 48): Attack => {
  const hex = (k: number): string => (k + 1).toString(16);
  const base48 = `2a00:${bits}:${hex(n)}`;
  return fromAddresses(
    (request) => (bits === 64 ? `${base48}:1::${hex(request)}` : `${base48}:${hex(request)}::1`),
    bits === 64 ? `${base48}:1::/64` : `${base48}::/48`,
    fromMs,
    { name: `enumeration, another address of a /${bits} each`, abuse: 'object-enumeration', requests: 300 },
    () => 700 + world.random.below(4_000),
    (event) => {
      event.operation = 'GET /orders/{id}';
      event.objects = order(world.seen[world.random.below(world.seen.length)]!);
    },
  );
};

export const scanningIn = ({ random }: World, n: number, fromMs: number): Attack =>
  fromAddresses(
    (request) => `5.196.${n}.${1 + (request % 250)}`,
    `5.196.${n}.0/24`,
    fromMs,
    { name: 'scanning for paths, another address of a /24 each', abuse: 'scanning', requests: 200 },
    () => 300 + random.below(900),
    (event, request) => {
      event.operation = `GET /backup-${request}`;
      event.httpStatus = 404;
      event.outcome = 2;
    },
  );

/** Reads the whole catalog: nothing in it is anybody's. */
export const scraping = ({ random }: World, n: number, fromMs: number): Attack =>
  fromOneAddress(
    `5.194.${n}.55`,
    fromMs,
    { name: 'scraping the catalog, two a second', abuse: 'scraping', requests: 3_600 },
    () => 350 + random.below(300),
    (event, request) => {
      event.operation = 'GET /products/{id}';
      event.objects = [
        { kind: 'edge GET /products/{id} · 1', hash: 2 * 4_503_599_627 + (request + 1) * 7919 + 13, number: null },
      ];
    },
  );

/** A customer's session that reaches the back office. */
export function privileged(world: World, n: number, fromMs: number): Attack {
  const at = `5.195.${n}.18`;
  const user = `climber-${n}`;
  const attack: Attack = {
    ...base,
    name: 'first use of the back office',
    atMs: fromMs,
    step(event) {
      address2(event, at, user, attack.atMs);
      attack.atMs += 5_000 + world.random.below(20_000);
      const inside = attack.requests >= 12;
      event.operation = inside ? 'GET /backoffice/customers/{id}' : 'GET /orders';
      if (inside)
        event.objects = [
          {
            kind: 'edge GET /backoffice/customers/{id} · 1',
            hash: 5 * 4_503_599_627 + world.random.below(20_000) * 7919 + 13,
            number: null,
          },
        ];
      return attack.requests < 60;
    },
    isIt: ({ subject }) => subject.key === user || subject.key === at,
  };
  return attack;
}

export function attacksOf(world: World, fromMs: number, seeds: number): Attack[] {
  const all: Attack[] = [];
  for (let n = 0; n < seeds; n++) {
    const at = fromMs + 8 * HOUR_MS + n * 1_500_000;
    all.push(
      enumeration(world, n, at, true),
      enumeration(world, n, at + 100_000, false),
      slowMixed(world, n, at, false),
    );
    all.push(slowMixed(world, n, at + 14 * HOUR_MS, true));
    all.push(oneClientStuffing(world, n, at), networkStuffing(world, n, at + 300_000), spraying(world, n, at));
    all.push(enumerationIn(world, n, at + 200_000, 64), enumerationIn(world, n, at + 400_000, 48));
    all.push(
      scanningIn(world, n, at + 500_000),
      scanning(world, n, at),
      scraping(world, n, at + 40_000),
      privileged(world, n, at),
    );
  }
  for (let n = 0; n < 4; n++) all.push(unrelatedStuffing(world, n, fromMs + (8 + 7 * n) * HOUR_MS));
  return all;
}
