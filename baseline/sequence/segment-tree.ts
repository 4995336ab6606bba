/** The call tree of a segment as the sequence models read it: siblings in order of time, equal neighbours as one. */
import type { Segment } from '../../traces/segment.ts';
import type { LabelledTree } from './vocabulary.ts';

/** Repetition is judged by counts (fan-out); here a row of equal calls is one. Orphans are nobody's callees. */
export function treeOfSegment(segment: Segment): LabelledTree {
  const { spanCount, parent, label, orphan, symbols } = segment;
  const place = new Int32Array(spanCount).fill(-1);
  const parents: number[] = [];
  const hashes: number[] = [];
  /** Last callee met of a node, and the node that it became. */
  const lastLabel = new Int32Array(spanCount);
  const lastNode = new Int32Array(spanCount).fill(-1);
  for (let i = 0; i < spanCount; i++) {
    const up = i === 0 ? -1 : place[parent[i]!]!;
    if (i > 0 && (up < 0 || orphan[i] === 1)) continue;
    if (up >= 0 && lastNode[up]! >= 0 && lastLabel[up] === label[i]) {
      place[i] = lastNode[up]!;
      continue;
    }
    const at = parents.push(up) - 1;
    hashes.push(symbols.labelHash(label[i]!));
    place[i] = at;
    if (up >= 0) {
      lastLabel[up] = label[i]!;
      lastNode[up] = at;
    }
  }
  return { size: parents.length, parent: parents, hash: hashes };
}
