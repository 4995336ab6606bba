/** Having dead letters sent again: what is written to the log, and what its reader makes of it. */
import { expect, test } from 'vitest';
import { createDeadLetterDesk } from '../../../console/dead-letters.ts';
import type { AlertedDelivery, DeadLetterFilter } from '../../../runtime/clickhouse/stored-deliveries.ts';
import { decodeAlertReplay } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { DAY } from '../responder/verdicts.ts';
import { alertOf } from './incidents.ts';

const dead = (id: string, body = alertOf(id).body): AlertedDelivery => ({
  alert: alertOf(id, { body }),
  delivery: {
    alertId: id,
    destination: 'ops',
    revision: 11,
    attempt: 10,
    state: 'dead',
    httpStatus: 500,
    error: 'receiver answered 500',
    nextAttemptMs: 0,
    updatedMs: DAY,
  },
});

function deskOf(found: readonly AlertedDelivery[]) {
  const asked: (DeadLetterFilter | undefined)[] = [];
  const produced: Uint8Array[][] = [];
  const desk = createDeadLetterDesk({
    store: {
      async deadLetters(filter) {
        asked.push(filter);
        return found;
      },
    },
    log: {
      async produce(topic, records) {
        expect(topic).toBe('findings');
        for (const { kind } of records) expect(kind).toBe(RecordKind.alertReplay);
        produced.push(records.map(({ value }) => value as Uint8Array));
      },
    },
    now: () => DAY + 5,
  });
  return { desk, asked, produced };
}

test('each is a record with the alert as it was kept, the oldest first', async () => {
  const { desk, asked, produced } = deskOf([dead('msg_2'), dead('msg_1')]);
  const replayed = await desk.replay({ destination: 'ops' }, 'ana', false);
  expect(asked).toEqual([{ destination: 'ops' }]);
  expect(replayed.map(({ alertId, title }) => [alertId, title])).toEqual([
    ['msg_1', 'msg_1'],
    ['msg_2', 'msg_2'],
  ]);
  expect(produced.flat().map(decodeAlertReplay)).toEqual(
    ['msg_1', 'msg_2'].map((id) => ({
      alert: alertOf(id),
      destination: 'ops',
      revision: 11,
      attempt: 10,
      by: 'ana',
      atMs: DAY + 5,
    })),
  );
});

test('a dry run writes nothing, and what is not there is said so', async () => {
  const { desk, produced } = deskOf([dead('msg_1')]);
  expect(await desk.replay({ id: 'msg' }, '', true)).toHaveLength(1);
  expect(produced).toEqual([]);
  await expect(deskOf([]).desk.replay({ id: 'msg' }, '', false)).rejects.toThrow('no dead letter');
});

test('many large ones are written in pieces that a log takes', async () => {
  const large = Array.from({ length: 5 }, (_, i) => dead(`msg_${i}`, `{"data":{"title":"${'x'.repeat(300_000)}"}}`));
  const { desk, produced } = deskOf(large);
  await desk.replay({ sinceMs: 0 }, '', false);
  expect(produced.flat()).toHaveLength(5);
  for (const batch of produced) expect(batch.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(700_000);
});

test('a record that is none is passed over', () => {
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  expect(decodeAlertReplay(bytes({ alert: { ...alertOf('m'), type: 'other' }, destination: 'x' }))).toBeNull();
  expect(decodeAlertReplay(bytes({}))).toBeNull();
});
