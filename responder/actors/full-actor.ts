/**
 * What is kept of an actor from its first weak signal on: evidence by test, stages, risk, and whom and what to show for it. Numbers are in
 * columns of its tier, texts in a few strings bounded together, so that it stays below 4 KB; lists are made when they are asked for.
 */
import type { SubjectKind } from '../../schemas/log/actor-record.ts';
import type { StageMark } from '../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import {
  fits,
  listOf,
  operationText,
  packedClient,
  partsOf,
  reasonText,
  serviceText,
  textBytes,
  unpackedClient,
  withClient,
  withName,
} from './actor-texts.ts';
import { type Alarm, alarmsOf } from './alarms.ts';
import { linearCount, setBit } from './bits.ts';
import {
  CLIENT_WORDS,
  D,
  MOST_COUNTED,
  MOST_REASONS,
  MOST_TRACES,
  SET_WORDS,
  Sets,
  SPAN_WORDS,
  TRACE_WORDS,
  W,
} from './full-row.ts';
import { readId, writeId } from './ids.ts';
import { marksOf } from './stage-marks.ts';

export interface Reason {
  readonly text: string;
  points: number;
  count: number;
}

/** Least sure first. */
export const CONFIDENCES = ['none', 'low', 'medium', 'high'] as const satisfies readonly ClientRecord['confidence'][];

type NameList = 'clientList' | 'userList' | 'accountList';

export class FullActor {
  readonly kind: SubjectKind;
  readonly key: string;
  /** Evidence by test first (evidence.ts), then the numbers of `full-row.ts`. */
  readonly cells: Float64Array;
  /** Filters first (`Sets`), then the words of `full-row.ts`. */
  readonly sets: Uint32Array;
  /** Majority vote (Boyer & Moore 1981) on where it goes. */
  service = '';
  operation = '';
  clientList = '';
  userList = '';
  accountList = '';
  reasonList = '';
  /** Whom to name, without the ids of the entry span (`actor-texts.ts`). */
  clientText = '';

  /** Over columns that hold nothing. */
  constructor(kind: SubjectKind, key: string, cells: Float64Array, sets: Uint32Array, firstMs: number, nowMs: number) {
    this.kind = kind;
    this.key = key;
    this.cells = cells;
    this.sets = sets;
    cells[D.firstMs] = firstMs;
    cells[D.lastMs] = nowMs;
    cells[D.pointsMs] = nowMs;
    cells[D.sampleWeight] = 1;
    sets[W.leastSure] = CONFIDENCES.length - 1;
  }

