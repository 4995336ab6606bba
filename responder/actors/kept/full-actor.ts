/**
 * What is kept of an actor from its first weak signal on: evidence by test, stages, risk, and whom and what to show for it. Numbers are in
 * columns of its tier, texts in a few strings bounded together, so that it stays below 4 KB; lists are made when they are asked for.
 */
import type { SubjectKind } from '../../../schemas/log/actor-record.ts';
import type { StageMark } from '../../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { linearCount } from '../bits.ts';
import { fits, listOf, packedClient, partsOf, textBytes, unpackedClient } from './actor-texts.ts';
import { type Alarm, alarmsOf } from './alarms.ts';
import { CLIENT_WORDS, D, SET_WORDS, Sets, SPAN_WORDS, TRACE_WORDS, W } from './full-row.ts';
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

export const clientCountOf = (actor: FullActor): number =>
  Math.max(listed(actor.clientList), linearCount(actor.sets, Sets.clients, CLIENT_WORDS));

function listed(list: string): number {
  if (list === '') return 0;
  let count = 1;
  for (let at = list.indexOf('\n'); at >= 0; at = list.indexOf('\n', at + 1)) count++;
  return count;
}
