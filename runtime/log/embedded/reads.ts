/** Reads of one database: always all() within a bound, as an open cursor would keep the WAL from being reset. */
import type { DatabaseSync } from 'node:sqlite';
import type { TopicName } from '../../../schemas/log/topics.ts';
import type { StoredFrame } from '../frame.ts';
import type { TopicOffsets } from '../port.ts';
import { frameId, OFFSETS } from './database.ts';

/** Frames one read looks at, however small they are. */
const READ_ROWS = 512;

export interface Reads {
  offsets(topic: TopicName): TopicOffsets | null;
  read(topic: TopicName, partition: number, offset: number, maxBytes: number): StoredFrame[];
}

interface FrameRow {
  readonly id: number;
  readonly count: number;
  readonly append_ms: number;
  readonly bytes: Uint8Array;
}

export function createReads(database: DatabaseSync): Reads {
  const selectOffsets = database.prepare('SELECT earliest, latest FROM partition WHERE topic = ? ORDER BY number');
  const selectId = database.prepare('SELECT id FROM partition WHERE topic = ? AND number = ?');
  const selectFrom = database.prepare('SELECT id, count FROM frame WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1');
  const selectSizes = database.prepare(
    `SELECT id, size FROM frame WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ${READ_ROWS}`,
  );
  const selectFrames = database.prepare(
    `SELECT id, count, append_ms, bytes FROM frame WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ${READ_ROWS}`,
  );
  /** Ids of partitions never change. */
  const ids = new Map<string, number>();

  function idOf(topic: TopicName, partition: number): number | undefined {
    const key = `${topic} ${partition}`;
    let id = ids.get(key);
    if (id === undefined) {
      id = (selectId.get(topic, partition) as unknown as { id: number } | undefined)?.id;
      if (id !== undefined) ids.set(key, id);
    }
    return id;
  }

  return {
    offsets(topic) {
      const rows = selectOffsets.all(topic) as unknown as { earliest: number; latest: number }[];
      if (rows.length === 0) return null;
      return { earliest: rows.map((row) => row.earliest), latest: rows.map((row) => row.latest) };
    },
    read(topic, partition, offset, maxBytes) {
      const id = idOf(topic, partition);
      if (id === undefined) return [];
      const first = frameId(id, 0);
      const last = first + OFFSETS - 1;
      // the frame that begins at or below the offset may hold it
      const holder = selectFrom.get(first, first + Math.max(0, offset)) as unknown as FrameRow | undefined;
      const from = holder && holder.id - first + holder.count > offset ? holder.id : first + Math.max(0, offset);
      const sizes = selectSizes.all(from, last) as unknown as { id: number; size: number }[];
      let until = 0;
      let bytes = 0;
      while (until < sizes.length && (until === 0 || bytes + sizes[until]!.size <= maxBytes))
        bytes += sizes[until++]!.size;
      if (until === 0) return [];
      const rows = selectFrames.all(from, sizes[until - 1]!.id) as unknown as FrameRow[];
      return rows.map((row) => ({
        baseOffset: row.id - first,
        count: row.count,
        appendMs: row.append_ms,
        bytes: row.bytes,
      }));
    },
  };
}