  get firstMs(): number {
    return this.cells[D.firstMs]!;
  }
  get lastMs(): number {
    return this.cells[D.lastMs]!;
  }
  set lastMs(ms: number) {
    this.cells[D.lastMs] = ms;
  }
  /** Requests since it is kept in full, weighted by sampling. */
  get requests(): number {
    return this.cells[D.requests]!;
  }
  set requests(requests: number) {
    this.cells[D.requests] = requests;
  }
  /** Risk points, forgotten by half in the subject's half-life. */
  get points(): number {
    return this.cells[D.points]!;
  }
  set points(points: number) {
    this.cells[D.points] = points;
  }
  get pointsMs(): number {
    return this.cells[D.pointsMs]!;
  }
  set pointsMs(ms: number) {
    this.cells[D.pointsMs] = ms;
  }
  /** Largest 1 / sampling probability: above 1 not all was seen. */
  get sampleWeight(): number {
    return this.cells[D.sampleWeight]!;
  }
  set sampleWeight(weight: number) {
    this.cells[D.sampleWeight] = weight;
  }
  get startMs(): number {
    return this.cells[D.startMs]!;
  }
  set startMs(ms: number) {
    this.cells[D.startMs] = ms;
  }
  get endMs(): number {
    return this.cells[D.endMs]!;
  }
  set endMs(ms: number) {
    this.cells[D.endMs] = ms;
  }
  /** Attempts to sign in, and accounts told apart. */
  get attempts(): number {
    return this.sets[W.attempts]!;
  }
  set attempts(attempts: number) {
    this.sets[W.attempts] = attempts;
  }
  get accountCount(): number {
    return this.sets[W.accountCount]!;
  }
  set accountCount(count: number) {
    this.sets[W.accountCount] = count;
  }
  get votes(): number {
    return this.sets[W.votes]!;
  }
  set votes(votes: number) {
    this.sets[W.votes] = votes;
  }
  /** Of those that took part: place of the least sure address in `CONFIDENCES`. */
  get leastSure(): number {
    return this.sets[W.leastSure]!;
  }
  set leastSure(place: number) {
    this.sets[W.leastSure] = place;
  }
  /** Of a client under suspicion, behind which new users come: how many there were before. −1 = not so. */
  get usersBefore(): number {
    return this.sets[W.usersBefore]! - 1;
  }
  set usersBefore(users: number) {
    this.sets[W.usersBefore] = users + 1;
  }
  /** Since when it is told what is known of it beside alarms; 0 until something was found. */
  get toldSinceMs(): number {
    return this.cells[D.toldSinceMs]!;
  }
  set toldSinceMs(ms: number) {
    this.cells[D.toldSinceMs] = ms;
  }
  get toldRevision(): number {
    return this.sets[W.toldRevision]!;
  }
  set toldRevision(revision: number) {
    this.sets[W.toldRevision] = revision;
  }
  get toldRisk(): number {
    return this.sets[W.toldRisk]!;
  }
  set toldRisk(risk: number) {
    this.sets[W.toldRisk] = risk;
  }
  /** Stages reached, as bits. */
  get toldStages(): number {
    return this.sets[W.toldStages]!;
  }
  set toldStages(stages: number) {
    this.sets[W.toldStages] = stages;
  }
  get toldUsers(): number {
    return this.sets[W.toldUsers]!;
  }
  set toldUsers(users: number) {
    this.sets[W.toldUsers] = users;
  }

  get alarms(): Alarm[] {
    return alarmsOf(this);
  }
  get marks(): StageMark[] {
    return marksOf(this);
  }
  get clients(): string[] {
    return partsOf(this.clientList);
  }
  get users(): string[] {
    return partsOf(this.userList);
  }
  get accounts(): string[] {
    return partsOf(this.accountList);
  }
  get traceIds(): string[] {
    const ids: string[] = [];
    for (let i = 0; i < this.sets[W.traceCount]!; i++)
      ids.push(readId(this.sets, W.traces + i * TRACE_WORDS, TRACE_WORDS));
    return ids;
  }
  /** Why it has its risk: how often each, and what that is worth. */
  get reasons(): Reason[] {
    return partsOf(this.reasonList).map((text, i) => ({
      text,
      points: this.cells[D.reasons + i]!,
      count: this.sets[W.reasons + i]!,
    }));
  }
  get client(): ClientRecord | null {
    if (this.clientText === '') return null;
    const { sets } = this;
    return unpackedClient(
      this.clientText,
      readId(sets, W.entrySpan, SPAN_WORDS),
      readId(sets, W.entryTrace, TRACE_WORDS),
    );
  }

  /** Whom to name; `user`: whom it is called by. */
  setClient(client: ClientRecord, user: string | null): void {
    writeId(this.sets, W.entrySpan, SPAN_WORDS, client.entrySpanId);
    writeId(this.sets, W.entryTrace, TRACE_WORDS, client.entryTraceId);
    const text = packedClient(client, user);
    if (text !== this.clientText) this.clientText = text;
  }

