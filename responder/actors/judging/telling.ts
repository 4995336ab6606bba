/** What is told of an actor: an alarm and more of it, and what is known of one with findings when that changed by enough. */
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { stageIndex, stepOfAbuse } from '../../kill-chain.ts';
import type { ActorsCoreConfig } from '../config.ts';
import { decades, happenedOf, restart, sinceMsOf } from '../evidence/evidence.ts';
import { ABUSE } from '../evidence/tests.ts';
import { hashInto } from '../hash.ts';
import { type Alarm, alarmOf, endAlarm } from '../kept/alarms.ts';
import { CONFIDENCES, clientCountOf, type FullActor } from '../kept/full-actor.ts';
import { indexIn } from '../kept/quiet-tier.ts';
import { chainDecades, riskOf } from '../kept/risk.ts';
import { markCountOf, markStageOf } from '../kept/stage-marks.ts';
import { type Scene, tell } from '../scene/scene.ts';
import { type Subjects, usersOfRow } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';
import type { Attribution } from './attribution.ts';
import { actorRecord, type Facts, recordId } from './words.ts';

export interface Telling {
  /** The alarm of a test, as it stands now. */
  alarm(actor: FullActor, peers: number, t: number, kind: number): void;
  /** The alarm of a test is over: whoever reads rows is to know, if they know of it. */
  end(actor: FullActor, t: number): void;
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
  seed: number,
  scene: Scene,
  tables: Tables,
  { subjects, attribution }: { readonly subjects: Subjects; readonly attribution: Attribution },
): Telling {
  const { client, user } = scene;
  const { rates } = tables;
  const lanes = new Uint32Array(2);

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

  /** Of one that is not asking now. */
  function factsAlone(actor: FullActor): Facts {
    if (actor.kind !== 'client' && actor.kind !== 'user') return factsOf(actor);
    const tier = actor.kind === 'client' ? tables.clients : tables.users;
    hashInto(actor.key, seed, lanes);
    const row = tier.find(lanes[0]!, lanes[1]!);
    const { requests, firstMs, usersBefore } = actor;
    const gone = { users: 0, usersNamed: false, requests, firstSeenMs: firstMs, misattributed: false };
    if (row < 0) return gone;
    const block = tier.block(row);
    const i = indexIn(row);
    const users = actor.kind === 'user' ? 0 : usersBefore < 0 ? usersOfRow(block, i) : usersBefore;
    return { ...gone, users, requests: block.requests[i]!, firstSeenMs: block.firstS[i]! * 1000 };
  }

  /** What one did before says nothing of many others. */
  const chainOf = (actor: FullActor, stage: number, t: number, bound: number): number =>
    actor.kind === 'client' || actor.kind === 'user'
      ? chainDecades(actor, stage, sinceMsOf(actor.cells, t), scene.nowMs, bound / 3)
      : 0;

  /** Its id is of what the test speaks for, whatever it turns out to be. */
  function recordOf(actor: FullActor, alarm: Alarm, peers: number, kind: number, facts: Facts): ActorRecord {
    const { test: t, revision, abuse } = alarm;
    const { nowMs } = scene;
    const bound = rates.bound(peers, t);
    return actorRecord(actor, {
      id: recordId(actor.kind, actor.key, ABUSE[t]!, alarm.startMs),
      revision,
      abuse,
      test: t,
      peers,
      rate: rates.rate(peers, t, kind),
      support: rates.support(peers, t, kind),
      evidence: decades(actor.cells, t) + chainOf(actor, stageIndex(stepOfAbuse(ABUSE[t]!)!.stage), t, bound),
      bound,
      risk: riskOf(actor, nowMs, config),
      facts,
      nowMs,
    });
  }

  return {
    chainOf,
    alarm(actor, peers, t, kind) {
      const alarm = alarmOf(actor, t)!;
      alarm.toldHits = Math.max(1, happenedOf(actor.cells, t));
      alarm.toldClients = Math.max(1, clientCountOf(actor));
      if (alarm.silent) return;
      alarm.revision++;
      const record = recordOf(actor, alarm, peers, kind, factsOf(actor));
      if (record.facts.misattributed === true && actor.kind !== 'user') return;
      alarm.tellBy(peers, kind);
      tell(scene, record);
    },
    end(actor, t) {
      const alarm = alarmOf(actor, t);
      if (alarm === null) return;
      const by = alarm.toldBy;
      if (by !== null) {
        alarm.revision++;
        tell(scene, { ...recordOf(actor, alarm, by[0], by[1], factsAlone(actor)), endedMs: scene.nowMs });
      }
      endAlarm(actor, t);
      restart(actor.cells, t);
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
