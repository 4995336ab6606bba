/** What a version holds of what follows what: by the two blocks before, the blocks that come next, as often as they do. */
import type { FollowLine } from './entries.ts';
import type { Judge } from './evidence.ts';
import type { Links } from './links.ts';

/** Fewer observations say nothing of what comes next. */
const LEAST = 30;
/** From this share of blocks that were not admitted on, anything may come next. */
const RANDOM = 0.2;
/** Most next blocks kept of one place; where there are more, order is next to random. */
const MAX_NEXT = 32;

export function followLines(links: Links, judge: Judge): FollowLine[] {
  const lines: FollowLine[] = [];
  for (const [place, nexts] of links.follows) {
    let all = 0;
    const known: [number, number][] = [];
    for (const { key, evidence } of nexts) {
      const count = judge.capped(evidence);
      all += count;
      if (judge.admitted(evidence)) known.push([key, count]);
    }
    known.sort((x, y) => y[1] - x[1] || x[0] - y[0]);
    known.length = Math.min(known.length, MAX_NEXT);
    const unseen = all - known.reduce((sum, [, count]) => sum + count, 0);
    if (all < LEAST || unseen >= RANDOM * all) continue;
    lines.push({ place, unseen, next: known });
  }
  return lines.sort((x, y) => x.place - y.place);
}
