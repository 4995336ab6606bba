/**
 * Makes versions: of what was learned up to a cut, the held one again with new counters, or one that an operator wants. Long work
 * goes in turns, between which the other roles of the process go on. What is made is neither stored nor announced here.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { Learning } from '../baseline/learning/learning.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import { levelsToEntries } from '../baseline/templates.ts';
import { deriveVersion } from './derive.ts';
import type { Desk, Wish } from './desk.ts';
import type { PublishedVersion, StoredEntries } from './store.ts';
import type { TemplateBook } from './templates.ts';

export interface MakingDeps {
  readonly learning: Learning;
  readonly templates: TemplateBook;
  readonly desk: Desk;
  /** Compiles entries into a version. Throws BASELINE_DAMAGED, BASELINE_SCHEMA. */
  load(entries: readonly BaselineEntry[]): Baseline;
  /** Runs steps to their end, others in between. */
  inTurns<T>(steps: Generator<void, T>): Promise<T>;
}

export interface Making {
  /**
   * A version of everything learned; `offsets`: what it reaches. While an operator holds learned ones back, the held one with
   * these counters. Null where it could not raise alerts and the present one, which was not learned here, can.
   */
  learned(
    present: PublishedVersion | null,
    offsets: readonly number[],
    streamMs: number,
  ): Promise<PublishedVersion | null>;
  /** What an operator wants; `offsets`: where learning stands, for one that begins anew: it does so before the first turn of others. */
  wished(
    wish: Wish,
    present: PublishedVersion | null,
    offsets: readonly number[],
    streamMs: number,
  ): Promise<PublishedVersion>;
}

/** Learning that begins anew is as strict as at the very beginning: all is new to it. */
function begunAnew({ manifest, entries }: StoredEntries): StoredEntries {
  const { alerted: _, ...facts } = manifest;
  return { manifest: facts, entries };
}

const none: ReadonlyMap<number, Uint8Array> = new Map();

export function createMaking({ learning, templates, desk, load, inTurns }: MakingDeps): Making {
  async function counters(offsets: readonly number[]): Promise<Pick<PublishedVersion, 'partials' | 'paths'>> {
    const partials = new Map<number, Uint8Array>();
    const paths = new Map<number, Uint8Array>();
    for (const partition of offsets.keys()) {
      partials.set(partition, await inTurns(learning.encoding(partition)));
      paths.set(partition, templates.encode(partition));
    }
    return { partials, paths };
  }

  function heldAgain({ baseline, entries }: PublishedVersion, offsets: readonly number[], streamMs: number): Baseline {
    const { manifest } = baseline;
    const { kind = 'learned' } = manifest;
    return load(
      deriveVersion({
        kind: kind === 'learned' ? 'edited' : kind,
        source: { manifest, entries },
        edits: desk.edits({ entries }),
        current: { ...manifest, offsets },
        held: true,
        ownCounters: true,
        request: '',
        levels: templates.current.levels,
        nowMs: streamMs,
        partitions: offsets.length,
      }),
    );
  }

  return {
    async learned(present, offsets, streamMs) {
      const manifest = present?.baseline.manifest;
      const baseline =
        present !== null && manifest?.held === true
          ? heldAgain(present, offsets, streamMs)
          : await inTurns(
              learning.publishing({
                parent: manifest?.version ?? '',
                alerted: manifest?.alerting === true || manifest?.alerted === true,
                // what was learned elsewhere binds nothing here: the first version of one's own is a first one
                previous: manifest?.foreign === true ? [] : (present?.entries ?? []),
                offsets,
                extra: [...levelsToEntries(templates.plan(streamMs)), ...desk.edits(present)],
                ...(manifest === undefined ? {} : { afterMs: manifest.createdMs }),
              }),
            );
      const isOwn = manifest?.kind === undefined || manifest.kind === 'learned';
      if (!baseline.manifest.alerting && manifest?.alerting === true && !isOwn) return null;
      return { baseline, entries: [...baseline.entries()], ...(await counters(offsets)) };
    },
    async wished(wish, present, offsets, streamMs) {
      const manifest = present?.baseline.manifest ?? null;
      const entries = deriveVersion({
        ...wish,
        ...(wish.forget ? { source: begunAnew(wish.source) } : {}),
        current: manifest !== null && wish.forget ? { ...manifest, offsets } : manifest,
        ownCounters: wish.forget,
        levels: templates.current.levels,
        nowMs: streamMs,
        partitions: offsets.length,
      });
      const baseline = load(entries); // where it throws, nothing is forgotten
      if (!wish.forget)
        return { baseline, entries, partials: present?.partials ?? none, paths: present?.paths ?? none };
      learning.reset();
      const partitions = [...offsets.keys()];
      return {
        baseline,
        entries,
        // at once: what is learned in a turn between lies beyond the offsets
        partials: new Map(partitions.map((partition) => [partition, learning.encode(partition)])),
        paths: new Map(partitions.map((partition) => [partition, templates.encode(partition)])),
      };
    },
  };
}
