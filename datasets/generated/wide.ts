/** A system of any width, made from a seed: as many services, operations, calls and parameters as memory is to be measured with. */
import { createRandom, type Random } from '../load/random.ts';
import { query, rpc } from './steps.ts';
import type { Entry, Parameter, Step, System } from './system.ts';
import { integer, oneOf, search, uuid } from './values.ts';

export interface Width {
  readonly seed: number;
  readonly services: number;
  readonly entries: number;
  /** Calls of an operation, on every level together. */
  readonly calls: number;
  readonly parameters: number;
  /** Calls that come or not, each by itself: an operation has two to the power of them signatures; 3 without. */
  readonly optional?: number;
}

export function wideSystem({ seed, services, entries, calls, parameters, optional = 3 }: Width): System {
  const random = createRandom(seed, 'wide');
  return {
    name: `wide-${seed}`,
    edge: 'edge',
    deploys: 'service-0',
    authorisation: '',
    entries: Array.from(
      { length: entries },
      (_, i): Entry => ({
        method: 'GET',
        route: `/api/resource-${i}/list`,
        weight: 1,
        ms: 1 + 5 * random.next(),
        bytes: 1_000,
        parameters: Array.from({ length: parameters }, (_, p) => parameterOf(random, p)),
        steps: stepsOf(random, i, calls, services, optional),
      }),
    ),
  };
}

const parameterOf = (random: Random, i: number): Parameter => ({
  name: `p${i}`,
  place: 'query',
  value: random.pick([integer(10_000), uuid, search, oneOf('a', 'b', 'c')]),
});

/** Each operation has methods of its own, so that every call of it is a key of its own. */
function stepsOf(random: Random, entry: number, calls: number, services: number, optional: number): Step[] {
  const steps: Step[] = [];
  let left = calls;
  for (let i = 0; left > 0; i++) {
    const own: Step[] = [];
    const inside = Math.min(left - 1, random.below(5));
    for (let q = 0; q < inside; q++) {
      own.push(
        query(
          'SELECT',
          `t${entry}_${i}_${q}`,
          () => `SELECT a, b FROM t${entry}_${i}_${q} WHERE id = $1`,
          1 + random.next(),
        ),
      );
    }
    left -= 1 + inside;
    const share = i < optional ? { share: 0.5 } : {};
    const service = `service-${random.below(services)}`;
    steps.push({ ...rpc(`${service}.v1.R${entry}/M${i}`, 1 + 4 * random.next(), own, share), service });
  }
  return steps;
}
