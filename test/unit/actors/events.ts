/** Events of tests: a request as it would come, and a crowd whose behaviour the seed decides. */
import type { ActorEvent, EventFinding } from '../../../schemas/log/actor-event.ts';

export const DAY = Date.UTC(2026, 4, 4);

let serial = 0;

export interface EventWish extends Partial<Omit<ActorEvent, 'client' | 'objects'>> {
  readonly client?: string | null;
  readonly user?: string | null;
  /** Numbers of orders. */
  readonly orders?: readonly number[];
  readonly objectKind?: string;
}

export function eventOf({
  client = '198.51.100.9',
  user = null,
  orders = [],
  objectKind = 'GET /orders/{id}',
  ...more
}: EventWish = {}): ActorEvent {
  serial++;
  const traceId = serial.toString(16).padStart(32, '0');
  const atMs = more.atMs ?? DAY;
  return {
    id: `20260504-${traceId}-00f067aa0ba902b7`,
    part: 'request',
    revision: 0,
    atMs,
    startMs: atMs - 40,
    service: 'edge',
    operation: orders.length > 0 ? objectKind : 'GET /',
    asynchronous: false,
    client: {
      address: client,
      source: client === null ? 'none' : 'peer',
      confidence: client === null ? 'none' : 'high',
      reason: client === null ? 'no-peer' : '',
      hops: [],
      entrySpanId: '00f067aa0ba902b7',
      entryTraceId: traceId,
      user,
      session: null,
    },
    outcome: 1,
    httpStatus: 200,
    sampleWeight: 1,
    responseBytes: 800,
    objects: orders.map((number) => ({ kind: `edge ${objectKind} · 1`, hash: number * 6_700_417 + 11, number })),
    login: null,
    anomalous: false,
    p: 0.4,
    findings: [],
    ...more,
  };
}

export const findingEvent = (wish: EventWish, ...findings: Partial<EventFinding>[]): ActorEvent =>
  eventOf({
    part: 'findings',
    revision: 17,
    anomalous: true,
    p: 1e-5,
    findings: findings.map((one) => ({
      kind: 'attack-pattern',
      explanationKey: 'GET /search · q · SQL injection',
      hard: true,
      service: 'edge',
      operation: 'GET /search',
      severity: 3,
      startMs: wish.atMs ?? DAY,
      ...one,
    })),
    ...wish,
  });

export const loginOf = (account: string, succeeded: boolean, wish: EventWish = {}): ActorEvent =>
  eventOf({
    operation: 'POST /login',
    login: { account, succeeded },
    httpStatus: succeeded ? 200 : 401,
    outcome: succeeded ? 1 : 2,
    ...wish,
  });

export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

/** Customers with orders of their own, some pages gone, some sign-ins mistyped: `count` requests from `fromMs` on. */
export function crowd(seed: number, count: number, fromMs: number, stepMs = 500, people = 400): ActorEvent[] {
  const random = randomOf(seed);
  const events: ActorEvent[] = [];
  for (let n = 0; n < count; n++) {
    const person = Math.floor(random() * people);
    const who = {
      client: `100.${70 + (person % 50)}.${person >> 4}.${1 + (person % 200)}`.replace('100.', '45.'),
      user: `u${person}`,
      atMs: fromMs + n * stepMs,
    };
    const what = random();
    if (what < 0.1) {
      const failed = random() < 0.06;
      events.push(loginOf(`u${person}@mail.example`, !failed, { ...who, user: null }));
    } else if (what < 0.12)
      events.push(eventOf({ ...who, operation: `GET /old/${n % 9}`, httpStatus: 404, outcome: 2 }));
    else if (what < 0.6)
      events.push(eventOf({ ...who, orders: [1_000 + person * 7 + Math.floor(random() * 3) * 3_001] }));
    else events.push(eventOf({ ...who, operation: ['GET /', 'GET /cart', 'GET /search'][n % 3]! }));
  }
  return events;
}
