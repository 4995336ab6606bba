/**
 * What is kept of an actor from its first weak signal on: evidence by test, stages, risk, and whom and what to show for it. Every list
 * and text is bounded, so that it stays at some 3 KB, 6 at most; JSON in a snapshot.
 */
import type { AbuseKind, SubjectKind } from '../../schemas/log/actor-record.ts';
import type { StageMark } from '../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import { withoutSteering } from '../../traces/steering.ts';
import { FILTER_WORDS, linearCount, setBit } from './bits.ts';
import { EVIDENCE_LENGTH } from './evidence.ts';

const MOST_TRACES = 8;
const MOST_CLIENTS = 64;
const MOST_NAMES = 16;
const MOST_MARKS = 6;
/** Longest text kept of a name that came from outside. */
const LONGEST = 64;
/** Text kept of all traces and clients together. */
const CLIENT_CHARACTERS = 320;
const NAME_CHARACTERS = 160;

/** Words of `sets`: where each begins. */
export const Sets = {
  objects: 0,
  accounts: FILTER_WORDS,
  steps: 2 * FILTER_WORDS,
  clients: 3 * FILTER_WORDS,
} as const;
const CLIENT_WORDS = 16;
const SET_WORDS = 3 * FILTER_WORDS + CLIENT_WORDS;

export interface Alarm {
  readonly id: string;
  readonly abuse: AbuseKind;
  revision: number;
  readonly startMs: number;
  lastMs: number;
  /** Hits, clients and risk when it was told last. */
  toldHits: number;
  toldClients: number;
  /** Not to be told: it is told of another subject. */
  readonly silent: boolean;
}

export interface Told {
  readonly id: string;
  revision: number;
  risk: number;
  /** Stages reached, as bits. */
  stages: number;
  users: number;
}

export interface FullActor {
  readonly kind: SubjectKind;
  readonly key: string;
  readonly firstMs: number;
  lastMs: number;
  /** Requests since it is kept in full, weighted by sampling. */
  requests: number;
  cells: Float64Array;
  sets: Uint32Array;
  /** One a test, while it is over its bound. */
  alarms: (Alarm | null)[];
  /** What is told of it beside alarms; null until something was found. */
  told: Told | null;
  marks: StageMark[];
  /** log10 of the evidence a stage had when it was marked, by mark. */
  markDecades: number[];
  /** Risk points, forgotten by half in the subject's half-life. */
  points: number;
  pointsMs: number;
  /** Why, newest count by sentence. */
  reasons: { text: string; points: number; count: number }[];
  /** Findings counted already: hashes, the oldest overwritten. */
  counted: number[];
  traceIds: string[];
  clients: string[];
  users: string[];
  accounts: string[];
  /** Attempts to sign in, and accounts told apart. */
  attempts: number;
  accountCount: number;
  /** Majority vote (Boyer & Moore 1981) on where it goes. */
  service: string;
  operation: string;
  votes: number;
  client: ClientRecord | null;
  /** Largest 1 / sampling probability: above 1 not all was seen. */
  sampleWeight: number;
  /** Of those that took part: place of the least sure address in `CONFIDENCES`. */
  leastSure: number;
  startMs: number;
  endMs: number;
  /** Of a client under suspicion, behind which new users come: how many there were before. −1 = not so. */
  usersBefore: number;
}

/** One buffer for both: a buffer costs as much as what some actors hold in it. */
function newColumns(): { cells: Float64Array; sets: Uint32Array } {
  const buffer = new ArrayBuffer(8 * EVIDENCE_LENGTH + 4 * SET_WORDS);
  return {
    cells: new Float64Array(buffer, 0, EVIDENCE_LENGTH),
    sets: new Uint32Array(buffer, 8 * EVIDENCE_LENGTH, SET_WORDS),
  };
}

export function createFullActor(kind: SubjectKind, key: string, firstMs: number, nowMs: number): FullActor {
  return {
    kind,
    key,
    firstMs,
    lastMs: nowMs,
    requests: 0,
    ...newColumns(),
    alarms: [],
    told: null,
    marks: [],
    markDecades: [],
    points: 0,
    pointsMs: nowMs,
    reasons: [],
    counted: [],
    traceIds: [],
    clients: [],
    users: [],
    accounts: [],
    attempts: 0,
    accountCount: 0,
    service: '',
    operation: '',
    votes: 0,
    client: null,
    sampleWeight: 1,
    leastSure: CONFIDENCES.length - 1,
    startMs: 0,
    endMs: 0,
    usersBefore: -1,
  };
}

