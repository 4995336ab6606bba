/**
 * Paths as they came, counted by service in a trie: what path templates are learned from (DETECTION §3.1). Bounded: a level
 * past its cap folds its rarest children into one, a trie past its cap folds its widest levels. Merging adds up everything
 * that is held, exactly; it is commutative and associative, and below the caps gives what learning together would have given.
 */
import { createPathParts } from './path-parts.ts';
import { appendSegment, SegmentForm } from './path-segment.ts';
import { MAX_LEVELS } from './path-template.ts';
import { createSink } from './sink.ts';

/** Clients are told apart by a few bits only: enough to see that a level's children are not one client's invention. */
export const CLIENT_BINS = 32;
/** Bin of children that several clients, or nobody known, called. */
export const SEVERAL = CLIENT_BINS;

/** What follows one beginning of a path. */
export interface PathNode {
  count: number;
  /** A bit for each client bin; 0 = no client was known. */
  clients: number;
  /** By segment as a template shows it. */
  readonly children: Map<string, PathNode>;
  /** Under identifiers by type, and under folded children. */
  any: PathNode | null;
  /** How many children were folded, by client bin. One that comes back after is folded again. */
  folded: Uint32Array | null;
}

export interface PathTrie {
  readonly services: Map<string, PathNode>;
  /** Nodes held. */
  nodes: number;
  /** Paths that found no room for all of their segments. */
  refused: number;
}

export interface PathTrieOptions {
  /** Distinct children of a level that are held; then the rarer ones are folded. */
  readonly maxChildren: number;
  readonly maxServices: number;
  /** Nodes of one trie, about 200 bytes each. */
  readonly maxNodes: number;
}

export const TRIE_BOUNDS: PathTrieOptions = { maxChildren: 256, maxServices: 1_024, maxNodes: 65_536 };

export const createPathTrie = (): PathTrie => ({ services: new Map(), nodes: 0, refused: 0 });

const createNode = (): PathNode => ({ count: 0, clients: 0, children: new Map(), any: null, folded: null });

/** Bin of a child: its client's, when it had one. */
export const binOf = (clients: number): number =>
  clients !== 0 && (clients & (clients - 1)) === 0 ? 31 - Math.clz32(clients) : SEVERAL;

/** Adds `from` to `into`, which is changed and returned; `from` stays as it was. */
function addNode(into: PathNode, from: PathNode): PathNode {
  into.count += from.count;
  into.clients |= from.clients;
  for (const [text, child] of from.children) {
    const known = into.children.get(text);
    if (known === undefined) into.children.set(text, addNode(createNode(), child));
    else addNode(known, child);
  }
  if (from.any !== null) into.any = addNode(into.any ?? createNode(), from.any);
  if (from.folded !== null) {
    into.folded ??= new Uint32Array(CLIENT_BINS + 1);
    for (let bin = 0; bin <= SEVERAL; bin++) into.folded[bin]! += from.folded[bin]!;
  }
  return into;
}

/** What the given nodes hold together. */
export const joined = (nodes: Iterable<PathNode>): PathNode => {
  const into = createNode();
  for (const node of nodes) addNode(into, node);
  return into;
};

function sizeOf(node: PathNode): number {
  let size = 1;
  for (const child of node.children.values()) size += sizeOf(child);
  return node.any === null ? size : size + sizeOf(node.any);
}

/** Folds the rarest children until only `keep` are left. Equal counts go by text, so that a replay folds the same ones. */
function fold(node: PathNode, keep: number, maxChildren: number): void {
  const rarest = [...node.children].sort(([a, x], [b, y]) => x.count - y.count || (a < b ? -1 : 1));
  rarest.length = Math.max(0, rarest.length - keep);
  node.folded ??= new Uint32Array(CLIENT_BINS + 1);
  node.any ??= createNode();
  for (const [text, child] of rarest) {
    node.folded[binOf(child.clients)]!++;
    node.children.delete(text);
    addNode(node.any, child);
  }
  trim(node.any, maxChildren);
}

/** Brings what folding joined below the cap again. */
function trim(node: PathNode, maxChildren: number): void {
  if (node.children.size > maxChildren) fold(node, maxChildren >> 2, maxChildren);
  else if (node.any !== null) trim(node.any, maxChildren);
  for (const child of node.children.values()) trim(child, maxChildren);
}

function recount(trie: PathTrie): void {
  trie.nodes = 0;
  for (const node of trie.services.values()) trie.nodes += sizeOf(node);
}

/** Makes room by folding the widest levels first: whoever fills a trie does it with many children somewhere. */
function makeRoom(trie: PathTrie, { maxChildren, maxNodes }: PathTrieOptions): void {
  for (let width = maxChildren; width >= 8 && trie.nodes > maxNodes / 2; width >>= 1) {
    for (const node of trie.services.values()) foldWide(node, width >> 1, maxChildren);
    recount(trie);
  }
}

