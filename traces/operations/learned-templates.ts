/**
 * Path templates learned from traffic: a level of paths with many distinct, mostly single children becomes `{id}`
 * (DETECTION §3.1). A trie of counted paths gives the collapsed levels; a version carries them; compiled, they are what the
 * reader applies. A level once collapsed stays so: labels must not change back and forth with every version.
 */
import { createByteTable } from '../byte-table.ts';
import {
  binOf,
  CLIENT_BINS,
  createPathTrie,
  joined,
  mergeTries,
  type PathNode,
  type PathTrie,
  SEVERAL,
} from './path-trie.ts';

/** A level of a service's paths that is collapsed. */
export interface TemplateLevel {
  readonly service: string;
  /** Segments above it; `{id}` for identifiers and for collapsed levels. */
  readonly prefix: readonly string[];
  /** Children so frequent that they stay what they are: `/users/me`, and what people want from a server that is scanned. */
  readonly literals: readonly string[];
  /** Distinct children seen, about, and paths through the level: for people. */
  readonly distinct: number;
  readonly count: number;
}

export interface TemplateOptions {
  /** From this many distinct children on, mostly single ones collapse the level. */
  readonly collapseFrom: number;
  /** Share of children seen at most twice that makes them mostly single. */
  readonly singleShare: number;
  /** From this many on it is collapsed whatever their counts: nobody names so many operations by hand. */
  readonly collapseAnyway: number;
  /** A child with this share of a collapsed level's paths stays literal: `/users/me`. */
  readonly literalShare: number;
  /** With this share it does when what follows it follows no other: `/api` beside the paths that a scanner made up. */
  readonly distinctShare: number;
  /** Levels by key that operators say are identifiers, every child of them, however few there are. */
  readonly pinned: ReadonlySet<string>;
  /** Levels by key that operators say are names of operations, however many there are. */
  readonly split: ReadonlySet<string>;
}

export const TEMPLATE_RULES: TemplateOptions = {
  collapseFrom: 24,
  singleShare: 0.6,
  collapseAnyway: 96,
  literalShare: 0.25,
  distinctShare: 0.02,
  pinned: new Set(),
  split: new Set(),
};

/** The rules with what operators say of single levels, each as `levelKey` writes it. */
export const rulesWith = (said: {
  readonly pin: readonly string[];
  readonly split: readonly string[];
}): TemplateOptions => ({
  ...TEMPLATE_RULES,
  pinned: new Set(said.pin),
  split: new Set(said.split),
});

const ANY_TEXT = '{id}';

/** What an analyst reads: `catalogue /api/product/{id}`. */
export const levelKey = ({ service, prefix }: Pick<TemplateLevel, 'service' | 'prefix'>): string =>
  `${service} /${[...prefix, ANY_TEXT].join('/')}`;

/** Seen so rarely, a child is single. */
const SINGLE = 2;

interface Width {
  readonly distinct: number;
  readonly single: number;
}

/**
 * Distinct and single children of a level, without those of the one client who alone called most of them: a scanner must
 * not collapse a level. Where the service has only ever had one client, or none is known, nobody is left out.
 */
function widthOf(node: PathNode, oneClient: boolean): Width {
  const alone = new Uint32Array(CLIENT_BINS);
  let distinct = node.children.size;
  let single = 0;
  for (const { count, clients } of node.children.values()) {
    if (count > SINGLE) continue;
    single++;
    const bin = binOf(clients);
    if (bin !== SEVERAL) alone[bin]!++;
  }
  if (node.folded !== null) {
    for (let bin = 0; bin <= SEVERAL; bin++) {
      distinct += node.folded[bin]!;
      single += node.folded[bin]!;
      if (bin !== SEVERAL) alone[bin]! += node.folded[bin]!;
    }
  }
  const most = oneClient ? 0 : alone.reduce((a, b) => Math.max(a, b), 0);
  return { distinct: distinct - most, single: single - most };
}

const isCollapsed = ({ distinct, single }: Width, rules: TemplateOptions): boolean =>
  distinct >= rules.collapseAnyway || (distinct >= rules.collapseFrom && single >= rules.singleShare * distinct);

function literalsOf(node: PathNode, rules: TemplateOptions): string[] {
  const literals: string[] = [];
  /** Under how many children each segment follows. */
  const follows = new Map<string, number>();
  const segmentsOf = ({ children, any }: PathNode): string[] => [
    ...children.keys(),
    ...(any === null ? [] : [ANY_TEXT]),
  ];
  for (const child of node.children.values())
    for (const text of segmentsOf(child)) follows.set(text, (follows.get(text) ?? 0) + 1);
  if (node.any !== null) for (const text of segmentsOf(node.any)) follows.set(text, (follows.get(text) ?? 0) + 1);
  for (const [text, child] of node.children) {
    const least = segmentsOf(child).some((after) => follows.get(after) === 1)
      ? rules.distinctShare
      : rules.literalShare;
    if (child.count >= least * node.count) literals.push(text);
  }
  return literals.sort();
}

/**
 * Collapsed levels of the tries' paths taken together, by key. Those in `before` stay, with the literals they have.
 */
