/** Few clients with steady hard findings are told from a system that has some, and never cost a version much of its traffic. */
import { describe, expect, it } from 'vitest';
import { fewClients, type OfClient } from '../../../baseline/learning/few-clients.ts';

/** `clients` with `each` segments; about one of `hardEvery` of all has a hard finding. */
function traffic(clients: number, each: number, hardEvery = Number.POSITIVE_INFINITY): OfClient[] {
  return Array.from({ length: clients * each }, (_, i) => ({
    client: 1 + (i % clients),
    hard: Math.imul(i ^ 0x5bd1e995, 0x9e3779b1) >>> 0 < 2 ** 32 / hardEvery,
    quarantined: false,
  }));
}

const of = (client: number, hard: number, good = 0, quarantined = false): OfClient[] => [
  ...Array.from({ length: hard }, () => ({ client, hard: true, quarantined })),
  ...Array.from({ length: good }, () => ({ client, hard: false, quarantined: false })),
];

describe('few clients', () => {
  it('are those that have hard findings again and again', () => {
    const { apart, taught } = fewClients([
      ...traffic(500, 6),
      ...of(9_001, 8),
      ...of(9_002, 3, 2),
      ...of(9_003, 40, 60),
    ]);
    expect([...apart].sort()).toEqual([9_001, 9_002, 9_003]);
    expect(taught).toEqual([9_003, 9_001, 9_002]);
  });

  it('are none where everybody has some: a deploy, or a rule that chance made', () => {
    expect(fewClients(traffic(500, 20, 50)).apart.size).toBe(0);
    // a client with a lot of traffic has a lot of them
    expect(fewClients([...traffic(500, 20, 50), ...of(9_001, 16, 784)]).apart.size).toBe(0);
  });

  it('are not told by two hard findings, nor where the client is unknown', () => {
    expect(fewClients([...traffic(500, 6), ...of(9_001, 2), ...of(0, 30)]).apart.size).toBe(0);
  });

  it('do not have much of the traffic: who makes up a tenth of it is the system', () => {
    expect(fewClients([...traffic(100, 6), ...of(9_001, 60, 10)]).apart.size).toBe(0);
    expect(fewClients([...traffic(4, 100), ...of(9_001, 60, 60)]).apart.size).toBe(0);
  });

  it('are at most six, the worst, and a fifth of the traffic', () => {
    const many = Array.from({ length: 20 }, (_, i) => of(9_000 + i, 5 + i)).flat();
    const found = fewClients([...traffic(2_000, 6), ...many]);
    expect(found.taught).toEqual([9_019, 9_018, 9_017, 9_016, 9_015, 9_014]);
    const large = Array.from({ length: 4 }, (_, i) => of(9_000 + i, 70, 10)).flat();
    const { apart } = fewClients([...traffic(700, 1), ...large]);
    expect(80 * apart.size).toBeLessThanOrEqual(0.2 * (700 + large.length));
  });

  it('that taught nothing do not calibrate, and cost the models nothing', () => {
    const { apart, taught } = fewClients([...traffic(500, 6), ...of(9_001, 30, 0, true)]);
    expect([...apart]).toEqual([9_001]);
    expect(taught).toEqual([]);
  });

  it('are the same whatever the order of traffic', () => {
    const samples = [...traffic(500, 6, 400), ...of(9_001, 8), ...of(9_002, 8), ...of(9_003, 8)];
    expect(fewClients([...samples].reverse())).toEqual(fewClients(samples));
  });
});
