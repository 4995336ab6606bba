/** Removes frames that are too old or too many, in short steps: appends wait for one step at most. */
import type { DatabaseSync } from 'node:sqlite';
import { frameId, OFFSETS } from './database.ts';

/** Rows a step removes at most; and bytes, as freeing a large row reads all of its pages. */
const STEP_ROWS = 1_000;
const STEP_BYTES = 16 * 1_048_576;

interface PartitionRow {
  readonly id: number;
  readonly topic: string;
  readonly earliest: number;
  readonly latest: number;
  readonly bytes: number;
}

interface TopicRow {
  readonly name: string;
  readonly retention_ms: number;
  readonly retention_bytes: number;
}

interface FrameRow {
  readonly id: number;
  readonly count: number;
  readonly append_ms: number;
  readonly size: number;
}

export interface Retention {
  /** One step in its own transaction. True when more is left to remove. */
  step(): boolean;
}

export function createRetention(database: DatabaseSync, now: () => number): Retention {
  const topics = database.prepare('SELECT name, retention_ms, retention_bytes FROM topic');
  const partitions = database.prepare('SELECT id, topic, earliest, latest, bytes FROM partition WHERE topic = ?');
  const oldest = database.prepare(
    `SELECT id, count, append_ms, size FROM frame WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ${STEP_ROWS}`,
  );
  const head = database.prepare(
    'SELECT id, count, append_ms, size FROM frame WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1',
  );
  const remove = database.prepare('DELETE FROM frame WHERE id BETWEEN ? AND ?');
  const update = database.prepare('UPDATE partition SET earliest = ?, bytes = bytes - ? WHERE id = ?');
  const all = <T>(rows: unknown): T[] => rows as T[];

  /** How many of the oldest frames go, and their bytes. */
  function removable(frames: readonly FrameRow[], keepFromMs: number, excessBytes: number): FrameRow[] {
    const gone: FrameRow[] = [];
    let bytes = 0;
    for (const frame of frames) {
      if (frame.append_ms >= keepFromMs && bytes >= excessBytes) break;
      if (gone.length > 0 && bytes + frame.size > STEP_BYTES) break;
      gone.push(frame);
      bytes += frame.size;
    }
    return gone;
  }

  function trim(partition: PartitionRow, keepFromMs: number, excessBytes: number): boolean {
    const first = frameId(partition.id, 0);
    const rows = all<FrameRow>(oldest.all(first, first + OFFSETS - 1));
    const gone = removable(rows, keepFromMs, excessBytes);
    const last = gone.at(-1);
    if (!last) return false;
    const bytes = gone.reduce((sum, frame) => sum + frame.size, 0);
    remove.run(first, last.id);
    update.run(last.id - first + last.count, bytes, partition.id);
    return true;
  }

  /** The partition of a topic whose oldest frame is the oldest, and the one to be trimmed for size. */
  function oldestOf(rows: readonly PartitionRow[]): PartitionRow | undefined {
    let found: PartitionRow | undefined;
    let foundMs = Number.POSITIVE_INFINITY;
    for (const row of rows) {
      const first = frameId(row.id, 0);
      const frame = head.get(first, first + OFFSETS - 1) as unknown as FrameRow | undefined;
      if (!frame) continue;
      if (frame.append_ms < foundMs || (frame.append_ms === foundMs && row.bytes > found!.bytes)) {
        foundMs = frame.append_ms;
        found = row;
      }
    }
    return found;
  }

  function stepTopic(topic: TopicRow, nowMs: number): boolean {
    const keepFromMs = nowMs - topic.retention_ms;
    const rows = all<PartitionRow>(partitions.all(topic.name));
    for (const row of rows) {
      const first = frameId(row.id, 0);
      const frame = head.get(first, first + OFFSETS - 1) as unknown as FrameRow | undefined;
      if (frame && frame.append_ms < keepFromMs) return trim(row, keepFromMs, 0);
    }
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    if (topic.retention_bytes === 0 || bytes <= topic.retention_bytes) return false;
    const victim = oldestOf(rows);
    // a partition's share at a time, so that the ages of the partitions stay alike
    const excess = (bytes - topic.retention_bytes) / rows.length;
    return victim ? trim(victim, keepFromMs, excess) : false;
  }

  return {
    step() {
      const nowMs = now();
      database.exec('BEGIN IMMEDIATE');
      try {
        let removed = false;
        for (const topic of all<TopicRow>(topics.all())) {
          removed = stepTopic(topic, nowMs);
          if (removed) break;
        }
        database.exec('COMMIT');
        return removed;
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
  };
}
