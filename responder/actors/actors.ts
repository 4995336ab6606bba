/**
 * Actors over many requests (DETECTION §4): events in the order of their log → records of who is over a bound, and of what is known of
 * those with findings. Pure and deterministic: the same events give the same records, whatever was restarted in between. This is the
 * way through it; what a request is asked is in files of its own (README.md).
 */
import type { ActorEvent } from '../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import { createAttempts } from './asking/attempts.ts';
import { createKnown } from './asking/known.ts';
import { createMinuteTest } from './asking/minutes.ts';
import { createObjectTests } from './asking/object-tests.ts';
import { createRouteTests } from './asking/routes.ts';
import { createSignInTests } from './asking/sign-ins.ts';
import { createSpread } from './asking/spread.ts';
import type { ActorsCoreConfig, ActorsStatus } from './config.ts';
import { PeerClass } from './evidence/tests.ts';
import { hash32 } from './hash.ts';
import { createAttribution } from './judging/attribution.ts';
import { createHeldAlarms } from './judging/held-alarms.ts';
import { createJudging } from './judging/judging.ts';
import { createStandingAlarms } from './judging/standing-alarms.ts';
import { createTelling } from './judging/telling.ts';
import { clientKeyOf, keyOf } from './scene/keys.ts';
import { clearSubjects, createScene, moveClock, takeTold } from './scene/scene.ts';
import { createSubjects, Flag } from './scene/subjects.ts';
import { createTables } from './scene/tables.ts';
import { createState, type State } from './state.ts';

export { ACTORS_DEFAULTS, type ActorsCoreConfig, type ActorsStatus } from './config.ts';

export interface Actors extends Pick<State, 'snapshot' | 'forgetKept' | 'restore'> {
  /** Records to be told, in order; the array is the caller's. */
  take(event: ActorEvent, appendMs: number): ActorRecord[];
  status(): ActorsStatus;
}

/** Rates and privileged operations are looked after once in so many events. */
const REVIEW = 64;

/** `seed`: of the installation, so that nobody outside can choose keys that collide; the same over restarts. */
export function createActors(config: ActorsCoreConfig, seed: number): Actors {
  const scene = createScene();
  const tables = createTables(config, seed, scene);
  const subjects = createSubjects(config, seed, scene, tables);
  const attribution = createAttribution(config, seed, scene, tables);
  const telling = createTelling(config, seed, scene, tables, { subjects, attribution });
  const standing = createStandingAlarms(config, scene, tables, telling);
  const held = createHeldAlarms(seed, scene, tables, subjects);
  const judging = createJudging(config, scene, tables, { subjects, attribution, telling, held });
  const attempts = createAttempts(config, scene, telling);
  const spread = createSpread(seed, scene, tables, { judging, attempts });
  const known = createKnown(config, seed, scene, { subjects, telling });
  const askSignIn = createSignInTests(seed, scene, tables, { judging, spread, attempts });
  const askObjects = createObjectTests(seed, scene, tables, { judging, spread });
  const askRoute = createRouteTests(scene, tables, judging);
  const askMinute = createMinuteTest(scene, tables, judging);
  const state = createState(seed, scene, tables, { held, standing });
  const { client, user, counts } = scene;
  const { clients, users, full, rates, operations, recent, failures, everybody } = tables;

  /** Whom the event is of. */
  function enter(acting: string | null): void {
    const { address } = scene.event.client;
    scene.acting = acting;
    clearSubjects(scene);
    if (address !== null) subjects.enter(client, clientKeyOf(address));
    if (acting !== null) subjects.enter(user, keyOf(acting));
  }

  /** What a request says; whom a failed sign-in names did not make it. */
  function request(): void {
    const { event } = scene;
    const hasFailed = event.login !== null && !event.login.succeeded;
    if (hasFailed) failures.addSignIn(event.id);
    enter(hasFailed || event.client.user === '' ? null : event.client.user);
    if (!client.present) counts.unknown++;
    attribution.request();
    if (!client.present && !user.present) return;
    const usersGrew = client.present && countClient(hasFailed);
    if (user.present) countUser();
    ask();
    if (event.anomalous) known.anomalous();
    if (client.present) client.block.lastS[client.i] = scene.nowS;
    if (user.present) user.block.lastS[user.i] = scene.nowS;
    if (usersGrew && client.place >= 0) telling.known(full.at(client.place));
  }

  /** True when a user is new behind it. */
  function countClient(hasFailed: boolean): boolean {
    const { service, login } = scene.event;
    const { block, b } = client;
    let usersGrew = false;
    if (user.present) {
      block.flags[b] = block.flags[b]! | Flag.hasUsers;
      usersGrew = subjects.noteUser(user.hash);
    } else if (login?.succeeded && login.account !== '' && !tables.usersNamed.isNamed(service))
      usersGrew = subjects.noteUser(hash32(keyOf(login.account), seed)); // the only ones who are named there
    subjects.count(client);
    if (client.weight > 0 && !hasFailed) tables.usersNamed.request(service, user.present);
    client.peers = (block.flags[b]! & Flag.hasUsers) !== 0 ? PeerClass.client : PeerClass.anonymousClient;
    return usersGrew;
  }

  function countUser(): void {
    subjects.count(user);
    user.peers = (user.block.flags[user.b]! & Flag.member) !== 0 ? PeerClass.restricted : PeerClass.user;
  }

  /** What a request is asked. */
  function ask(): void {
    const { event } = scene;
    const operation = operations.idOf(event.service, event.operation);
    const primary = user.present ? user : client;
    if (event.objects.length > 0) askObjects.objects();
    else if (event.httpStatus > 0) askObjects.path(operation);
    if (event.login !== null && client.present) askSignIn(event.login.account, event.login.succeeded);
    askRoute.privileged(primary, operation);
    askRoute.order(primary, operation);
    if (client.present) askMinute(client);
    if (user.present) askMinute(user);
  }

  /** What was found in a request that was taken before. */
  function findings(): void {
    const { id, client: by } = scene.event;
    enter(failures.isSignIn(id) || by.user === '' ? null : by.user);
    known.findings();
  }

  return {
    take(event, appendMs) {
      state.link();
      if (!recent.takes(event.id, event.part === 'request' ? 0 : 1 + event.revision)) {
        counts.repeated++;
        return takeTold(scene);
      }
      counts.events++;
      scene.event = event;
      moveClock(scene, event.atMs, appendMs, config.learnMs);
      if (counts.events % REVIEW === 0) {
        rates.advance(scene.nowMs, scene.learning);
        operations.advance(scene.nowMs);
      }
      standing.sweep();
      held.release(judging.judge);
      if (event.part === 'findings') findings();
      else if (!event.asynchronous) request();
      return takeTold(scene);
    },
    status: () => ({
      clients: clients.size(),
      users: users.size(),
      full: full.size(),
      fullEvicted: full.evicted(),
      quietEvicted: clients.evicted() + users.evicted(),
      events: counts.events,
      repeated: counts.repeated,
      unknownClients: counts.unknown,
      records: counts.records,
      learning: scene.learning,
      unreachable: rates.unreachable(),
      spared: counts.spared,
      signInsDown: everybody.isDown(scene.nowMs),
    }),
    snapshot: state.snapshot,
    forgetKept: state.forgetKept,
    restore: state.restore,
  };
}
