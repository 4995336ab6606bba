/**
 * A version's entries, compressed in blocks: a version at its full width has fifty megabytes of them as text, which are needed to
 * build the models group by group, and to write the version down again, and else only take memory. Read as often as asked for.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { BaselineEntry } from './model.ts';

/** Letters of a block: what is unpacked at a time. */
const BLOCK = 1 << 16;
/** The least effort: five times smaller instead of seven, in a third of the time. */
const LEVEL = 1;

export interface PackedEntries extends Iterable<BaselineEntry> {
  readonly count: number;
  readonly bytes: number;
  /** Those of one kind: the others are not unpacked. */
  ofKind(kind: string): Iterable<BaselineEntry>;
}

export interface EntryPacker {
  add(entry: BaselineEntry): void;
  /** All that were added, in their order. Nothing may be added after it. */
  finish(): PackedEntries;
}

export function createEntryPacker(): EntryPacker {
  /** Each of entries of one kind. */
  const blocks: { readonly kind: string; readonly deflated: Uint8Array }[] = [];
  let current = '';
  let count = 0;
  let bytes = 0;
  let lines: string[] = [];
  let letters = 0;

  function seal(): void {
    if (lines.length === 0) return;
    // a copy of the size that it has: zlib hands out slices of larger buffers
    const deflated = Uint8Array.from(deflateRawSync(lines.join('\n'), { level: LEVEL }));
    blocks.push({ kind: current, deflated });
    bytes += deflated.length;
    lines = [];
    letters = 0;
  }

  return {
    add({ group, kind, key, value }) {
      if (kind !== current) seal();
      current = kind;
      const line = JSON.stringify([group, kind, key, value]);
      count++;
      lines.push(line);
      letters += line.length;
      if (letters >= BLOCK) seal();
    },
    finish() {
      seal();
      return {
        get count() {
          return count;
        },
        get bytes() {
          return bytes;
        },
        *[Symbol.iterator]() {
          for (const { deflated } of blocks) yield* unpacked(deflated);
        },
        *ofKind(wanted) {
          for (const { kind, deflated } of blocks) if (kind === wanted) yield* unpacked(deflated);
        },
      };
    },
  };
}

function* unpacked(deflated: Uint8Array): Iterable<BaselineEntry> {
  for (const line of inflateRawSync(deflated).toString().split('\n')) {
    const [group, kind, key, value] = JSON.parse(line) as [BaselineEntry['group'], string, string, string];
    yield { group, kind, key, value };
  }
}

const isPacked = (entries: Iterable<BaselineEntry>): entries is PackedEntries => 'ofKind' in entries;

/** What is packed stays as it is. */
export function packEntries(entries: Iterable<BaselineEntry>): PackedEntries {
  if (isPacked(entries)) return entries;
  const packer = createEntryPacker();
  for (const entry of entries) packer.add(entry);
  return packer.finish();
}
