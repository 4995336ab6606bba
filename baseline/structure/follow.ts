/**
 * What follows what among the calls of one call: blocks, and the block that comes after two others (directly-follows of
 * second order). Calls that overlap in time are one block whatever their order, a call repeated directly is one block; the
 * beginning and the end are blocks. Only calls of the caller's own service: clocks of different hosts differ by more than
 * calls take, so who came first between them says nothing. Recursion has no one order.
 */
import { mix } from './hash.ts';
import type { Tree } from './tree.ts';

/** Children looked at of one call: what an attacker's trace may cost. */
const MAX_CHILDREN = 512;
/** Different labels in one block of overlapping calls; further ones do not tell blocks apart. */
const MAX_TOGETHER = 12;

const START = 0x5354;
const END = 0x454e;
const TWICE = 0x5457;

export interface FollowSpace {
  /** Filled by `readFollows`: key of the two blocks before, key of the block, spans that it and the one before begin with. */
  readonly before: Float64Array;
  readonly next: Float64Array;
  readonly nextNode: Int32Array;
  readonly lastNode: Int32Array;
  readonly token: Float64Array;
  readonly node: Int32Array;
  readonly label: Int32Array;
}

export const createFollowSpace = (): FollowSpace => ({
  before: new Float64Array(MAX_CHILDREN + 1),
  next: new Float64Array(MAX_CHILDREN + 1),
  nextNode: new Int32Array(MAX_CHILDREN + 1),
  lastNode: new Int32Array(MAX_CHILDREN + 1),
  token: new Float64Array(MAX_CHILDREN),
  node: new Int32Array(MAX_CHILDREN),
  label: new Int32Array(MAX_TOGETHER),
});

/** Transitions among the children of node i; returns how many, 0 when there are too few children to be in any order. */
export function readFollows(tree: Tree, i: number, space: FollowSpace): number {
  const { segment, first, next: sibling, folds } = tree;
  if (folds[i]! > 1) return 0;
  const { label, service, startNs, durationNs, symbols } = segment;
  const { token, node, label: together } = space;
  const mine = service[i]!;
  let blocks = 0;
  let seen = 0;
  let labels = 0;
  let key = 0;
  let begin = -1;
  let startsAt = 0;
  let endsAt = 0;
  for (let child = first[i]!; child >= 0 && seen < MAX_CHILDREN; child = sibling[child]!) {
    if (service[child] !== mine) continue;
    seen++;
    const id = label[child]!;
    const start = startNs[child]!;
    // Of calls that began at the same reading of a coarse clock, none was first.
    if (begin >= 0 && (endsAt > start || startsAt === start)) {
      if (labels < MAX_TOGETHER && !holds(together, labels, id)) {
        together[labels++] = id;
        key += symbols.labelHash(id) % 2 ** 48; // a sum, so that their order does not matter
      }
    } else {
      if (begin >= 0) blocks = close(token, node, blocks, key, begin);
      together[0] = id;
      labels = 1;
      key = symbols.labelHash(id) % 2 ** 48;
      begin = child;
      startsAt = start;
      endsAt = start;
    }
    const end = start + durationNs[child]!;
    if (end > endsAt) endsAt = end;
  }
  if (seen < 2) return 0;
  blocks = close(token, node, blocks, key, begin);
  for (let at = 0; at <= blocks; at++) {
    const last = at > 0 ? token[at - 1]! : START;
    space.before[at] = mix(at > 1 ? token[at - 2]! : START, last);
    space.next[at] = at < blocks ? token[at]! : END;
    space.nextNode[at] = at < blocks ? node[at]! : -1;
    space.lastNode[at] = at > 0 ? node[at - 1]! : -1;
  }
  return blocks + 1;
}

/** Ends a block; one like the one before makes that one of several. */
function close(token: Float64Array, node: Int32Array, blocks: number, key: number, begin: number): number {
  if (blocks > 0 && (token[blocks - 1] === key || token[blocks - 1] === mix(key, TWICE))) {
    token[blocks - 1] = mix(key, TWICE);
    return blocks;
  }
  token[blocks] = key;
  node[blocks] = begin;
  return blocks + 1;
}

function holds(labels: Int32Array, count: number, id: number): boolean {
  for (let at = 0; at < count; at++) if (labels[at] === id) return true;
  return false;
}
