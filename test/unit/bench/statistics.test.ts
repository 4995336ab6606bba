/** The figures that the detection report is made of. */
import { describe, expect, it } from 'vitest';
import { binomialInterval } from '../../../detector/check/interval.ts';
import { faultsFound } from '../../bench/detection/faults.ts';
import { averagePrecision, recallAt, thresholdAt, tiedAtTop } from '../../bench/detection/statistics.ts';

describe('statistics of detection', () => {
  it('gives the exact binomial interval: published values of Clopper and Pearson', () => {
    const close = ([low, high]: readonly [number, number], expected: readonly [number, number]): void => {
      expect(low).toBeCloseTo(expected[0], 5);
      expect(high).toBeCloseTo(expected[1], 5);
    };
    close(binomialInterval(0, 10), [0, 0.308497]);
    close(binomialInterval(10, 10), [0.691503, 1]);
    close(binomialInterval(3, 10), [0.066739, 0.652453]);
    close(binomialInterval(50, 1_000), [0.037337, 0.06539]);
    // 100,000 trials do not overflow
    const [low, high] = binomialInterval(10, 100_000);
    expect(low).toBeCloseTo(0.00004795, 7);
    expect(high).toBeCloseTo(0.0001839, 7);
  });

  it('counts ties against the detector: what scores as the first negative too many is not found', () => {
    const negatives = Float64Array.from([5, 4, 4, 1, 1, 1, 1, 1, 1, 1]);
    expect(thresholdAt(negatives, 0.1)).toBe(4);
    expect(recallAt([6, 5, 4, 4, 3], negatives, 0.1).value).toBe(0.4);
    expect(recallAt([6, 5, 4, 4, 3], negatives, 0.2).value).toBe(0.4);
    expect(recallAt([6, 5, 4, 4, 3], negatives, 0.3).value).toBe(1);
    expect(recallAt([1, 1, 1], Float64Array.from([1, 1, 1]), 0.001).value).toBe(0); // flag everything
  });

  it('takes equal scores as one step of the average precision', () => {
    expect(averagePrecision([3, 2], [1, 0])).toBe(1);
    expect(averagePrecision([1], [1, 1, 1])).toBe(0.25);
    expect(averagePrecision([0], [3, 2, 1])).toBe(0.25);
    expect(tiedAtTop([1, 2, 2, 0])).toBe(0.5);
  });

  it('counts an incident for one fault, and as false only far from all', () => {
    const fault = (service: string, at: number, traces = 10) => ({ service, atMs: at * 1000, traces });
    const incident = (service: string, at: number, traces = 5) => ({
      start: new Date(at * 1000).toISOString(),
      end: new Date(at * 1000 + 1).toISOString(),
      class: 'operational',
      kind: 'timing',
      service,
      operation: '',
      client: null,
      traces,
      disposition: 'notice',
    });
    const faults = [fault('cart', 1_000), fault('payment', 1_100), fault('silent', 5_000, 0), fault('late', 9_000)];
    const incidents = [
      incident('cart', 1_010),
      incident('payment-v2', 1_110),
      incident('x', 5_100),
      incident('y', 7_000),
      incident('late', 9_201),
    ];
    expect(faultsFound(faults, incidents)).toEqual({ withTraces: 3, found: 2, named: 2, false: 1 });
  });
});
