/** Where a group reads each partition on from: its commits, and the ends of the partition where there is none. */
import type { Logger } from '../../telemetry/logger.ts';
import type { Cluster } from './cluster.ts';
import type { Coordinator } from './coordinator.ts';
import { KafkaError } from './failures.ts';
import { allOffsets, EARLIEST, LATEST } from './offsets.ts';

export interface StartOptions {
  readonly topic: string;
  readonly group: string;
  readonly from: 'earliest' | 'latest';
}

const ASK_MS = 1_000;

/** Undefined when the coordinator cannot tell at present. Rejects with LOG_UNAVAILABLE when no broker can. */
export async function startOffsets(
  { topic, group, from }: StartOptions,
  partitions: readonly number[],
  deps: {
    readonly cluster: Cluster;
    readonly coordinator: Coordinator;
    readonly logger: Logger | undefined;
    /** Commits the start of a group that has none. */
    settle(partition: number, offset: number): Promise<unknown>;
  },
): Promise<Map<number, number> | undefined> {
  const { cluster, coordinator, logger } = deps;
  const { errorCode, offsets: committed } = await coordinator.committed(partitions);
  if (errorCode !== KafkaError.none) return undefined;
  const deadlineMs = performance.now() + ASK_MS;
  const ends = await allOffsets(cluster, topic, partitions, LATEST, deadlineMs);
  const starts = new Map<number, number>();
  const without: number[] = [];
  for (const partition of partitions) {
    const offset = committed.get(partition);
    const end = ends.get(partition)!;
    if (offset !== undefined && offset <= end) starts.set(partition, offset);
    else {
      without.push(partition);
      if (offset !== undefined)
        logger?.error(
          { topic, group, partition, offset, end },
          'the partition ends before the commit: the topic was made anew or lost records; it is read from its beginning',
        );
    }
  }
  if (without.length === 0) return starts;
  if (from === 'latest') {
    for (const partition of without) {
      const end = ends.get(partition)!;
      // at once: who starts at the end must not skip what comes before its first own commit
      await deps.settle(partition, end);
      starts.set(partition, end);
    }
    return starts;
  }
  const earliest = await allOffsets(cluster, topic, without, EARLIEST, deadlineMs);
  for (const partition of without) starts.set(partition, earliest.get(partition)!);
  return starts;
}
