/** Performs write operations on a database of the embedded log, all of them in one transaction. */
import type { DatabaseSync } from 'node:sqlite';
import type { TopicName } from '../../../schemas/log/topics.ts';
import type { AppendOp, CommitOp, JoinOp, ReleaseOp, RenewOp, TopicOp, WriteOp, WriteResult } from '../store.ts';
import { frameId } from './database.ts';

const REFUSED: WriteResult = { type: 'refused' };
const DONE: WriteResult = { type: 'done' };

interface PartitionRow {
  readonly id: number;
  readonly earliest: number;
  latest: number;
  append_ms: number;
  bytes: number;
  changed: boolean;
}

interface LeaseRow {
  readonly generation: number;
  readonly owner: string;
  readonly until_ms: number;
  readonly lease_ms: number;
}

/** A lease further in the future than it can be was written before the clock was set back: it is void. */
const leaseHolds = (lease: LeaseRow, nowMs: number): boolean =>
  lease.owner !== '' && lease.until_ms > nowMs && lease.until_ms <= nowMs + lease.lease_ms + 1_000;

export interface Transactions {
  /** Throws what SQLite throws; then nothing was done. */
  perform(ops: readonly WriteOp[]): WriteResult[];
}

export function createTransactions(database: DatabaseSync, now: () => number): Transactions {
  const selectTopic = database.prepare('SELECT partitions FROM topic WHERE name = ?');
  const insertTopic = database.prepare('INSERT INTO topic VALUES (?, ?, ?, ?)');
  const updateTopic = database.prepare('UPDATE topic SET retention_ms = ?, retention_bytes = ? WHERE name = ?');
  const insertPartition = database.prepare('INSERT INTO partition (topic, number) VALUES (?, ?)');
  const selectPartition = database.prepare(
    'SELECT id, earliest, latest, append_ms, bytes FROM partition WHERE topic = ? AND number = ?',
  );
  const updatePartition = database.prepare('UPDATE partition SET latest = ?, append_ms = ?, bytes = ? WHERE id = ?');
  const insertFrame = database.prepare('INSERT INTO frame VALUES (?, ?, ?, ?, ?)');
  const selectLease = database.prepare(
    'SELECT generation, owner, until_ms, lease_ms FROM lease WHERE topic = ? AND name = ?',
  );
  const upsertLease = database.prepare('INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?)');
  const selectCommitted = database.prepare(
    'SELECT number, next FROM committed WHERE topic = ? AND name = ? ORDER BY number',
  );
  const upsertCommitted = database.prepare('INSERT OR REPLACE INTO committed VALUES (?, ?, ?, ?)');

  /** Rows of the partitions this transaction appends to, written back once at its end. */
  const touched = new Map<string, PartitionRow>();

  function partitionRow(topic: TopicName, number: number): PartitionRow | undefined {
    const key = `${topic} ${number}`;
    const known = touched.get(key);
    if (known) return known;
    const row = selectPartition.get(topic, number) as unknown as PartitionRow | undefined;
    if (!row) return undefined;
    const copy: PartitionRow = { ...row, changed: false };
    touched.set(key, copy);
    return copy;
  }

  function append(op: AppendOp, nowMs: number): WriteResult {
    const row = partitionRow(op.topic, op.partition);
    if (!row) return REFUSED;
    // monotonic in the partition even when the clock is set back
    row.append_ms = Math.max(row.append_ms, nowMs);
    insertFrame.run(frameId(row.id, row.latest), op.count, row.append_ms, op.bytes.length, op.bytes);
    row.latest += op.count;
    row.bytes += op.bytes.length;
    row.changed = true;
    return { type: 'appended', end: row.latest };
  }

  function ensureTopic(op: TopicOp): WriteResult {
    const known = selectTopic.get(op.topic) as unknown as { partitions: number } | undefined;
    if (known) {
      if (known.partitions === op.partitions) updateTopic.run(op.retentionMs, op.retentionBytes, op.topic);
      return { type: 'topic', partitions: known.partitions };
    }
    insertTopic.run(op.topic, op.partitions, op.retentionMs, op.retentionBytes);
    for (let number = 0; number < op.partitions; number++) insertPartition.run(op.topic, number);
    return { type: 'topic', partitions: op.partitions };
  }

  function join(op: JoinOp, nowMs: number): WriteResult {
    const topic = selectTopic.get(op.topic) as unknown as { partitions: number } | undefined;
    if (!topic) return REFUSED;
    const lease = selectLease.get(op.topic, op.group) as unknown as LeaseRow | undefined;
    const mine = lease?.owner === op.member;
    if (lease && !mine && leaseHolds(lease, nowMs)) return REFUSED;
    const generation = mine ? lease.generation : (lease?.generation ?? 0) + 1;
    upsertLease.run(op.topic, op.group, generation, op.member, nowMs + op.leaseMs, op.leaseMs);
    const rows = selectCommitted.all(op.topic, op.group) as unknown as { number: number; next: number }[];
    const committed: number[] = [];
    for (let number = 0; number < topic.partitions; number++) {
      const partition = partitionRow(op.topic, number)!;
      const known = rows.find((row) => row.number === number);
      let next = known?.next ?? (op.from === 'latest' ? partition.latest : partition.earliest);
      // where a group starts is kept from its first day: a crash before its first commit must not move it
      if (!known) upsertCommitted.run(op.topic, op.group, number, next);
      next = Math.max(next, partition.earliest);
      committed.push(next);
    }
    return { type: 'joined', generation, committed };
  }

  function heldBy(op: RenewOp | ReleaseOp | CommitOp): LeaseRow | undefined {
    const lease = selectLease.get(op.topic, op.group) as unknown as LeaseRow | undefined;
    return lease?.owner === op.member ? lease : undefined;
  }

  function one(op: WriteOp, nowMs: number): WriteResult {
    if (op.type === 'append') return append(op, nowMs);
    if (op.type === 'topic') return ensureTopic(op);
    if (op.type === 'join') return join(op, nowMs);
    const lease = heldBy(op);
    if (!lease) return REFUSED;
    if (op.type === 'release') {
      upsertLease.run(op.topic, op.group, lease.generation, '', 0, lease.lease_ms);
      return DONE;
    }
    if (lease.generation !== op.generation) return REFUSED;
    if (op.type === 'renew')
      upsertLease.run(op.topic, op.group, lease.generation, op.member, nowMs + op.leaseMs, op.leaseMs);
    else upsertCommitted.run(op.topic, op.group, op.partition, op.offset);
    return DONE;
  }

  return {
    perform(ops) {
      touched.clear();
      // IMMEDIATE: what is read below (next offsets, leases) stays true until the commit
      database.exec('BEGIN IMMEDIATE');
      try {
        const nowMs = now();
        const results = ops.map((op) => one(op, nowMs));
        for (const row of touched.values())
          if (row.changed) updatePartition.run(row.latest, row.append_ms, row.bytes, row.id);
        database.exec('COMMIT');
        return results;
      } catch (error) {
        // a full disk may have ended the transaction already (sqlite.org/lang_transaction.html, "Response To Errors")
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
  };
}
