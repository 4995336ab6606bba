/**
 * Path templates on the learning side: paths counted by log partition, the templates that segments are learned with, and
 * those that would be found now.
 */

import type { BaselineEntry } from '../baseline/model.ts';
import { levelsFromEntries, levelsToEntries } from '../baseline/templates.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import {
  collapsedLevels,
  compileTemplates,
  NO_TEMPLATES,
  type PathTemplates,
  type TemplateLevel,
} from '../traces/operations/learned-templates.ts';
import { createPathTrie, type PathTrie, trieFromJson, trieToJson } from '../traces/operations/path-trie.ts';

export interface TemplateBook {
  /** Segments are learned with these. */
  readonly current: PathTemplates;
  /** Paths of a partition, to count into. */
  pathsOf(partition: number): PathTrie;
  /** What the paths counted so far would give. Levels are only ever added, so it holds the current ones. */
  found(): PathTemplates;
  /** From now on segments are learned with these. */
  take(templates: PathTemplates): void;
  /** Entries of a version learned with the current ones; what `found` has beyond them comes after it. */
  entries(found: PathTemplates): BaselineEntry[];
  /** Goes on after a version: its own levels and those that it announced. */
  resume(entries: readonly BaselineEntry[]): void;
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

export function createTemplateBook(): TemplateBook {
  const tries = new Map<number, PathTrie>();
  let current = NO_TEMPLATES;
  const compiled = (levels: readonly TemplateLevel[]): PathTemplates =>
    levels.length === 0 ? NO_TEMPLATES : compileTemplates(levels);
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
    found: () => compiled(collapsedLevels(tries.values(), current.levels)),
    take(templates) {
      current = templates;
    },
    entries(found) {
      return levelsToEntries({ levels: current.levels, coming: found.levels });
    },
    resume(entries) {
      const { levels, coming } = levelsFromEntries(entries);
      current = compiled([...levels, ...coming]);
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
