/** What was found in a request, and that it was outside its baseline: risk and stages of whoever made it. */
import type { EventFinding } from '../../../schemas/log/actor-event.ts';
import { speaksOfStage, stageIndex, stepOfFinding } from '../../kill-chain.ts';
import type { ActorsCoreConfig } from '../config.ts';
import { hash32 } from '../hash.ts';
import { mark, noteEvent } from '../judging/noting.ts';
import type { Telling } from '../judging/telling.ts';
import { countsFinding } from '../kept/adding.ts';
import type { FullActor } from '../kept/full-actor.ts';
import { addPoints, decadesOfP, Points } from '../kept/risk.ts';
import { plausibleMs, type Scene } from '../scene/scene.ts';
import type { Subjects } from '../scene/subjects.ts';

export interface Known {
  /** The event's findings, of its user and its client. */
  findings(): void;
  /** Its request was outside the baseline. */
  anomalous(): void;
}

export function createKnown(
  config: ActorsCoreConfig,
  seed: number,
  scene: Scene,
  { subjects, telling }: { readonly subjects: Subjects; readonly telling: Telling },
): Known {
  /** True the first time. */
  function counts(actor: FullActor, finding: EventFinding): boolean {
    return countsFinding(actor, hash32(`${scene.event.id}|${finding.kind}|${finding.explanationKey}`, seed));
  }

  function add(actor: FullActor, finding: EventFinding): void {
    const { event, nowMs } = scene;
    const step = speaksOfStage(finding, event.operation) ? stepOfFinding(finding) : null;
    const points = finding.hard ? Points.hardFinding : Points.softFinding;
    const stage = step === null ? -1 : stageIndex(step.stage);
    addPoints(actor, points, stage, `${finding.kind}: ${finding.explanationKey}`, nowMs, config);
    if (step !== null && (finding.hard || event.anomalous))
      mark(actor, finding.kind, step, plausibleMs(scene, finding.startMs), decadesOfP(event.p));
  }

  return {
    findings() {
      const { event, nowMs, nowS } = scene;
      for (const s of scene.subjects) {
        if (!s.present) continue;
        s.block.lastS[s.i] = Math.max(s.block.lastS[s.i]!, nowS);
        const actor = subjects.fullOf(s);
        noteEvent(scene, actor);
        for (const finding of event.findings) if (counts(actor, finding)) add(actor, finding);
        actor.toldSinceMs ||= nowMs;
        telling.known(actor);
      }
    },
    anomalous() {
      const decades = -Math.log10(Math.max(1e-12, scene.event.p));
      const worth = Points.anomalousDecade * Math.min(3, Math.max(1, decades - 2));
      for (const s of scene.subjects) {
        if (!s.present) continue;
        const actor = subjects.fullOf(s);
        noteEvent(scene, actor);
        addPoints(actor, worth, -1, 'requests outside their baseline', scene.nowMs, config);
      }
    },
  };
}