  /** Not where the lists together have no room for it. */
  setNames(name: NameList, list: string): void {
    const bytes = this.sets[W.nameBytes]! - textBytes(this[name]) + textBytes(list);
    if (!this.#fits(bytes, this.reasonList)) return;
    this.sets[W.nameBytes] = bytes;
    this[name] = list;
  }

  /** False where there is no room for them. */
  setReasons(reasons: readonly Reason[]): boolean {
    const list = listOf(reasons.map(({ text }) => text));
    if (!this.#fits(this.sets[W.nameBytes]!, list)) return false;
    this.reasonList = list;
    reasons.forEach(({ points, count }, i) => {
      this.cells[D.reasons + i] = points;
      this.sets[W.reasons + i] = count;
    });
    return true;
  }

  #fits(names: number, reasonList: string): boolean {
    return fits(names, textBytes(reasonList), this.key, this.kind === 'client' || this.kind === 'user');
  }

  /** Whoever took part is forgotten; what they did is not. */
  forgetWho(): void {
    if (this.clientList === '') return;
    for (const name of ['clientList', 'userList', 'accountList'] as const) this.setNames(name, '');
    this.sets.fill(0, 0, SET_WORDS);
    this.sets[W.traceCount] = 0;
    this.attempts = 0;
    this.accountCount = 0;
    this.leastSure = CONFIDENCES.length - 1;
    this.startMs = 0;
    this.endMs = 0;
  }
}

export function addUser(actor: FullActor, user: string): void {
  const list = withName(actor.userList, user);
  if (list !== null) actor.setNames('userList', list);
}

export function addAccount(actor: FullActor, account: string): void {
  const list = withName(actor.accountList, account);
  if (list !== null) actor.setNames('accountList', list);
}

export function addClient(actor: FullActor, address: string, hash: number): void {
  if (!setBit(actor.sets, Sets.clients, 4, hash)) return;
  const list = withClient(actor.clientList, address);
  if (list !== null) actor.setNames('clientList', list);
}

export const clientCountOf = (actor: FullActor): number =>
  Math.max(listed(actor.clientList), linearCount(actor.sets, Sets.clients, CLIENT_WORDS));

function listed(list: string): number {
  if (list === '') return 0;
  let count = 1;
  for (let at = list.indexOf('\n'); at >= 0; at = list.indexOf('\n', at + 1)) count++;
  return count;
}

const id = new Uint32Array(TRACE_WORDS);

export function addTrace({ sets }: FullActor, traceId: string): void {
  writeId(id, 0, TRACE_WORDS, traceId);
  const count = sets[W.traceCount]!;
  if ((id[0]! | id[1]! | id[2]! | id[3]!) === 0) return;
  for (let i = count - 1; i >= 0; i--) {
    const at = W.traces + i * TRACE_WORDS;
    if (sets[at] === id[0] && sets[at + 1] === id[1] && sets[at + 2] === id[2] && sets[at + 3] === id[3]) return;
  }
  let place = count;
  if (count >= MOST_TRACES) {
    // the first half stays as it was: how it began
    const from = W.traces + (MOST_TRACES / 2) * TRACE_WORDS;
    sets.copyWithin(from, from + TRACE_WORDS, W.traces + MOST_TRACES * TRACE_WORDS);
    place = MOST_TRACES - 1;
  }
  sets.set(id, W.traces + place * TRACE_WORDS);
  sets[W.traceCount] = place + 1;
}

export function vote(actor: FullActor, service: string, operation: string): void {
  if (actor.votes === 0) {
    actor.service = serviceText(service);
    actor.operation = operationText(operation);
    actor.votes = 1;
  } else actor.votes += actor.operation === operation && actor.service === service ? 1 : -1;
}

/** One more of a reason; of more than there is room for, the least go. */
export function addReason(actor: FullActor, reason: string, points: number): void {
  const text = reasonText(reason);
  const reasons = actor.reasons;
  const known = reasons.find((one) => one.text === text);
  if (known !== undefined) {
    known.count++;
    known.points += points;
    actor.setReasons(reasons);
    return;
  }
  if (reasons.length >= MOST_REASONS) forgetLeast(reasons);
  while (!actor.setReasons([...reasons, { text, points, count: 1 }]) && reasons.length > 0) forgetLeast(reasons);
}

function forgetLeast(reasons: Reason[]): void {
  reasons.sort((a, b) => b.points - a.points);
  reasons.pop();
}

/** False when this finding, by its hash, was counted before; of more than are remembered the oldest is forgotten. */
export function countsFinding({ sets }: FullActor, hash: number): boolean {
  const counted = sets.subarray(W.counted, W.counted + MOST_COUNTED);
  const count = sets[W.countedCount]!;
  for (let i = 0; i < Math.min(count, MOST_COUNTED); i++) if (counted[i] === hash) return false;
  counted[count % MOST_COUNTED] = hash;
  sets[W.countedCount] = count + 1;
  return true;
}
