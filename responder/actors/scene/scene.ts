/**
 * The event under way: when it is, whom it is of, and what is told by it. One object for all events, written over with each, so that
 * none is allocated; everything else that decides something reads it.
 */
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import type { QuietBlock } from '../kept/quiet-tier.ts';

/** Whom an observation is held against, and by what measure. */
export interface Party {
  /** Class of its peers. */
  peers: number;
  /** How much it says of what is usual with them; 0 = nothing. */
  weight: number;
  /** How many times its class's rate is usual with it, by the test under way. */
  habit: number;
  /** Half-life of what was expected of it and of what came. */
  readonly halfLifeMs: number;
}

/** The client or the user of the event. */
export interface Subject extends Party {
  readonly kind: 'client' | 'user';
  present: boolean;
  key: string;
  hash: number;
  /** Its block of the quiet tier, and where its row is in columns of words, half words and bytes. */
  block: QuietBlock;
  i: number;
  h: number;
  b: number;
  /** Place in the full tier; −1 = it has no signals. */
  place: number;
}

export interface Scene {
  event: ActorEvent;
  /** The clock is the log's, and never goes back. */
  nowMs: number;
  nowS: number;
  /** Days and minutes since the epoch. */
  day: number;
  minute: number;
  firstMs: number;
  /** Nothing is held against anybody yet. */
  learning: boolean;
  readonly client: Subject;
  readonly user: Subject;
  /** Both, the user first, who is to be named rather than an address. */
  readonly subjects: readonly [Subject, Subject];
  /** Who acts by this event; null where nobody is named, or only whom a failed sign-in was aimed at. */
  acting: string | null;
  /** What is told by it. */
  told: ActorRecord[];
  readonly counts: { events: number; repeated: number; unknown: number; records: number; spared: number };
}

export const ACTOR_HALF_LIFE_MS = 6 * 3_600_000;
/** A day in ms: a clock that is so far off the log's tells no time. */
const FAR_OFF_MS = 86_400_000;

export const newParty = (peers: number, halfLifeMs: number): Party => ({ peers, weight: 1, habit: 1, halfLifeMs });

const newSubject = (kind: 'client' | 'user'): Subject => ({
  ...newParty(0, ACTOR_HALF_LIFE_MS),
  kind,
  present: false,
  key: '',
  hash: 0,
  block: {} as QuietBlock,
  i: 0,
  h: 0,
  b: 0,
  place: -1,
});

/** Until something is told: the same for all. */
const NOTHING: ActorRecord[] = [];

export function createScene(): Scene {
  const client = newSubject('client');
  const user = newSubject('user');
  return {
    event: {} as ActorEvent,
    nowMs: 0,
    nowS: 0,
    day: 0,
    minute: 0,
    firstMs: 0,
    learning: true,
    client,
    user,
    subjects: [user, client],
    acting: null,
    told: NOTHING,
    counts: { events: 0, repeated: 0, unknown: 0, records: 0, spared: 0 },
  };
}

/** The clock goes on with an event; one that goes backwards or is absurd moves nothing. */
export function moveClock(scene: Scene, eventMs: number, appendMs: number, learnMs: number): void {
  const atMs = Math.min(eventMs, appendMs);
  if (Number.isFinite(atMs) && atMs > scene.nowMs) setClock(scene, atMs);
  else if (scene.nowMs === 0) setClock(scene, appendMs);
  if (scene.firstMs === 0) scene.firstMs = scene.nowMs;
  if (scene.learning && scene.nowMs - scene.firstMs >= learnMs) scene.learning = false;
}

export function setClock(scene: Scene, nowMs: number): void {
  const nowS = Math.floor(nowMs / 1000);
  scene.nowMs = nowMs;
  if (nowS === scene.nowS) return;
  scene.nowS = nowS;
  scene.day = Math.floor(nowS / 86_400);
  scene.minute = Math.floor(nowS / 60);
}

export function clearSubjects({ client, user }: Scene): void {
  client.present = false;
  user.present = false;
  client.place = -1;
  user.place = -1;
}

export function tell(scene: Scene, record: ActorRecord): void {
  if (scene.told === NOTHING) scene.told = [];
  scene.told.push(record);
  scene.counts.records++;
}

/** What was told, which is the caller's from here on. */
export function takeTold(scene: Scene): ActorRecord[] {
  const { told } = scene;
  scene.told = NOTHING;
  return told;
}

/** Answered as it was asked. */
export const succeeded = ({ httpStatus, outcome }: ActorEvent): boolean =>
  httpStatus > 0 ? httpStatus < 400 : outcome === 1;

/** When something was, by a clock of others. */
export const plausibleMs = ({ nowMs }: Scene, saidMs: number): number =>
  Math.abs(saidMs - nowMs) < FAR_OFF_MS ? saidMs : nowMs;
