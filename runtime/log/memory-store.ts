/** Frames, topics and groups in memory: nothing survives the process. Several logs may share one store. */
import type { TopicName } from '../../schemas/log/topics.ts';
import type { StoredFrame } from './frame.ts';
import type { JoinOp, LogStore, TopicOp, WriteOp, WriteResult } from './store.ts';

interface MemoryPartition {
  frames: StoredFrame[];
  earliest: number;
  latest: number;
  appendMs: number;
  bytes: number;
}

interface MemoryTopic {
  retentionMs: number;
  retentionBytes: number;
  readonly partitions: MemoryPartition[];
}

interface MemoryGroup {
  generation: number;
  owner: string;
  leaseUntilMs: number;
  readonly committed: number[];
}

export interface MemoryStore extends LogStore {
  /** Ends every lease, as when the processes that held them are gone for long. */
  expireLeases(): void;
}

const REFUSED: WriteResult = { type: 'refused' };
const DONE: WriteResult = { type: 'done' };

/** The first frame that ends above `offset`. */
function frameIndex(frames: readonly StoredFrame[], offset: number): number {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const frame = frames[middle]!;
    if (frame.baseOffset + frame.count <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function createMemoryStore(deps: { readonly now: () => number }): MemoryStore {
  const { now } = deps;
  const topics = new Map<TopicName, MemoryTopic>();
  const groups = new Map<string, MemoryGroup>();

  function ensureTopic(op: TopicOp): WriteResult {
    let topic = topics.get(op.topic);
    if (!topic) {
      topic = {
        retentionMs: op.retentionMs,
        retentionBytes: op.retentionBytes,
        partitions: Array.from({ length: op.partitions }, () => ({
          frames: [],
          earliest: 0,
          latest: 0,
          appendMs: 0,
          bytes: 0,
        })),
      };
      topics.set(op.topic, topic);
    } else if (topic.partitions.length === op.partitions) {
      topic.retentionMs = op.retentionMs;
      topic.retentionBytes = op.retentionBytes;
    }
    return { type: 'topic', partitions: topic.partitions.length };
  }

  /** Removes what is too old, or oldest beyond the size of the topic; the newest frame of a partition stays. */
  function expire(topic: MemoryTopic): void {
    const keepFrom = now() - topic.retentionMs;
    let bytes = topic.partitions.reduce((sum, partition) => sum + partition.bytes, 0);
    for (const partition of topic.partitions) {
      let gone = 0;
      while (gone < partition.frames.length && partition.frames[gone]!.appendMs < keepFrom) {
        bytes -= partition.frames[gone]!.bytes.length;
        partition.bytes -= partition.frames[gone]!.bytes.length;
        gone++;
      }
      if (gone > 0) partition.frames = partition.frames.slice(gone);
    }
    while (topic.retentionBytes > 0 && bytes > topic.retentionBytes) {
      let oldest: MemoryPartition | undefined;
      for (const partition of topic.partitions) {
        if (partition.frames.length < 2) continue;
        const ageMs = oldest ? partition.frames[0]!.appendMs - oldest.frames[0]!.appendMs : -1;
        if (ageMs < 0 || (ageMs === 0 && partition.bytes > (oldest?.bytes ?? 0))) oldest = partition;
      }
      if (!oldest) break;
      const frame = oldest.frames[0]!;
      oldest.frames = oldest.frames.slice(1);
      oldest.bytes -= frame.bytes.length;
      bytes -= frame.bytes.length;
    }
    for (const partition of topic.partitions) partition.earliest = partition.frames[0]?.baseOffset ?? partition.latest;
  }

  function join(op: JoinOp): WriteResult {
    const topic = topics.get(op.topic);
    if (!topic) return REFUSED;
    const key = `${op.group}\u0000${op.topic}`;
    let group = groups.get(key);
    if (!group) {
      group = {
        generation: 0,
        owner: '',
        leaseUntilMs: 0,
        committed: topic.partitions.map((p) => (op.from === 'latest' ? p.latest : p.earliest)),
      };
      groups.set(key, group);
    }
    const nowMs = now();
    if (group.owner !== op.member) {
      if (group.owner !== '' && group.leaseUntilMs > nowMs) return REFUSED;
      group.owner = op.member;
      group.generation++;
    }
    group.leaseUntilMs = nowMs + op.leaseMs;
    return {
      type: 'joined',
      generation: group.generation,
      committed: group.committed.map((offset, p) => Math.max(offset, topic.partitions[p]!.earliest)),
    };
  }

  function perform(op: WriteOp): WriteResult {
    if (op.type === 'topic') return ensureTopic(op);
    if (op.type === 'join') return join(op);
    const topic = topics.get(op.topic);
    if (!topic) return REFUSED;
    if (op.type === 'append') {
      const partition = topic.partitions[op.partition]!;
      partition.appendMs = Math.max(partition.appendMs, now());
      partition.frames.push({
        baseOffset: partition.latest,
        count: op.count,
        appendMs: partition.appendMs,
        bytes: op.bytes,
      });
      partition.bytes += op.bytes.length;
      partition.latest += op.count;
      expire(topic);
      return { type: 'appended', end: partition.latest };
    }
    const group = groups.get(`${op.group}\u0000${op.topic}`);
    if (!group || group.owner !== op.member) return REFUSED;
    if (op.type === 'release') {
      group.owner = '';
      return DONE;
    }
    if (group.generation !== op.generation) return REFUSED;
    if (op.type === 'renew') group.leaseUntilMs = now() + op.leaseMs;
    else group.committed[op.partition] = op.offset;
    return DONE;
  }

  return {
    async start() {},
    laneOf: () => 'memory',
    write: async (_lane, ops) => ops.map(perform),
    async offsets(name) {
      const topic = topics.get(name);
      if (!topic) return null;
      expire(topic);
      return { earliest: topic.partitions.map((p) => p.earliest), latest: topic.partitions.map((p) => p.latest) };
    },
    async read(name, partition, offset, maxBytes) {
      const frames = topics.get(name)?.partitions[partition]?.frames ?? [];
      const from = frameIndex(frames, offset);
      let until = from;
      let bytes = 0;
      while (until < frames.length && (until === from || bytes + frames[until]!.bytes.length <= maxBytes))
        bytes += frames[until++]!.bytes.length;
      return frames.slice(from, until);
    },
    async stop() {},
    expireLeases() {
      for (const group of groups.values()) group.leaseUntilMs = 0;
    },
  };
}
