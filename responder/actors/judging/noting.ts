/** What an event shows of an actor that is kept in full: whom to name, where it goes, how far it got. */
import type { KillChainStep } from '../../kill-chain.ts';
import { addClient, addTrace, addUser, vote } from '../kept/adding.ts';
import { CONFIDENCES, type FullActor } from '../kept/full-actor.ts';
import { addMark } from '../kept/stage-marks.ts';
import { plausibleMs, type Scene } from '../scene/scene.ts';

export function noteEvent(scene: Scene, actor: FullActor): void {
  const { event, client, user, acting } = scene;
  addTrace(actor, event.client.entryTraceId);
  vote(actor, event.service, event.operation);
  if (client.present) {
    const who = actor.kind === 'everyone' && user.present ? user : client; // one user at many addresses is one of all
    addClient(actor, event.client.address ?? client.key, who.hash);
    actor.leastSure = Math.min(actor.leastSure, CONFIDENCES.indexOf(event.client.confidence));
    if (actor.kind === 'client' || actor.kind === 'user') setClient(scene, actor);
  } else if (actor.kind === 'user') setClient(scene, actor);
  if (acting !== null) addUser(actor, acting);
  if (event.sampleWeight > actor.sampleWeight) actor.sampleWeight = event.sampleWeight;
  const plausible = plausibleMs(scene, event.startMs);
  if (actor.startMs === 0 || plausible < actor.startMs) actor.startMs = plausible;
  if (plausible > actor.endMs) actor.endMs = plausible;
}

/** A client is not called by a user whom it signed in as, or who came behind it when it was suspected: that may be a victim. */
function setClient({ event, acting }: Scene, actor: FullActor): void {
  const isOwn = actor.kind === 'user' || (event.login === null && actor.usersBefore < 0);
  actor.setClient(event.client, isOwn && acting !== null ? event.client.user : null);
}

/** A stage it got to, by what and when; `decades` of evidence. True when that is new. */
export const mark = (
  actor: FullActor,
  by: string,
  { stage, technique }: KillChainStep,
  atMs: number,
  decades: number,
) => addMark(actor, { stage, technique, by, firstMs: atMs, lastMs: atMs, count: 1 }, decades);