/** Of a text from outside: without characters that steer what shows it, and no more than some of it. */
export const plainText = (text: string, longest = LONGEST): string => flat(withoutSteering(text.slice(0, longest)));

/** A copy: a part of a long text would keep all of it in memory. */
const flat = (text: string): string => Buffer.from(text).toString();

export function addName(names: string[], name: string): void {
  if (name === '' || names.length >= MOST_NAMES) return;
  const plain = plainText(name);
  let characters = plain.length;
  for (const one of names) {
    if (one === plain) return;
    characters += one.length;
  }
  if (characters <= NAME_CHARACTERS) names.push(plain);
}

export function addTrace(actor: FullActor, traceId: string): void {
  const { traceIds } = actor;
  if (traceIds.at(-1) === traceId || traceIds.includes(traceId)) return;
  // the first half stays as it was: how it began
  if (traceIds.length >= MOST_TRACES) traceIds.splice(MOST_TRACES / 2, 1);
  traceIds.push(flat(traceId.slice(0, 32)));
}

/** Least sure first. */
export const CONFIDENCES = ['none', 'low', 'medium', 'high'] as const satisfies readonly ClientRecord['confidence'][];

export function addClient(actor: FullActor, address: string, hash: number): void {
  if (!setBit(actor.sets, Sets.clients, 4, hash)) return;
  let characters = address.length;
  for (const one of actor.clients) characters += one.length;
  if (actor.clients.length < MOST_CLIENTS && characters <= CLIENT_CHARACTERS) actor.clients.push(plainText(address));
}

export const clientCountOf = (actor: FullActor): number =>
  Math.max(actor.clients.length, linearCount(actor.sets, Sets.clients, CLIENT_WORDS));

export function vote(actor: FullActor, service: string, operation: string): void {
  if (actor.votes === 0) {
    actor.service = plainText(service);
    actor.operation = plainText(operation, 2 * LONGEST);
    actor.votes = 1;
  } else actor.votes += actor.operation === operation && actor.service === service ? 1 : -1;
}

/** Of the client's record, what is short: nothing from outside may make it long. */
export const boundedClient = (client: ClientRecord): ClientRecord => ({
  ...client,
  reason: plainText(client.reason),
  hops: client.hops.slice(0, 2).map((hop) => plainText(hop)),
  user: client.user === null ? null : plainText(client.user),
  session: client.session === null ? null : plainText(client.session),
});

/** Marks beyond the most replace the one seen longest ago. */
export function addMark(actor: FullActor, mark: StageMark, decades: number): boolean {
  const at = actor.marks.findIndex((known) => known.stage === mark.stage && known.by === mark.by);
  if (at >= 0) {
    const known = actor.marks[at]!;
    actor.marks[at] = {
      ...known,
      firstMs: Math.min(known.firstMs, mark.firstMs),
      lastMs: Math.max(known.lastMs, mark.lastMs),
      count: known.count + mark.count,
    };
    actor.markDecades[at] = Math.max(actor.markDecades[at]!, decades);
    return false;
  }
  if (actor.marks.length >= MOST_MARKS) {
    let oldest = 0;
    for (let i = 1; i < actor.marks.length; i++) if (actor.marks[i]!.lastMs < actor.marks[oldest]!.lastMs) oldest = i;
    actor.marks.splice(oldest, 1);
    actor.markDecades.splice(oldest, 1);
  }
  actor.marks.push(mark);
  actor.markDecades.push(decades);
  return true;
}

export const fullActorToJson = (actor: FullActor): object => ({
  ...actor,
  cells: sparse(actor.cells),
  sets: sparse(actor.sets),
});

export function fullActorFromJson(value: unknown): FullActor {
  const from = value as Omit<FullActor, 'cells' | 'sets'> & { cells: number[]; sets: number[] };
  const { cells, sets } = newColumns();
  fill(cells, from.cells);
  fill(sets, from.sets);
  return { ...from, usersBefore: from.usersBefore ?? -1, cells, sets };
}

/** Places and values of what is not 0, in turn. */
function sparse(values: Float64Array | Uint32Array): number[] {
  const out: number[] = [];
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) out.push(i, values[i]!);
  return out;
}

function fill(values: Float64Array | Uint32Array, from: readonly number[]): void {
  for (let i = 0; i + 1 < from.length; i += 2) if (from[i]! < values.length) values[from[i]!] = from[i + 1]!;
}
