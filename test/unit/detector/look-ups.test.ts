/** Questions to the store about origins: a few at a time, a bounded number waiting, and a store that is away. */
import { expect, it } from 'vitest';
import { createLookUps } from '../../../detector/look-ups.ts';
import type { OriginAsk } from '../../../schemas/log/origin.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { clientOf } from '../responder/verdicts.ts';

const askOf = (n: number): OriginAsk => ({
  traceId: 'b'.repeat(32),
  entrySpanId: '2'.repeat(16),
  depth: 1,
  producerTraceId: n.toString(16).padStart(32, '0'),
  producerSpanId: '1'.repeat(16),
});
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('a flood of messages whose producers nobody traces asks the store four at a time, in order, and no more than it can hold', async () => {
  const open: (() => void)[] = [];
  const asked: string[] = [];
  const found: string[] = [];
  const lookUps = createLookUps(
    (ask) => {
      asked.push(ask.producerTraceId);
      const { promise, resolve } = Promise.withResolvers<readonly ClientRecord[]>();
      open.push(() => resolve([clientOf('203.0.113.7')]));
      return promise;
    },
    (ask, clients) => found.push(`${Number.parseInt(ask.producerTraceId, 16)} ${clients[0]!.address}`),
  );
  const taken = Array.from({ length: 1_200 }, (_, n) => lookUps.add(askOf(n)));
  expect(taken.filter(Boolean)).toHaveLength(1_004);
  expect([asked.length, lookUps.waiting]).toEqual([4, 1_000]);
  for (let at = 0; at < 1_004; at++) {
    open[at]!();
    await settle();
    expect(asked.length).toBeLessThanOrEqual(at + 5);
  }
  expect(found).toHaveLength(1_004);
  expect(found[1_003]).toBe('1003 203.0.113.7');
  expect(lookUps.waiting).toBe(0);
  expect(lookUps.add(askOf(9))).toBe(true);
});

it('a store that is away answers none of them, and is asked again by the next', async () => {
  let away = true;
  const found: number[] = [];
  const lookUps = createLookUps(
    async () => {
      if (away) throw new Error('away');
      return [];
    },
    (ask) => found.push(Number.parseInt(ask.producerTraceId, 16)),
  );
  for (let n = 0; n < 10; n++) lookUps.add(askOf(n));
  await settle();
  expect(found).toEqual([]);
  away = false;
  lookUps.add(askOf(77));
  await settle();
  expect(found).toEqual([77]);
});
