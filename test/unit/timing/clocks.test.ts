import { describe, expect, it } from 'vitest';
import { alignClocks, createClocks } from '../../../baseline/timing/clocks.ts';
import { createFamilyReader } from '../../../baseline/timing/family.ts';
import { lagOf } from '../../../baseline/timing/lag.ts';
import type { Segment } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { type PlainSpan, segmentOf } from '../traces/segments.ts';

const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
const MS = 1e6;
const MINUTE = 60_000;

/** A gateway's call of 20 ms, of which the shop, whose clock is `apart` ms off, takes 14 and its statement 5. */
const call = (apart: number, extra: PlainSpan[] = []): Segment =>
  segmentOf(symbols, {
    service: 'gateway',
    operation: 'GET /',
    startMs: 0,
    durationMs: 30,
    children: [
      {
        service: 'gateway',
        operation: 'GET shop',
        kind: 'client',
        startMs: 5,
        durationMs: 20,
        children: [
          {
            service: 'shop',
            operation: 'GET /cart',
            startMs: 8 + apart,
            durationMs: 14,
            children: [
              { service: 'shop', operation: 'SELECT', kind: 'client', startMs: 10 + apart, durationMs: 5 },
              ...extra,
            ],
          },
        ],
      },
    ],
  });

const selfMs = (segment: Segment): number[] => {
  const clocks = createClocks();
  alignClocks(clocks, segment);
  return [...clocks.selfNs.subarray(0, segment.spanCount)].map((ns) => ns / MS);
};

describe('clocks', () => {
  it('apart by anything leave own times what they are: a call takes what its callee does not', () => {
    for (const apart of [0, 1, -2, 4, 15, -100, 5 * MINUTE, -5 * MINUTE]) {
      expect(selfMs(call(apart)), `${apart} ms apart`).toEqual([10, 6, 9, 5]);
    }
  });

  it('put what lies outside its caller inside it, with all that it called', () => {
    const segment = call(3 * MINUTE);
    const clocks = createClocks();
    alignClocks(clocks, segment);
    const at = (i: number): number => (segment.startNs[i]! + clocks.shiftNs[i]!) / MS;
    expect([at(0), at(1), at(2), at(3)]).toEqual([0, 5, 8, 10]);
  });

  it('say nothing of a callee that outlived its caller, nor of one whose end is unknown', () => {
    const outlived = segmentOf(symbols, {
      service: 'gateway',
      operation: 'GET shop',
      kind: 'client',
      durationMs: 10,
      children: [{ service: 'shop', operation: 'GET /cart', startMs: 4, durationMs: 60 }],
    });
    expect(selfMs(outlived)[0]).toBe(4);
    const unknown = call(0);
    unknown.durationNs[2] = Number.NaN;
    unknown.selfNs[1] = Number.NaN;
    unknown.selfNs[2] = Number.NaN;
    const own = selfMs(unknown);
    expect([own[0], own[3]]).toEqual([10, 5]);
    expect([own[1], own[2]]).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('asynchronous lag', () => {
  const queued = (consumerMs: number): Segment =>
    segmentOf(symbols, {
      service: 'shop',
      operation: 'POST /order',
      durationMs: 10,
      children: [
        {
          service: 'shop',
          operation: 'orders publish',
          kind: 'producer',
          startMs: 2,
          durationMs: 1,
          children: [
            { service: 'shop', operation: 'orders process', kind: 'consumer', startMs: consumerMs, durationMs: 4 },
          ],
        },
      ],
    });

  it('is the time from handing over to taking up; other calls have none, and clocks that deny it say nothing', () => {
    expect(lagOf(queued(502), 2)).toBe(500 * MS);
    expect([0, 1].map((i) => lagOf(queued(502), i))).toEqual([-1, -1]);
    expect(lagOf(queued(1), 2)).toBe(-1);
  });
});

describe('family', () => {
  it('is the entry and the set of calls, in any order and number, the same in every process', () => {
    const tree = (...calls: string[]): PlainSpan => ({
      service: 'shop',
      operation: 'GET /',
      children: calls.map((operation) => ({ service: 'shop', operation, kind: 'client' })),
    });
    const families = createFamilyReader();
    const of = (...calls: string[]): number => families.read(segmentOf(symbols, tree(...calls)));
    expect(of('a', 'b', 'b')).toBe(of('b', 'a'));
    expect(of('a', 'b')).not.toBe(of('a', 'c'));
    expect(of('a', 'b')).not.toBe(of('a'));
    const others = createSymbols({ maxTexts: 100, maxLabels: 100 });
    segmentOf(others, tree('z', 'y'));
    expect(createFamilyReader().read(segmentOf(others, tree('b', 'a')))).toBe(of('a', 'b'));
    const turned = segmentOf(symbols, {
      service: 'shop',
      operation: 'a',
      kind: 'client',
      children: [{ service: 'shop', operation: 'GET /' }],
    });
    expect(families.read(turned)).not.toBe(of('a'));
  });
});
