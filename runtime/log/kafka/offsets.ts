/** First and next offsets of partitions, as their leaders tell them. */
import { SpanwardenError } from '../../errors.ts';
import { type Cluster, CONTROL } from './cluster.ts';

/** Timestamps with a meaning of their own (kafka.apache.org/protocol, ListOffsets). */
export const EARLIEST = -2n;
export const LATEST = -1n;

/**
 * Offsets of the partitions named. One whose leader does not answer is left out; its leader is looked up again by the
 * time of the next call.
 */
export async function listOffsets(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  timestamp: bigint,
): Promise<Map<number, number>> {
  const info = cluster.topic(topic) ?? (await cluster.refresh(topic));
  if (!info) throw new SpanwardenError('LOG_UNAVAILABLE', `topic ${topic} does not exist`);
  const byNode = new Map<number, number[]>();
  for (const partition of partitions) {
    const node = info.leaders[partition] ?? -1;
    const others = byNode.get(node);
    if (others) others.push(partition);
    else byNode.set(node, [partition]);
  }
  const offsets = new Map<number, number>();
  let failure: unknown;
  await Promise.all(
    [...byNode].map(async ([node, own]) => {
      try {
        const answer = await cluster.request(node, CONTROL, (connection, { listOffsetsV4 }) =>
          listOffsetsV4.api.async(connection, -1, 0, [
            {
              name: topic,
              partitions: own.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp })),
            },
          ]),
        );
        for (const { partitionIndex, errorCode, offset } of answer.topics[0]?.partitions ?? []) {
          if (errorCode === 0) offsets.set(partitionIndex, Number(offset));
          else
            failure = new SpanwardenError('LOG_UNAVAILABLE', `no offset of ${topic}/${partitionIndex}: ${errorCode}`);
        }
      } catch (error) {
        failure = error;
      }
    }),
  );
  if (failure !== undefined) await cluster.refresh(topic).catch(() => null);
  return offsets;
}

/** As `listOffsets`, but all of them: tried again until `deadlineMs` (performance.now), then LOG_UNAVAILABLE. */
export async function allOffsets(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  timestamp: bigint,
  deadlineMs: number,
): Promise<Map<number, number>> {
  const offsets = new Map<number, number>();
  for (;;) {
    const left = partitions.filter((partition) => !offsets.has(partition));
    if (left.length === 0) return offsets;
    for (const [partition, offset] of await listOffsets(cluster, topic, left, timestamp))
      offsets.set(partition, offset);
    if (offsets.size === partitions.length) return offsets;
    if (performance.now() > deadlineMs)
      throw new SpanwardenError('LOG_UNAVAILABLE', `the offsets of topic ${topic} cannot be had at present`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
