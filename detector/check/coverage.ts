/** How much of the traffic meets keys that were learned well enough to be judged by themselves (DETECTION §7). */
import type { CoverageRow, Maturity } from '../../baseline/model.ts';
import { GROUPS, type Group } from '../../schemas/log/verdict.ts';
import { Outcome, type Segment } from '../../traces/segment.ts';

export interface CoverageShare {
  readonly group: Group;
  /** Calls counted: those whose operation this group has something to say of. */
  readonly calls: number;
  readonly observe: number;
  readonly learning: number;
  readonly active: number;
}

export interface OperationCoverage {
  readonly service: string;
  readonly operation: string;
  readonly calls: number;
  readonly states: Readonly<Partial<Record<Group, Maturity>>>;
}

export interface CoverageCount {
  add(segment: Segment): void;
  shares(): CoverageShare[];
  /** Operations of the traffic, the most called first. */
  operations(): OperationCoverage[];
}

const keyOf = (service: string, operation: string): string => `${service}\n${operation}`;

/** Of several keys of one operation (its kinds, its edges), the state of most of its observations. */
function statesOf(rows: readonly CoverageRow[]): Map<Group, Map<string, Maturity>> {
  const counts = new Map<string, { group: Group; key: string; state: Maturity; count: number }>();
  for (const { group, service, operation, state, count } of rows) {
    const key = keyOf(service, operation);
    const id = `${group}\n${state}\n${key}`;
    const known = counts.get(id);
    if (known === undefined) counts.set(id, { group, key, state, count });
    else known.count += count;
  }
  const most = new Map<string, number>();
  const states = new Map<Group, Map<string, Maturity>>(GROUPS.map((group) => [group, new Map()]));
  for (const { group, key, state, count } of counts.values()) {
    const id = `${group}\n${key}`;
    if (count < (most.get(id) ?? 0)) continue;
    most.set(id, count);
    states.get(group)!.set(key, state);
  }
  return states;
}

export function createCoverageCount(rows: readonly CoverageRow[]): CoverageCount {
  const states = statesOf(rows);
  const calls = new Map<
    string,
    { service: string; operation: string; calls: number; withParameters: number; withOutcome: number }
  >();

  /** What a group has no input of is none of its operations: a call without parameters says nothing of them. */
  const relevant = (
    group: Group,
    one: { readonly calls: number; readonly withParameters: number; readonly withOutcome: number },
  ): number => (group === 'parameters' ? one.withParameters : group === 'status' ? one.withOutcome : one.calls);

  return {
    add(segment) {
      const { symbols, spanCount, parameterSpan, parameterCount } = segment;
      let at = 0;
      for (let i = 0; i < spanCount; i++) {
        const service = symbols.text(segment.service[i]!);
        const operation = symbols.text(segment.operation[i]!);
        const key = keyOf(service, operation);
        let one = calls.get(key);
        if (one === undefined) {
          one = { service, operation, calls: 0, withParameters: 0, withOutcome: 0 };
          calls.set(key, one);
        }
        one.calls++;
        if (segment.outcome[i] !== Outcome.unknown) one.withOutcome++;
        const before = at;
        while (at < parameterCount && parameterSpan[at] === i) at++;
        if (at > before) one.withParameters++;
      }
    },
    shares: () =>
      GROUPS.map((group) => {
        const by = { observe: 0, learning: 0, active: 0 };
        let of = 0;
        for (const [key, one] of calls) {
          const count = relevant(group, one);
          of += count;
          by[states.get(group)!.get(key) ?? 'observe'] += count;
        }
        const share = (state: Maturity): number => (of === 0 ? 0 : by[state] / of);
        return { group, calls: of, observe: share('observe'), learning: share('learning'), active: share('active') };
      }),
    operations: () =>
      [...calls]
        .map(([key, one]) => ({
          service: one.service,
          operation: one.operation,
          calls: one.calls,
          states: Object.fromEntries(
            GROUPS.filter((group) => relevant(group, one) > 0).map((group) => [
              group,
              states.get(group)!.get(key) ?? 'observe',
            ]),
          ),
        }))
        .sort((a, b) => b.calls - a.calls),
  };
}
