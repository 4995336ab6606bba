/** Finds where to start reading so that everything of the last while before an offset is read again. */
import type { TopicName } from '../../schemas/log/topics.ts';
import type { Log } from './port.ts';

/**
 * Smallest offset ≤ `offset` from which on records were appended at most `beforeMs` before the record at `offset`; the
 * earliest one held when the log does not reach back so far. Append times are monotonic in a partition, so this is a
 * binary search: about 2 log2(n) reads of one record.
 */
export async function rewind(
  log: Log,
  topic: TopicName,
  partition: number,
  offset: number,
  beforeMs: number,
): Promise<number> {
  const { earliest } = await log.offsets(topic);
  let low = earliest[partition] ?? 0;
  if (offset <= low) return offset;
  const appendMsAt = async (at: number): Promise<number | undefined> =>
    (await log.read(topic, partition, at, 1))[0]?.appendMs;
  const reference = (await appendMsAt(offset)) ?? (await appendMsAt(offset - 1));
  if (reference === undefined) return offset;
  let high = offset;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const appendMs = await appendMsAt(middle);
    if (appendMs === undefined || appendMs >= reference - beforeMs) high = middle;
    else low = middle + 1;
  }
  return high;
}
