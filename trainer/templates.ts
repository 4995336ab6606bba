/**
 * Path templates on the learning side: paths counted by log partition, the templates that segments are learned with, and
 * those that would be found now.
 */

import type { ComingLevel, VersionLevels } from '../baseline/templates.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import {
  collapsedLevels,
  compileTemplates,
  levelKey,
  NO_TEMPLATES,
  type PathTemplates,
  TEMPLATE_RULES,
  type TemplateOptions,
} from '../traces/operations/learned-templates.ts';
import { createPathTrie, type PathTrie, trieFromJson, trieToJson } from '../traces/operations/path-trie.ts';

export interface TemplateBook {
  /** Segments are learned with these. */
  readonly current: PathTemplates;
  /** Paths of a partition, to count into. */
  pathsOf(partition: number): PathTrie;
  /** What the paths counted so far would give. Levels are only ever added, so it holds the current ones. */
  found(): PathTemplates;
  /** Levels of a version cut at this stream time, and what is found beyond them. */
  plan(nowMs: number): VersionLevels;
  /** From now on segments are learned with all of these. */
  take(levels: VersionLevels): void;
  /** A partition's paths, for a trainer that goes on after a restart. */
  encode(partition: number): Uint8Array;
  /** Throws BASELINE_DAMAGED. */
  restore(partition: number, bytes: Uint8Array): void;
  drop(partition: number): void;
  /** Forgets the paths, not the templates. */
  reset(): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** `settleMs`: so long a level's labels are learned before a version reads with them, as admission needs some time buckets. */
export function createTemplateBook({
  settleMs,
  rules = TEMPLATE_RULES,
}: {
  readonly settleMs: number;
  readonly rules?: TemplateOptions;
}): TemplateBook {
  const tries = new Map<number, PathTrie>();
  let levels: VersionLevels = { levels: [], coming: [] };
  let current = NO_TEMPLATES;
  const found = (): PathTemplates => compileTemplates(collapsedLevels(tries.values(), current.levels, rules));
  return {
    get current() {
      return current;
    },
    pathsOf(partition) {
      let trie = tries.get(partition);
      if (trie === undefined) {
        trie = createPathTrie();
        tries.set(partition, trie);
      }
      return trie;
    },
    found,
    plan(nowMs) {
      const known = new Set(current.levels.map(levelKey));
      const fresh = found().levels.filter((level) => !known.has(levelKey(level)));
      const isSettled = ({ sinceMs }: ComingLevel): boolean => nowMs - sinceMs >= settleMs;
      return {
        levels: [...levels.levels, ...levels.coming.filter(isSettled)],
        coming: [
          ...levels.coming.filter((level) => !isSettled(level)),
          ...fresh.map((level) => ({ ...level, sinceMs: nowMs })),
        ],
      };
    },
    take(given) {
      levels = given;
      const next = compileTemplates([...given.levels, ...given.coming]);
      if (next.key !== current.key) current = next;
    },
    encode: (partition) => encoder.encode(trieToJson(tries.get(partition) ?? createPathTrie())),
    restore(partition, bytes) {
      try {
        tries.set(partition, trieFromJson(decoder.decode(bytes)));
      } catch (cause) {
        throw new SpanwardenError('BASELINE_DAMAGED', 'the learned paths could not be read', { cause });
      }
    },
    drop(partition) {
      tries.delete(partition);
    },
    reset() {
      tries.clear();
    },
  };
}
