/**
 * Path templates learned from traffic: a trie of paths by service, in which a level with many distinct, mostly single
 * children becomes `{id}` (DETECTION §3.1). Learning counts; merging adds and is commutative and associative; compiling
 * gives what the reader applies. Bounded: a level past its cap is collapsed for good.
 */
import { createByteTable } from '../byte-table.ts';
import { isIdentifier } from './identifier.ts';

/** A level of the trie. `children` is null once collapsed: then everything below is in `any`. */
export interface PathNode {
  count: number;
  children: Map<string, PathNode> | null;
  any: PathNode | null;
}

export interface PathTrie {
  readonly services: Map<string, PathNode>;
}

export interface PathTrieOptions {
  /** Distinct children at which a level is collapsed whatever their counts. */
  readonly maxChildren: number;
  /** From this many distinct children on, mostly single ones collapse the level when compiled. */
  readonly collapseFrom: number;
  /** Share of children seen at most twice that makes them mostly single. */
  readonly singleShare: number;
  readonly maxDepth: number;
}

export const DEFAULT_TRIE: PathTrieOptions = { maxChildren: 256, collapseFrom: 24, singleShare: 0.6, maxDepth: 16 };

export const createPathTrie = (): PathTrie => ({ services: new Map() });

const createNode = (): PathNode => ({ count: 0, children: new Map(), any: null });

function collapse(node: PathNode, maxChildren: number): void {
  if (node.children === null) return;
  const children = node.children;
  node.children = null;
  for (const child of children.values())
    node.any = node.any === null ? child : mergeNodes(node.any, child, maxChildren);
}

/** Merges `from` into `into`, which is changed and returned; `from` is copied where it is taken over. */
function mergeNodes(into: PathNode, from: PathNode, maxChildren: number): PathNode {
  into.count += from.count;
  if (from.any !== null)
    into.any = into.any === null ? copyNode(from.any) : mergeNodes(into.any, from.any, maxChildren);
  if (from.children === null) collapse(into, maxChildren);
  else {
    for (const [text, child] of from.children) {
      if (into.children === null) {
        into.any = into.any === null ? copyNode(child) : mergeNodes(into.any, child, maxChildren);
        continue;
      }
      const known = into.children.get(text);
      if (known === undefined) into.children.set(text, copyNode(child));
      else mergeNodes(known, child, maxChildren);
      if (into.children.size > maxChildren) collapse(into, maxChildren);
    }
  }
  return into;
}

const copyNode = (node: PathNode): PathNode => ({
  count: node.count,
  children: node.children === null ? null : new Map([...node.children].map(([text, child]) => [text, copyNode(child)])),
  any: node.any === null ? null : copyNode(node.any),
});

const encoder = new TextEncoder();

/** Counts one path (as it came, without query) of a service's server spans. */
export function learnPath(trie: PathTrie, service: string, path: string, options = DEFAULT_TRIE): void {
  let node = trie.services.get(service);
  if (node === undefined) {
    node = createNode();
    trie.services.set(service, node);
  }
  node.count++;
  let level = 0;
  for (const segment of path.split('/')) {
    if (segment === '') continue;
    if (++level > options.maxDepth) return;
    const bytes = encoder.encode(segment);
    let child: PathNode | undefined;
    if (node.children === null || isIdentifier(bytes, 0, bytes.length) || bytes.length > 64) {
      node.any ??= createNode();
      child = node.any;
    } else {
      child = node.children.get(segment);
      if (child === undefined) {
        child = createNode();
        node.children.set(segment, child);
        if (node.children.size > options.maxChildren) {
          collapse(node, options.maxChildren);
          child = node.any!;
        }
      }
    }
    child.count++;
    node = child;
  }
}

/** Adds `from` to `into`; exact, commutative, associative; `from` is left as it was. */
export function mergeTries(into: PathTrie, from: PathTrie, options = DEFAULT_TRIE): void {
  for (const [service, node] of from.services) {
    const known = into.services.get(service);
    if (known === undefined) into.services.set(service, copyNode(node));
    else mergeNodes(known, node, options.maxChildren);
  }
}

type PlainNode = readonly [
  count: number,
  children: readonly (readonly [string, PlainNode])[] | null,
  any: PlainNode | null,
];

