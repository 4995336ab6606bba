/**
 * How far events for actors were said of a partition of `spans`: it stands in the records of `actor-events` themselves, so that what
 * is read again after a crash or a hand-over is not said again, whatever was stored or committed (docs/adr/035).
 */
import type { Log } from '../runtime/log/port.ts';
import { decodeReached, type Reached } from '../schemas/log/actor-events-codec.ts';
import { RecordKind } from '../schemas/log/topics.ts';

/** Records looked at, from the end: whoever read the partition a moment ago wrote one of them, if it had anything to say. */
const MOST = 1_024;
const AT_ONCE = 128;

/**
 * Null when the last records say nothing of it: then ids tell what is said twice. `latest`: offset of the next record of the partition;
 * what lies beyond it was said of another log.
 */
export async function saidEvents(log: Log, partition: number, latest: number): Promise<Reached | null> {
  const { earliest, latest: ends } = await log.offsets('actor-events');
  const first = Math.max(earliest[0]!, ends[0]! - MOST);
  for (let end = ends[0]!; end > first; ) {
    const from = Math.max(first, end - AT_ONCE);
    const reached = await furthestIn(log, partition, from, end);
    if (reached !== null) return reached.position <= latest ? reached : null;
    end = from;
  }
  return null;
}

/** A former owner's last record may have come after one of the owner that went further. */
async function furthestIn(log: Log, partition: number, from: number, end: number): Promise<Reached | null> {
  let furthest: Reached | null = null;
  for (let next = from; next < end; ) {
    const records = await log.read('actor-events', 0, next, end - next);
    if (records.length === 0) break;
    for (const { kind, value } of records) {
      const reached = kind === RecordKind.actorEvents ? decodeReached(value) : null;
      if (reached?.partition === partition && (furthest === null || isFurther(reached, furthest))) furthest = reached;
    }
    next = records.at(-1)!.offset + 1;
  }
  return furthest;
}

const isFurther = (a: Reached, b: Reached): boolean =>
  a.position > b.position || (a.position === b.position && a.step > b.step);
