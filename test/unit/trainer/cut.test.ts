import { describe, expect, it } from 'vitest';
import { createCutBook } from '../../../trainer/cut.ts';
import { segmentSpansOf } from '../traces/otlp.ts';

const at = (partition: number, firstOffset: number) =>
  segmentSpansOf([{ spanId: '1'.repeat(16) }], { partition, firstOffset });

describe('a cut', () => {
  it('takes everything while there is none', () => {
    const cuts = createCutBook();
    expect([cuts.takes(at(0, 5)), cuts.current, cuts.complete(() => Infinity)]).toEqual([true, null, false]);
  });

  it('takes what begins below E of its partition and holds the rest, which is learned after the version', () => {
    const cuts = createCutBook();
    cuts.begin(
      new Map([
        [0, 10],
        [1, 20],
      ]),
    );
    expect([at(0, 9), at(0, 10), at(1, 19), at(1, 20)].map((spans) => cuts.takes(spans))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(cuts.end().map(({ firstOffset }) => firstOffset)).toEqual([10, 20]);
    expect(cuts.current).toBeNull();
  });

  it('is complete when nothing below E is unsettled in any partition', () => {
    const cuts = createCutBook();
    cuts.begin(
      new Map([
        [0, 10],
        [1, 20],
      ]),
    );
    const floors = [Infinity, 19];
    expect(cuts.complete((partition) => floors[partition]!)).toBe(false);
    floors[1] = 20;
    expect(cuts.complete((partition) => floors[partition]!)).toBe(true);
  });

  it('stands where reading stood when it was made', () => {
    const positions = new Map([[0, 10]]);
    const cuts = createCutBook();
    cuts.begin(positions);
    positions.set(0, 99);
    expect(cuts.takes(at(0, 50))).toBe(false);
  });

  it('loses a partition that was taken away, with what was held of it', () => {
    const cuts = createCutBook();
    cuts.begin(
      new Map([
        [0, 10],
        [1, 20],
      ]),
    );
    cuts.takes(at(0, 30));
    cuts.takes(at(1, 30));
    cuts.drop(0);
    expect(cuts.complete((partition) => (partition === 0 ? 0 : Infinity))).toBe(true);
    expect(cuts.end().map(({ partition }) => partition)).toEqual([1]);
  });

  it('of which every partition was taken away is none: nothing can be complete', () => {
    const cuts = createCutBook();
    cuts.begin(new Map([[0, 10]]));
    cuts.takes(at(0, 12));
    cuts.drop(0);
    expect([cuts.current, cuts.complete(() => Infinity), cuts.takes(at(0, 12))]).toEqual([null, false, true]);
  });
});
