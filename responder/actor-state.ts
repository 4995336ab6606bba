/**
 * The state of actors in ClickHouse: parts, compressed off the thread, then one row that names them with their checksums and the next
 * offset. Only parts that changed are written. Nothing holds the event loop for longer than one part takes.
 *
 * Which state stands says no clock: the highest generation does, one more at every hand-over, and of this the highest offset. An owner
 * writes parts under its own name alone, so that a former one that still writes spoils nothing, and keeps its last two states whole: where
 * a part is damaged, the newest state that is complete is gone on from.
 */
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, crc32, zstdCompress, zstdDecompress } from 'node:zlib';
import type { StoredPart } from '../runtime/clickhouse/stored-actors.ts';
import { partName, type StoredManifest } from '../runtime/clickhouse/stored-manifests.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Part } from './actors/parts.ts';

export interface ActorStateStore {
  saveManifest(manifest: StoredManifest): Promise<void>;
  /** The one that stands first. */
  loadManifests(): Promise<readonly StoredManifest[]>;
  saveParts(parts: readonly StoredPart[]): Promise<void>;
  loadParts(names: readonly string[]): Promise<readonly StoredPart[]>;
  /** What owners of earlier generations have left. */
  removeBefore(generation: number): Promise<void>;
}

interface Named {
  readonly name: string;
  readonly place: number;
  /** CRC-32 of the bytes before compression. */
  readonly crc: number;
}

interface Manifest {
  readonly format: number;
  readonly parts: readonly Named[];
}

export interface SavedState {
  readonly bytes: number;
  readonly writtenBytes: number;
  /** Longest time the thread was held, in milliseconds. */
  readonly longestMs: number;
}

type Restore = (part: { readonly name: string; readonly bytes: Uint8Array }) => void;

export interface ActorState {
  /**
   * Null when there is none; else its next offset. `begin` gives what takes every part, the first one named `meta`, and is called anew
   * for each state that is tried. Throws LOG or CLICKHOUSE errors of the store, and SCHEMA_MISMATCH when no state is complete.
   * Before anything is saved; whoever saves then tells everything once.
   */
  load(begin: () => Restore, damaged?: (error: SpanwardenError) => void): Promise<number | null>;
  /** Rejects when it could not be saved or `isOwner` no longer holds; what stood before stands. */
  save(nextOffset: number, parts: Iterable<Part>, isOwner: () => boolean): Promise<SavedState>;
  /** What was kept is not known any more. */
  forget(): void;
}

