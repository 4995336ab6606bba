/**
 * A version's entries as a few long texts: what the models are built of group by group, and the version is written down from again.
 * As an object and three strings each they take twice as much. Texts have one byte a letter, in the heap that is compacted: what
 * is kept outside of it, compressed or not, leaves holes that no other use fits. Read as often as asked for.
 */
import type { BaselineEntry } from './model.ts';

/** Letters of a block: what is parsed at a time. */
const BLOCK = 1 << 18;

export interface PackedEntries extends Iterable<BaselineEntry> {
  readonly count: number;
  /** Bytes of the texts. */
  readonly bytes: number;
  /** Those of one kind: the others are not read. */
  ofKind(kind: string): Iterable<BaselineEntry>;
}

export interface EntryPacker {
  add(entry: BaselineEntry): void;
  /** All that were added, in their order. Nothing may be added after it. */
  finish(): PackedEntries;
}

export function createEntryPacker(): EntryPacker {
  /** Each of entries of one kind. */
  const blocks: { readonly kind: string; readonly text: string }[] = [];
  let current = '';
  let count = 0;
  let bytes = 0;
  let lines: string[] = [];
  let letters = 0;

  function seal(): void {
    if (lines.length === 0) return;
    blocks.push({ kind: current, text: lines.join('\n') });
    bytes += letters;
    lines = [];
    letters = 0;
  }

  return {
    add({ group, kind, key, value }) {
      if (kind !== current) seal();
      current = kind;
      const line = oneByte(JSON.stringify([group, kind, key, value]));
      count++;
      lines.push(line);
      letters += line.length + 1;
      if (letters >= BLOCK) seal();
    },
    finish() {
      seal();
      return {
        count,
        bytes,
        *[Symbol.iterator]() {
          for (const { text } of blocks) yield* unpacked(text);
        },
        *ofKind(wanted) {
          for (const { kind, text } of blocks) if (kind === wanted) yield* unpacked(text);
        },
      };
    },
  };
}

/** JSON with other letters escaped: one of them would make the whole text two bytes a letter. */
const oneByte = (json: string): string =>
  json.replace(/[\u0100-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);

function* unpacked(text: string): Iterable<BaselineEntry> {
  for (let from = 0; from <= text.length; ) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    const [group, kind, key, value] = JSON.parse(text.slice(from, to)) as [
      BaselineEntry['group'],
      string,
      string,
      string,
    ];
    yield { group, kind, key, value };
    from = to + 1;
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
