/** What is told of an actor: an alarm and more of it, and what is known of one with findings when that changed by enough. */
import { stageIndex, stepOfAbuse } from '../kill-chain.ts';
import { alarmOf } from './alarms.ts';
import type { Attribution } from './attribution.ts';
import type { ActorsCoreConfig } from './config.ts';
import { decades, happenedOf, sinceMsOf } from './evidence.ts';
import { CONFIDENCES, clientCountOf, type FullActor } from './full-actor.ts';
import { chainDecades, riskOf } from './risk.ts';
import { type Scene, tell } from './scene.ts';
import { markCountOf, markStageOf } from './stage-marks.ts';
import type { Subjects } from './subjects.ts';
import type { Tables } from './tables.ts';
import { ABUSE } from './tests.ts';
import { actorRecord, type Facts, recordId } from './words.ts';

export interface Telling {
  /** The alarm of a test, as it stands now. */
  alarm(actor: FullActor, peers: number, t: number, kind: number): void;
  /** What is known of an actor with findings, when it changed by as much as people and enforcement should know. */
  known(actor: FullActor): void;
  /** Decades that earlier stages add to the evidence of a test. */
  chainOf(actor: FullActor, stage: number, t: number, bound: number): number;
}

/** Of which no test is told. */
const NO_TEST = { abuse: '', test: -1, peers: 0, rate: 0, support: 0, evidence: 0, bound: 0 } as const;
/** A change of risk that is told. */
const RISK_STEP = 10;

export function createTelling(
  config: ActorsCoreConfig,
  scene: Scene,
  tables: Tables,
  { subjects, attribution }: { readonly subjects: Subjects; readonly attribution: Attribution },
): Telling {
  const { client, user } = scene;
  const { rates } = tables;

  function factsOf(actor: FullActor): Facts {
    const usersNamed = tables.usersNamed.isNamed(scene.event.service);
    if (actor.kind === 'client' || actor.kind === 'user') {
      const of = client.present ? client : user;
      return {
        users: client.present ? subjects.usersBefore(client) : 0,
        usersNamed,
        requests: of.block.requests[of.i]!,
        firstSeenMs: of.block.firstS[of.i]! * 1000,
        misattributed: attribution.isMisattributed(),
      };
    }
    return {
      users: clientCountOf(actor),
      usersNamed,
      requests: actor.requests,
      firstSeenMs: actor.firstMs,
      misattributed: false,
      confidence: CONFIDENCES[actor.leastSure] ?? 'none',
    };
  }

  /** What one did before says nothing of many others. */
  const chainOf = (actor: FullActor, stage: number, t: number, bound: number): number =>
    actor.kind === 'client' || actor.kind === 'user'
      ? chainDecades(actor, stage, sinceMsOf(actor.cells, t), scene.nowMs, bound / 3)
      : 0;

  return {
    chainOf,
    alarm(actor, peers, t, kind) {
      const alarm = alarmOf(actor, t)!;
      alarm.revision++;
      alarm.toldHits = Math.max(1, happenedOf(actor.cells, t));
      alarm.toldClients = Math.max(1, clientCountOf(actor));
      if (alarm.silent) return;
      const { nowMs } = scene;
      const { revision, abuse } = alarm;
      const bound = rates.bound(peers, t);
      const record = actorRecord(actor, {
        id: recordId(actor.kind, actor.key, abuse, alarm.startMs),
        revision,
        abuse,
        test: t,
        peers,
        rate: rates.rate(peers, t, kind),
        support: rates.support(peers, t, kind),
        evidence: decades(actor.cells, t) + chainOf(actor, stageIndex(stepOfAbuse(ABUSE[t]!)!.stage), t, bound),
        bound,
        risk: riskOf(actor, nowMs, config),
        facts: factsOf(actor),
        nowMs,
      });
      if (record.facts.misattributed === true && actor.kind !== 'user') return;
      tell(scene, record);
    },
    known(actor) {
      const { toldSinceMs } = actor;
      if (toldSinceMs === 0) return;
      let stages = 0;
      for (let mark = 0; mark < markCountOf(actor); mark++) stages |= 1 << markStageOf(actor, mark);
      const facts = factsOf(actor);
      const magnitude = facts.users < 2 ? 0 : Math.floor(Math.log2(facts.users));
      const { nowMs } = scene;
      const risk = riskOf(actor, nowMs, config);
      const hasNewStage = (stages & ~actor.toldStages) !== 0;
      const hasMoved = Math.abs(risk - actor.toldRisk) >= RISK_STEP || magnitude > actor.toldUsers;
      if (actor.toldRevision > 0 && !hasNewStage && !hasMoved) return;
      actor.toldRevision++;
      actor.toldStages |= stages;
      actor.toldRisk = risk;
      actor.toldUsers = Math.max(actor.toldUsers, magnitude);
      const id = recordId(actor.kind, actor.key, '', toldSinceMs);
      const revision = actor.toldRevision;
      tell(scene, actorRecord(actor, { ...NO_TEST, id, revision, risk, facts, nowMs }));
    },
  };
}