export function collapsedLevels(
  tries: Iterable<PathTrie>,
  before: readonly TemplateLevel[] = [],
  rules: TemplateOptions = TEMPLATE_RULES,
): TemplateLevel[] {
  const trie = createPathTrie();
  for (const one of tries) mergeTries(trie, one);
  const levels = new Map(before.map((level) => [levelKey(level), level]));

  const walk = (service: string, node: PathNode, prefix: readonly string[], oneClient: boolean): void => {
    const key = levelKey({ service, prefix });
    const known = levels.get(key);
    const width = widthOf(node, oneClient);
    const pinned = rules.pinned.has(key);
    if (known === undefined && !pinned && (rules.split.has(key) || !isCollapsed(width, rules))) {
      for (const [text, child] of node.children) walk(service, child, [...prefix, text], oneClient);
      if (node.any !== null) walk(service, node.any, [...prefix, ANY_TEXT], oneClient);
      return;
    }
    const { count } = node;
    const literals = known?.literals ?? (pinned ? [] : literalsOf(node, rules));
    levels.set(key, { service, prefix, literals, distinct: width.distinct, count });
    const rest = node.any === null ? [] : [node.any];
    for (const [text, child] of node.children) {
      if (literals.includes(text)) walk(service, child, [...prefix, text], oneClient);
      else rest.push(child);
    }
    if (rest.length > 0) walk(service, joined(rest), [...prefix, ANY_TEXT], oneClient);
  };

  for (const [service, node] of trie.services) walk(service, node, [], binOf(node.clients) !== SEVERAL);
  return [...levels.values()].sort((a, b) => (levelKey(a) < levelKey(b) ? -1 : 1));
}

/** What of the levels decides how a path reads. */
export const templatesKey = (levels: readonly TemplateLevel[]): string =>
  levels.length === 0
    ? ''
    : JSON.stringify(
        levels.map((level) => [levelKey(level), ...level.literals]).sort(([a], [b]) => (a! < b! ? -1 : 1)),
      );

/** Where a walk down the templates stands; −1 = nothing learned here, types alone decide. */
export interface LevelWalk {
  node: number;
}

export interface PathTemplates {
  /** Equal for templates that read every path alike; '' = nothing is collapsed. */
  readonly key: string;
  readonly levels: readonly TemplateLevel[];
  /** Starts a walk at the root of a service's paths. */
  enter(walk: LevelWalk, serviceBytes: Uint8Array, start: number, end: number): void;
  /** One level down; true when the segment becomes `{id}`. `typed`: it is an identifier by its type. */
  step(walk: LevelWalk, bytes: Uint8Array, start: number, end: number, typed: boolean): boolean;
}

const ANY = 0;
/** Texts are fewer than this; keys of edges stay exact integers. */
const TEXTS = 2_097_152;
const encoder = new TextEncoder();

/** Immutable templates: exact lookups by (node, segment), no strings while walking. */
export function compileTemplates(levels: readonly TemplateLevel[]): PathTemplates {
  const texts = createByteTable({ maxEntries: TEXTS - 1, maxBytes: 64_000_000 });
  const roots = new Map<number, number>();
  const edges = new Map<number, number>();
  const collapsed: boolean[] = [];
  const idOf = (text: string): number => {
    const bytes = encoder.encode(text);
    const known = texts.find(bytes, 0, bytes.length);
    return 1 + (known >= 0 ? known : texts.add(bytes, 0, bytes.length));
  };
  const next = (map: Map<number, number>, key: number): number => {
    let node = map.get(key);
    if (node === undefined) {
      node = collapsed.push(false) - 1;
      map.set(key, node);
    }
    return node;
  };
  const edge = (node: number, text: string): number => node * TEXTS + (text === ANY_TEXT ? ANY : idOf(text));

  // From the root down: below a collapsed level only its literals have ways of their own.
  for (const { service, prefix, literals } of [...levels].sort((a, b) => a.prefix.length - b.prefix.length)) {
    let node = next(roots, idOf(service));
    for (const text of prefix) {
      const key = edge(node, text);
      if (collapsed[node] && text !== ANY_TEXT && !edges.has(key)) {
        node = -1;
        break;
      }
      node = next(edges, key);
    }
    if (node < 0) continue;
    collapsed[node] = true;
    for (const text of literals) next(edges, edge(node, text));
  }

  return {
    key: templatesKey(levels),
    levels,
    enter(walk, bytes, start, end) {
      const id = texts.find(bytes, start, end);
      walk.node = id < 0 ? -1 : (roots.get(id + 1) ?? -1);
    },
    step(walk, bytes, start, end, typed) {
      const { node } = walk;
      if (node < 0) return false;
      if (!typed) {
        const id = texts.find(bytes, start, end);
        const literal = id < 0 ? undefined : edges.get(node * TEXTS + id + 1);
        if (literal !== undefined) {
          walk.node = literal;
          return false;
        }
        if (!collapsed[node]) {
          walk.node = -1;
          return false;
        }
      }
      walk.node = edges.get(node * TEXTS + ANY) ?? -1;
      return !typed;
    },
  };
}

/** Types alone decide. */
export const NO_TEMPLATES: PathTemplates = compileTemplates([]);
