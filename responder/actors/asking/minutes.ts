/** What is asked of a minute of a client or user: whether it has more requests, objects or bytes than nearly all of its class. */

import { Test } from '../evidence/tests.ts';
import type { Judging } from '../judging/judging.ts';
import type { Scene, Subject } from '../scene/scene.ts';
import { Flag, usersBehind } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';

const MOST_WEIGHT = 1_000;
const MOST_COUNTED = 65_535;

/** A request of it. */
export type MinuteTest = (s: Subject) => void;

export function createMinuteTest(scene: Scene, { volumes }: Tables, judging: Judging): MinuteTest {
  /** What many people make together is divided among them. */
  const peopleBehind = (s: Subject): number => (s.kind === 'client' ? Math.max(1, usersBehind(s)) : 1);

  function end(s: Subject): void {
    const { block, i, h, b } = s;
    if ((block.flags[b]! & Flag.minuteHit) === 0) judging.test(s, Test.volume, 0, false);
    if (s.weight === 0) return;
    const people = peopleBehind(s);
    volumes.add(
      s.peers,
      block.minuteRequests[h]! / people,
      block.minuteObjects[h]! / people,
      block.minuteKilobytes[i]! / people,
    );
  }

  return (s) => {
    const { block, i, h, b } = s;
    const { event } = scene;
    const { minute } = scene;
    if (block.minute[i] !== minute) {
      if (block.minute[i] !== 0) end(s);
      block.minute[i] = minute;
      block.minuteRequests[h] = 0;
      block.minuteObjects[h] = 0;
      block.minuteKilobytes[i] = 0;
      block.flags[b] = block.flags[b]! & ~Flag.minuteHit;
    }
    const weight = Math.min(MOST_WEIGHT, event.sampleWeight);
    block.minuteRequests[h] = Math.min(MOST_COUNTED, block.minuteRequests[h]! + weight);
    block.minuteObjects[h] = Math.min(MOST_COUNTED, block.minuteObjects[h]! + event.objects.length * weight);
    if (event.responseBytes > 0)
      block.minuteKilobytes[i] = block.minuteKilobytes[i]! + (event.responseBytes / 1024) * weight;
    if ((block.flags[b]! & Flag.minuteHit) !== 0) return;
    const requests = block.minuteRequests[h]!;
    const named = block.minuteObjects[h]!;
    const kilobytes = block.minuteKilobytes[i]!;
    if (!volumes.isLarge(s.peers, requests, named, kilobytes)) return;
    const people = peopleBehind(s);
    if (!volumes.isLarge(s.peers, requests / people, named / people, kilobytes / people)) return;
    block.flags[b] = block.flags[b]! | Flag.minuteHit;
    judging.test(s, Test.volume, 0, true);
  };
}