const toPlain = (node: PathNode): PlainNode => [
  node.count,
  node.children === null
    ? null
    : [...node.children].sort(([a], [b]) => (a < b ? -1 : 1)).map(([text, child]) => [text, toPlain(child)] as const),
  node.any === null ? null : toPlain(node.any),
];

const fromPlain = ([count, children, any]: PlainNode): PathNode => ({
  count,
  children: children === null ? null : new Map(children.map(([text, child]) => [text, fromPlain(child)])),
  any: any === null ? null : fromPlain(any),
});

/** Plain JSON, equal for equal tries. */
export const trieToJson = (trie: PathTrie): string =>
  JSON.stringify(
    [...trie.services].sort(([a], [b]) => (a < b ? -1 : 1)).map(([service, node]) => [service, toPlain(node)]),
  );

export function trieFromJson(json: string): PathTrie {
  const plain = JSON.parse(json) as readonly (readonly [string, PlainNode])[];
  return { services: new Map(plain.map(([service, node]) => [service, fromPlain(node)])) };
}

/** Where a walk down the templates stands; −1 = nothing learned here, types alone decide. */
export interface LevelWalk {
  node: number;
}

export interface PathTemplates {
  /** Starts a walk at the root of a service's paths. */
  enter(walk: LevelWalk, serviceBytes: Uint8Array, start: number, end: number): void;
  /** One level down; true when the level is collapsed. `typed`: the segment is an identifier by its type. */
  step(walk: LevelWalk, bytes: Uint8Array, start: number, end: number, typed: boolean): boolean;
  /** What an analyst reads: one `service /path/{id}` a leaf. */
  readonly lines: readonly string[];
}

const ANY = 0;

/** Compiles counts into immutable templates: exact lookups by (node, segment), no strings while walking. */
export function compileTemplates(trie: PathTrie, options = DEFAULT_TRIE): PathTemplates {
  const texts = createByteTable({ maxEntries: 1_000_000, maxBytes: 64_000_000 });
  const edges = new Map<number, number>();
  const collapsed: boolean[] = [];
  const lines: string[] = [];
  const idOf = (text: string): number => {
    const bytes = encoder.encode(text);
    const known = texts.find(bytes, 0, bytes.length);
    return 1 + (known >= 0 ? known : texts.add(bytes, 0, bytes.length));
  };

  const add = (node: PathNode, prefix: string): number => {
    const id = collapsed.length;
    const children = node.children;
    let single = 0;
    for (const child of children?.values() ?? []) if (child.count <= 2) single++;
    const size = children?.size ?? 0;
    const all = children === null || (size >= options.collapseFrom && single >= options.singleShare * size);
    collapsed.push(all);
    let any = node.any;
    if (all && children !== null) {
      any = any === null ? null : copyNode(any);
      for (const child of children.values())
        any = any === null ? copyNode(child) : mergeNodes(any, child, options.maxChildren);
    }
    if (any !== null) edges.set(id * 2_097_152 + ANY, add(any, `${prefix}/{id}`));
    if (!all)
      for (const [text, child] of children!) edges.set(id * 2_097_152 + idOf(text), add(child, `${prefix}/${text}`));
    if (any === null && size === 0) lines.push(prefix);
    return id;
  };

  const roots = new Map<number, number>();
  for (const [service, node] of [...trie.services].sort(([a], [b]) => (a < b ? -1 : 1))) {
    roots.set(idOf(service), add(node, `${service} `));
  }

  return {
    enter(walk, bytes, start, end) {
      const id = texts.find(bytes, start, end);
      walk.node = id < 0 ? -1 : (roots.get(id + 1) ?? -1);
    },
    step(walk, bytes, start, end, typed) {
      const node = walk.node;
      if (node < 0) return false;
      const all = collapsed[node]!;
      let key = ANY;
      if (!all && !typed) {
        const id = texts.find(bytes, start, end);
        if (id < 0) {
          walk.node = -1;
          return false;
        }
        key = id + 1;
      }
      walk.node = edges.get(node * 2_097_152 + key) ?? -1;
      return all;
    },
    lines,
  };
}