function foldWide(node: PathNode, width: number, maxChildren: number): void {
  for (const child of node.children.values()) foldWide(child, width, maxChildren);
  if (node.any !== null) foldWide(node.any, width, maxChildren);
  if (node.children.size > width) fold(node, width >> 2, maxChildren);
}

const sink = createSink();
const parts = createPathParts();
const decoder = new TextDecoder();

/**
 * Counts the path in [start, end), as it came, without its query. `client`: any hash of the client, 0 = unknown.
 */
export function learnPath(
  trie: PathTrie,
  service: string,
  bytes: Uint8Array,
  start: number,
  end: number,
  client: number,
  options: PathTrieOptions = TRIE_BOUNDS,
): void {
  const root = rootOf(trie, service, options);
  if (root === null) {
    trie.refused++;
    return;
  }
  let node = root;
  const bit = client === 0 ? 0 : 1 << (client & (CLIENT_BINS - 1));
  node.count++;
  node.clients |= bit;
  let at = bytes[start] === 0x2f ? start + 1 : start;
  for (let level = 1; at < end && level <= MAX_LEVELS; level++) {
    let to = at;
    while (to < end && bytes[to] !== 0x2f) to++;
    if (to - at === 2 && bytes[at] === 0x2e && bytes[at + 1] === 0x2e) return; // a value from here on
    if (to > at) {
      const child = childOf(trie, node, bytes, at, to, level, options);
      if (child === null) {
        trie.refused++;
        return;
      }
      node = child;
      node.count++;
      node.clients |= bit;
    }
    at = to + 1;
  }
}

function rootOf(trie: PathTrie, service: string, { maxServices }: PathTrieOptions): PathNode | null {
  const known = trie.services.get(service);
  if (known !== undefined) return known;
  if (trie.services.size >= maxServices) return null;
  const made = createNode();
  trie.services.set(service, made);
  trie.nodes++;
  return made;
}

/** The child for one segment, made when new; null when there is no room. */
function childOf(
  trie: PathTrie,
  node: PathNode,
  bytes: Uint8Array,
  start: number,
  end: number,
  level: number,
  options: PathTrieOptions,
): PathNode | null {
  sink.length = 0;
  parts.count = 0;
  const typed = appendSegment(sink, bytes, start, end, parts, level) === SegmentForm.typed;
  const text = typed ? '' : decoder.decode(sink.bytes.subarray(0, sink.length));
  const known = typed ? node.any : node.children.get(text);
  if (known !== undefined && known !== null) return known;
  if (trie.nodes >= options.maxNodes) return null;
  const made = createNode();
  trie.nodes++;
  if (typed) node.any = made;
  else {
    node.children.set(text, made);
    if (node.children.size > options.maxChildren) {
      // The new one is the rarest: it must not be folded before it is counted.
      node.children.delete(text);
      fold(node, options.maxChildren >> 2, options.maxChildren);
      node.children.set(text, made);
      recount(trie);
    }
  }
  if (trie.nodes >= options.maxNodes) {
    makeRoom(trie, options);
    return null; // it may be folded itself
  }
  return made;
}

/** Adds `from` to `into`; exact, commutative, associative; `from` is left as it was. Not bounded: merge to look, not to keep. */
export function mergeTries(into: PathTrie, from: PathTrie): void {
  for (const [service, node] of from.services) {
    const known = into.services.get(service);
    if (known === undefined) into.services.set(service, addNode(createNode(), node));
    else addNode(known, node);
  }
  into.refused += from.refused;
  recount(into);
}

type PlainNode = readonly [
  count: number,
  clients: number,
  children: readonly (readonly [string, PlainNode])[],
  any: PlainNode | 0,
  folded: readonly number[] | 0,
];

const byText = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

const toPlain = (node: PathNode): PlainNode => [
  node.count,
  node.clients,
  [...node.children].sort(byText).map(([text, child]) => [text, toPlain(child)] as const),
  node.any === null ? 0 : toPlain(node.any),
  node.folded === null ? 0 : [...node.folded],
];

function fromPlain([count, clients, children, any, folded]: PlainNode): PathNode {
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(clients)) throw new TypeError('a count is no number');
  return {
    count,
    clients,
    children: new Map(children.map(([text, child]) => [text, fromPlain(child)])),
    any: any === 0 ? null : fromPlain(any),
    folded: folded === 0 ? null : Uint32Array.from(folded),
  };
}

/** Plain JSON, equal for equal tries. */
export const trieToJson = (trie: PathTrie): string =>
  JSON.stringify([
    trie.refused,
    [...trie.services].sort(byText).map(([service, node]) => [service, toPlain(node)] as const),
  ]);

/** Throws what JSON.parse throws, or a TypeError, on anything else. */
export function trieFromJson(json: string): PathTrie {
  const [refused, services] = JSON.parse(json) as [number, [string, PlainNode][]];
  const trie: PathTrie = {
    services: new Map(services.map(([service, node]) => [service, fromPlain(node)])),
    nodes: 0,
    refused,
  };
  recount(trie);
  return trie;
}
