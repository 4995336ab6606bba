/** Dead letters, and having them sent once more: records of the `findings` topic, whose owner delivers under the same `webhook-id`. */

import type { AlertedDelivery, DeadLetterFilter } from '../runtime/clickhouse/stored-deliveries.ts';
import type { Log } from '../runtime/log/port.ts';
import type { AlertReplay } from '../schemas/log/alert-replay.ts';
import { encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import { ProblemError } from './problem.ts';
import type { ConsoleStore } from './store.ts';

export interface DeadLetter {
  readonly alertId: string;
  readonly destination: string;
  readonly givenUpMs: number;
  readonly attempt: number;
  readonly httpStatus: number;
  readonly error: string;
  readonly type: string;
  readonly incidentId: string;
  readonly createdMs: number;
  readonly title: string;
}

export interface DeadLetterDesk {
  /** Newest first. */
  list(filter: DeadLetterFilter): Promise<readonly DeadLetter[]>;
  /** Asks for each to be sent once more, the oldest first; `dryRun` only tells which. */
  replay(filter: DeadLetterFilter, by: string, dryRun: boolean): Promise<readonly DeadLetter[]>;
}

export interface DeadLetterDeskDeps {
  readonly store: Pick<ConsoleStore, 'deadLetters'>;
  readonly log: Pick<Log, 'produce'>;
  readonly now: () => number;
}

/** Bodies of one produce call: a log takes a few of them at a time. */
const MAX_BATCH_BYTES = 1 << 19;

export function createDeadLetterDesk({ store, log, now }: DeadLetterDeskDeps): DeadLetterDesk {
  async function send(found: readonly AlertedDelivery[], by: string): Promise<void> {
    let batch: { kind: typeof RecordKind.alertReplay; key: string; value: Uint8Array }[] = [];
    let bytes = 0;
    for (const { alert, delivery } of found) {
      const { destination, revision, attempt } = delivery;
      const replay: AlertReplay = { alert, destination, revision, attempt, by, atMs: now() };
      const value = encodeJson(replay);
      if (bytes + value.length > MAX_BATCH_BYTES && batch.length > 0) {
        await log.produce('findings', batch);
        batch = [];
        bytes = 0;
      }
      batch.push({ kind: RecordKind.alertReplay, key: alert.id, value });
      bytes += value.length;
    }
    if (batch.length > 0) await log.produce('findings', batch);
  }

  return {
    list: async (filter) => (await store.deadLetters(filter)).map(toDeadLetter),
    async replay(filter, by, dryRun) {
      const found = [...(await store.deadLetters(filter))].reverse();
      if (found.length === 0) throw new ProblemError(404, 'no dead letter is like that');
      if (!dryRun) await send(found, by);
      return found.map(toDeadLetter);
    },
  };
}

const toDeadLetter = ({ alert, delivery }: AlertedDelivery): DeadLetter => ({
  alertId: alert.id,
  destination: delivery.destination,
  givenUpMs: delivery.updatedMs,
  attempt: delivery.attempt,
  httpStatus: delivery.httpStatus,
  error: delivery.error,
  type: alert.type,
  incidentId: alert.incidentId,
  createdMs: alert.createdMs,
  title: titleOf(alert.body),
});

function titleOf(body: string): string {
  try {
    return String((JSON.parse(body) as { data?: { title?: unknown } }).data?.title ?? '');
  } catch {
    return '';
  }
}
