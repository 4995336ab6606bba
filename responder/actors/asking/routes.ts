/** What a request is asked of its operation: whether few may use it, and whether it hardly ever comes after the ones before. */
import { filterAdd, filterHas } from '../bits.ts';
import { Test } from '../evidence/tests.ts';
import { mix } from '../hash.ts';
import { DECLARED, type Judging } from '../judging/judging.ts';
import { Sets } from '../kept/full-row.ts';
import { type Scene, type Subject, succeeded } from '../scene/scene.ts';
import { ESTABLISHED_DAYS, Flag } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';

const SESSION_GAP_S = 1_800;

export interface RouteTests {
  privileged(s: Subject, operation: number): void;
  order(s: Subject, operation: number): void;
}

export function createRouteTests(scene: Scene, { operations, steps, full }: Tables, judging: Judging): RouteTests {
  const { counts } = scene;
  return {
    privileged(s, operation) {
      if (!succeeded(scene.event)) return;
      const { block, b } = s;
      const restricted = operations.isRestricted(operation);
      const known = operations.knows(operation, s.hash);
      if (!known) operations.used(operation, s.hash);
      else operations.usedAgain(operation);
      if (restricted) {
        if ((block.flags[b]! & Flag.usedToday) === 0) {
          block.flags[b] = block.flags[b]! | Flag.usedToday;
          if (block.memberDays[b]! < 255) block.memberDays[b] = block.memberDays[b]! + 1;
        }
        if (scene.learning || block.memberDays[b]! >= ESTABLISHED_DAYS) block.flags[b] = block.flags[b]! | Flag.member;
      }
      if ((block.flags[b]! & Flag.member) !== 0) return;
      judging.test(s, Test.privileged, operations.isDeclared(operation) ? DECLARED : 0, restricted && !known);
    },
    order(s, operation) {
      const { block, i, h } = s;
      const gap = scene.nowS - block.lastS[i]! > SESSION_GAP_S;
      const b1 = gap ? 0 : block.before1[h]!;
      const b2 = gap ? 0 : block.before2[h]!;
      block.before2[h] = b1;
      block.before1[h] = operation + 1;
      if (b1 === 0 || b1 === operation + 1) return;
      const judged = steps.judge(s.peers, b2, b1, operation);
      // of what is known well one step in four is enough
      if (s.weight > 0 && (scene.learning || (counts.events & 3) === 0)) steps.learn(s.peers, b2, b1, operation);
      if (judged < 0) return;
      if (judged === 0) {
        judging.test(s, Test.order, 0, false);
        return;
      }
      const hash = mix(Math.imul(b1, 0x9e3779b1) ^ operation);
      if (s.place >= 0 && filterHas(full.at(s.place).sets, Sets.steps, hash)) return;
      judging.test(s, Test.order, 0, true);
      filterAdd(full.at(s.place).sets, Sets.steps, hash);
    },
  };
}