const FORMAT = 3;
/** Of each part, so that those of the last two states stay while the next are written; and of manifests. */
const PART_PLACES = [0, 1, 2];
const MANIFEST_PLACES = 2;
const OWNER_LOST = 'another member owns the actors now';
const LEVEL = 1;
/** Base64 sent in one insert; parts asked for in one query. */
const INSERT_BYTES = 4_000_000;
const PARTS_A_QUERY = 16;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createActorState(store: ActorStateStore, nowMs: () => number): ActorState {
  let generation = 0;
  let writer = randomUUID().slice(0, 8);
  let kept = new Map<string, Named>();
  let keptBefore = new Map<string, Named>();
  let saves = 0;
  let isAlone = false;

  async function load(begin: () => Restore, damaged?: (error: SpanwardenError) => void): Promise<number | null> {
    const manifests = await store.loadManifests();
    generation = (manifests[0]?.generation ?? 0) + 1;
    writer = randomUUID().slice(0, 8);
    kept = new Map();
    keptBefore = new Map();
    saves = 0;
    isAlone = manifests.length === 0;
    let last: SpanwardenError | undefined;
    for (const manifest of manifests) {
      try {
        await read(manifest, begin());
        return manifest.nextOffset;
      } catch (error) {
        if (!(error instanceof SpanwardenError) || error.code !== 'SCHEMA_MISMATCH') throw error;
        damaged?.(error);
        last = error;
      }
    }
    if (last !== undefined) throw last;
    return null;
  }

  async function read({ generation: of, writer: by, state }: StoredManifest, restore: Restore): Promise<void> {
    const manifest = manifestOf(state);
    for (let i = 0; i < manifest.parts.length; i += PARTS_A_QUERY) {
      const wanted = manifest.parts.slice(i, i + PARTS_A_QUERY);
      const rows = await store.loadParts(wanted.map(({ name }) => partName(of, by, name)));
      for (const { name, place, crc } of wanted) {
        const stored = partName(of, by, name);
        const row = rows.find((one) => one.name === stored && one.place === place);
        const bytes = row === undefined ? null : await decompress(Buffer.from(row.bytes, 'base64')).catch(() => null);
        if (bytes === null || crc32(bytes) !== crc)
          throw new SpanwardenError('SCHEMA_MISMATCH', `part ${name} of the state of actors is damaged or missing`);
        restore({ name, bytes });
        await turn();
      }
    }
  }

  async function save(nextOffset: number, parts: Iterable<Part>, isOwner: () => boolean): Promise<SavedState> {
    const all: Named[] = [];
    let waiting: StoredPart[] = [];
    let waitingBytes = 0;
    let total = 0;
    let written = 0;
    let longestMs = 0;
    let sinceMs = nowMs();
    const pause = async (): Promise<void> => {
      longestMs = Math.max(longestMs, nowMs() - sinceMs);
      await turn();
      sinceMs = nowMs();
    };
    const away = async <T>(work: Promise<T>): Promise<T> => {
      longestMs = Math.max(longestMs, nowMs() - sinceMs);
      const done = await work;
      sinceMs = nowMs();
      return done;
    };
    const flush = async (): Promise<void> => {
      if (!isOwner()) throw new SpanwardenError('STOPPED', OWNER_LOST);
      if (waiting.length > 0) await away(store.saveParts(waiting));
      waiting = [];
      waitingBytes = 0;
    };
    for (const { name, bytes } of parts) {
      const before = kept.get(name);
      if (bytes === null) {
        if (before === undefined) throw new Error(`part ${name} was never kept`);
        all.push(before);
        continue;
      }
      total += bytes.length;
      const crc = crc32(bytes);
      if (before !== undefined && before.crc === crc) {
        all.push(before);
        await pause();
        continue;
      }
      const packed = await away(compress(bytes, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }));
      const placeBefore = keptBefore.get(name)?.place;
      const place = PART_PLACES.find((free) => free !== before?.place && free !== placeBefore)!;
      const text = packed.toString('base64');
      waiting.push({ name: partName(generation, writer, name), place, bytes: text });
      waitingBytes += text.length;
      written += packed.length;
      all.push({ name, place, crc });
      if (waitingBytes >= INSERT_BYTES) await flush();
      await pause();
    }
    await flush();
    // the manifest is read in its order: what every part is about comes first
    const manifest: Manifest = {
      format: FORMAT,
      parts: all.sort((a, b) => Number(b.name === 'meta') - Number(a.name === 'meta')),
    };
    if (!isOwner()) throw new SpanwardenError('STOPPED', OWNER_LOST);
    const place = saves % MANIFEST_PLACES;
    await away(store.saveManifest({ generation, writer, place, nextOffset, state: JSON.stringify(manifest) }));
    saves++;
    keptBefore = kept;
    kept = new Map(all.map((named) => [named.name, named]));
    if (!isAlone && saves >= MANIFEST_PLACES && isOwner()) {
      // two of one's own to go back to: what was left by others is needed no more. Failing that, the next save tries again
      isAlone = await away(
        store.removeBefore(generation).then(
          () => true,
          () => false,
        ),
      );
    }
    return { bytes: total, writtenBytes: written, longestMs };
  }

  return {
    load,
    save,
    forget() {
      kept = new Map();
    },
  };
}

function manifestOf(state: string): Manifest {
  let manifest: Manifest | null = null;
  try {
    manifest = JSON.parse(state) as Manifest;
  } catch {} // said below
  if (manifest?.format !== FORMAT)
    throw new SpanwardenError('SCHEMA_MISMATCH', 'the state of actors is damaged or has another format');
  return manifest;
}
