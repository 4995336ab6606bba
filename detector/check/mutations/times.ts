/**
 * Times of a changed trace, so that the change is plausible: who waited for a call that is gone ends earlier, who waits for
 * one that came or takes longer ends later, and what ran after it moves along.
 */
import type { CallTree } from './call-tree.ts';
import type { CopiedSpan } from './trace-copy.ts';

export function moveSubtree(tree: CallTree, span: CopiedSpan, byNs: number): void {
  for (const one of tree.subtreeOf(span)) {
    one.startNs += byNs;
    one.endNs += byNs;
  }
}

/** The span ends later by `byNs` (earlier when negative); what waited for it follows, up to the root. */
export function moveEnd(tree: CallTree, span: CopiedSpan, byNs: number): void {
  const before = span.endNs;
  span.endNs = Math.max(span.startNs, before + byNs);
  follow(tree, span, before, span.endNs);
}

/** The end of `span` moved from `before` to `after`: moves the siblings that began thereafter, and the parents' ends. */
function follow(tree: CallTree, span: CopiedSpan, before: number, after: number): void {
  const parent = tree.parentOf(span);
  if (parent === undefined || before === after || before > parent.endNs) return; // nobody waited for it
  const others = tree.childrenOf(parent).filter((other) => other !== span);
  // beside it ran others: the parent went on when the last of them was done
  let waited = Number.NEGATIVE_INFINITY;
  for (const other of others) if (other.startNs < before && other.endNs > waited) waited = other.endNs;
  const byNs = Math.max(after, Math.min(waited, parent.endNs)) - Math.max(before, Math.min(waited, parent.endNs));
  if (byNs === 0) return;
  const from = Math.max(before, waited);
  for (const other of others) if (other.startNs >= from) moveSubtree(tree, other, byNs);
  moveEnd(tree, parent, byNs);
}

/** Room of `ns` inside `parent` from `atNs` on, which lies in it: later calls of it and its end move. */
export function makeRoom(tree: CallTree, parent: CopiedSpan, atNs: number, ns: number): void {
  for (const child of tree.childrenOf(parent)) if (child.startNs >= atNs) moveSubtree(tree, child, ns);
  moveEnd(tree, parent, ns);
}

/** Takes the call's time out of its parents; call it before the call is taken out of the trace. */
export function closeGap(tree: CallTree, span: CopiedSpan): void {
  follow(tree, span, span.endNs, Math.min(span.endNs, span.startNs));
}

/** A moment in the parent at which it runs and a call could be made: its start, or the end of one of its calls. */
export function momentsIn(tree: CallTree, parent: CopiedSpan): number[] {
  const ends = tree.childrenOf(parent).map(({ endNs }) => endNs);
  return [parent.startNs, ...ends].filter((ns) => ns >= parent.startNs && ns <= parent.endNs);
}
