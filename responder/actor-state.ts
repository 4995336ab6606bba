/**
 * The state of actors in ClickHouse: parts, compressed off the thread, then one row that names them with their checksums and the next
 * offset. Only parts that changed are written. Nothing holds the event loop for longer than one part takes.
 */
import { promisify } from 'node:util';
import { constants, crc32, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Snapshot } from '../runtime/clickhouse/store.ts';
import type { StoredPart } from '../runtime/clickhouse/stored-actors.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Part } from './actors/parts.ts';

export interface ActorStateStore {
  saveSnapshot(snapshot: Snapshot): Promise<void>;
  loadSnapshot(): Promise<Snapshot | null>;
  saveParts(parts: readonly StoredPart[]): Promise<void>;
  loadParts(names: readonly string[]): Promise<readonly StoredPart[]>;
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

export interface ActorState {
  /**
   * Null when there is none. `restore` gets every part, the first one named `meta`; it throws LOG or CLICKHOUSE errors of the store, and
   * SCHEMA_MISMATCH when what is stored is damaged.
   */
  load(restore: (part: { readonly name: string; readonly bytes: Uint8Array }) => void): Promise<number | null>;
  /** Rejects when it could not be saved or `isOwner` no longer holds; what stood before stands. */
  save(nextOffset: number, parts: Iterable<Part>, isOwner: () => boolean): Promise<SavedState>;
  /** What was kept is not known any more. */
  forget(): void;
}

const FORMAT = 1;
const OWNER_LOST = 'another member owns the actors now';
const LEVEL = 1;
/** Base64 sent in one insert; parts asked for in one query. */
const INSERT_BYTES = 4_000_000;
const PARTS_A_QUERY = 16;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createActorState(store: ActorStateStore, nowMs: () => number): ActorState {
  let kept = new Map<string, Named>();

  async function load(restore: (part: { name: string; bytes: Uint8Array }) => void): Promise<number | null> {
    const snapshot = await store.loadSnapshot();
    if (snapshot === null) return null;
    const manifest = JSON.parse(snapshot.state) as Manifest;
    if (manifest.format !== FORMAT)
      throw new SpanwardenError('SCHEMA_MISMATCH', 'the state of actors has another format');
    const found = new Map<string, Named>();
    for (let i = 0; i < manifest.parts.length; i += PARTS_A_QUERY) {
      const wanted = manifest.parts.slice(i, i + PARTS_A_QUERY);
      const rows = await store.loadParts(wanted.map(({ name }) => name));
      for (const named of wanted) {
        const row = rows.find(({ name, place }) => name === named.name && place === named.place);
        const bytes = row === undefined ? null : await decompress(Buffer.from(row.bytes, 'base64')).catch(() => null);
        if (bytes === null || crc32(bytes) !== named.crc)
          throw new SpanwardenError(
            'SCHEMA_MISMATCH',
            `part ${named.name} of the state of actors is damaged or missing`,
          );
        restore({ name: named.name, bytes });
        found.set(named.name, named);
        await turn();
      }
    }
    kept = found;
    return snapshot.nextOffset;
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
      const place = before === undefined ? 0 : 1 - before.place;
      const text = packed.toString('base64');
      waiting.push({ name, place, bytes: text });
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
    await away(store.saveSnapshot({ nextOffset, state: JSON.stringify(manifest) }));
    kept = new Map(all.map((named) => [named.name, named]));
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
