/** What stands against an actor, one a test: in its columns, so that nobody pays for alarms that nobody has. */
import { ABUSE_KINDS, type AbuseKind } from '../../../schemas/log/actor-record.ts';
import { TESTS } from '../evidence/tests.ts';
import { ALARM_DOUBLES, ALARM_WORDS, D, W } from './full-row.ts';

const STANDS = 1;
const SILENT = 2;
const TOLD = 4;
/** A byte of what it is of, three bits of the class and the rest of the kind of object that it was told by. */
const ABUSE_SHIFT = 8;
const PEERS_SHIFT = 16;
const KIND_SHIFT = 19;
const ABUSE_MASK = 0xff << ABUSE_SHIFT;
const BY_MASK = -1 << PEERS_SHIFT;

interface Columns {
  readonly cells: Float64Array;
  readonly sets: Uint32Array;
}

/** As it is now: what is changed of it is changed in the actor. */
export class Alarm {
  readonly test: number;
  readonly #cells: Float64Array;
  readonly #sets: Uint32Array;

  constructor({ cells, sets }: Columns, test: number) {
    this.test = test;
    this.#cells = cells;
    this.#sets = sets;
  }

  get #flags(): number {
    return this.#sets[W.alarms + this.test * ALARM_WORDS + 3]!;
  }
  set #flags(flags: number) {
    this.#sets[W.alarms + this.test * ALARM_WORDS + 3] = flags;
  }
  get abuse(): AbuseKind {
    return ABUSE_KINDS[(this.#flags & ABUSE_MASK) >>> ABUSE_SHIFT]!;
  }
  /** It turns out to be of another kind. */
  set abuse(abuse: AbuseKind) {
    this.#flags = (this.#flags & ~ABUSE_MASK) | (ABUSE_KINDS.indexOf(abuse) << ABUSE_SHIFT);
  }
  /** The class and the kind of object that it was told by last; null when it was not told. */
  get toldBy(): readonly [peers: number, kind: number] | null {
    return (this.#flags & TOLD) === 0 ? null : [(this.#flags >>> PEERS_SHIFT) & 7, this.#flags >>> KIND_SHIFT];
  }
  tellBy(peers: number, kind: number): void {
    this.#flags = (this.#flags & ~BY_MASK) | TOLD | (peers << PEERS_SHIFT) | (kind << KIND_SHIFT);
  }
  /** Not to be told: it is told of another subject, or by another test. */
  get silent(): boolean {
    return (this.#flags & SILENT) !== 0;
  }
  speakUp(): void {
    this.#flags = this.#flags & ~SILENT;
  }
  get startMs(): number {
    return this.#cells[D.alarms + this.test * ALARM_DOUBLES]!;
  }
  get lastMs(): number {
    return this.#cells[D.alarms + this.test * ALARM_DOUBLES + 1]!;
  }
  set lastMs(ms: number) {
    this.#cells[D.alarms + this.test * ALARM_DOUBLES + 1] = ms;
  }
  /** Hits and clients when it was told last. */
  get toldHits(): number {
    return this.#sets[W.alarms + this.test * ALARM_WORDS]!;
  }
  set toldHits(hits: number) {
    this.#sets[W.alarms + this.test * ALARM_WORDS] = hits;
  }
  get toldClients(): number {
    return this.#sets[W.alarms + this.test * ALARM_WORDS + 1]!;
  }
  set toldClients(clients: number) {
    this.#sets[W.alarms + this.test * ALARM_WORDS + 1] = clients;
  }
  get revision(): number {
    return this.#sets[W.alarms + this.test * ALARM_WORDS + 2]!;
  }
  set revision(revision: number) {
    this.#sets[W.alarms + this.test * ALARM_WORDS + 2] = revision;
  }
}

export const hasAlarm = ({ sets }: Columns, test: number): boolean =>
  (sets[W.alarms + test * ALARM_WORDS + 3]! & STANDS) !== 0;

/** 0 where there is none. */
export const alarmLastMs = ({ cells }: Columns, test: number): number => cells[D.alarms + test * ALARM_DOUBLES + 1]!;

export const alarmOf = (actor: Columns, test: number): Alarm | null =>
  hasAlarm(actor, test) ? new Alarm(actor, test) : null;

export function alarmsOf(actor: Columns): Alarm[] {
  const alarms: Alarm[] = [];
  for (let test = 0; test < TESTS; test++) if (hasAlarm(actor, test)) alarms.push(new Alarm(actor, test));
  return alarms;
}

/** A new one in the place of what stood there. */
export function raiseAlarm(actor: Columns, test: number, abuse: AbuseKind, nowMs: number, silent: boolean): Alarm {
  endAlarm(actor, test);
  actor.cells[D.alarms + test * ALARM_DOUBLES] = nowMs;
  actor.cells[D.alarms + test * ALARM_DOUBLES + 1] = nowMs;
  actor.sets[W.alarms + test * ALARM_WORDS + 3] =
    STANDS | (silent ? SILENT : 0) | (ABUSE_KINDS.indexOf(abuse) << ABUSE_SHIFT);
  return new Alarm(actor, test);
}

export function endAlarm({ cells, sets }: Columns, test: number): void {
  cells.fill(0, D.alarms + test * ALARM_DOUBLES, D.alarms + (test + 1) * ALARM_DOUBLES);
  sets.fill(0, W.alarms + test * ALARM_WORDS, W.alarms + (test + 1) * ALARM_WORDS);
}
