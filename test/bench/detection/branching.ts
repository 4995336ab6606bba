/**
 * A system whose requests branch so much that most of what is normal was never seen as a whole: thousands of signatures. Steps
 * are taken by chance, by choice, or because of a property of the request that several steps share.
 */
import type { PlainSpan } from '../../unit/traces/segments.ts';

type Random = () => number;

interface Step {
  readonly service: string;
  readonly operation: string;
  /** Probability that it is taken; where `flag` is set: if the request has the property, else hardly ever. */
  readonly chance: number;
  readonly flag: number;
  /** Another step that is taken when this one is not; −1 without. */
  readonly instead: Step | undefined;
  readonly steps: readonly Step[];
}

interface Entry {
  readonly operation: string;
  readonly weight: number;
  readonly steps: readonly Step[];
}

const SERVICES = 24;
const OPERATIONS = 160;
const ENTRIES = 90;
const FLAGS = 6;
/** How often a step goes against its flag. */
const EXCEPTION = 0.01;

const pick = (random: Random, below: number): number => Math.floor(random() * below);

function stepsOf(random: Random, depth: number, count: number): Step[] {
  return Array.from({ length: count }, () => stepOf(random, depth));
}

function stepOf(random: Random, depth: number): Step {
  const operation = pick(random, OPERATIONS);
  const kind = random();
  const chance = kind < 0.5 ? 1 : kind < 0.8 ? 0.05 + 0.9 * random() : 1;
  return {
    service: `service-${operation % SERVICES}`,
    operation: `Operation${operation}`,
    chance,
    flag: kind >= 0.8 ? pick(random, FLAGS) : -1,
    instead: kind >= 0.65 && kind < 0.8 && depth > 0 ? stepOf(random, depth - 1) : undefined,
    steps: depth > 0 && random() < 0.4 ? stepsOf(random, depth - 1, 1 + pick(random, 3)) : [],
  };
}

export interface BranchingSystem {
  request(random: Random): PlainSpan;
}

export function createBranchingSystem(random: Random): BranchingSystem {
  const entries: Entry[] = Array.from({ length: ENTRIES }, (_, at) => ({
    operation: `POST /entry-${at}`,
    weight: 1 / (at + 1),
    steps: stepsOf(random, 2, 7 + pick(random, 6)),
  }));
  const total = entries.reduce((sum, { weight }) => sum + weight, 0);

  return {
    request(own) {
      let at = own() * total;
      const entry = entries.find(({ weight }) => {
        at -= weight;
        return at < 0;
      })!;
      const flags = Array.from({ length: FLAGS }, (_, flag) => own() < 0.15 + 0.1 * flag);
      const carryOut = (steps: readonly Step[], caller: string): PlainSpan[] =>
        steps.flatMap((step) => {
          const isTaken =
            step.flag < 0 ? own() < step.chance : own() < EXCEPTION ? !flags[step.flag] : flags[step.flag]!;
          const done = isTaken ? step : step.instead;
          if (done === undefined) return [];
          const { service, operation } = done;
          const server: PlainSpan = { service, operation, kind: 'server', children: carryOut(done.steps, service) };
          return [{ service: caller, operation, kind: 'client', children: [server] }];
        });
      return { service: 'edge', operation: entry.operation, kind: 'server', children: carryOut(entry.steps, 'edge') };
    },
  };
}

/** A call left out, moved to another caller, or two in a row swapped: every call in it is known. Undefined where it cannot be. */
export function recombined(
  tree: PlainSpan,
  kind: 'missing' | 'moved' | 'reorder',
  random: Random,
): PlainSpan | undefined {
  const servers: PlainSpan[] = [];
  const calls: { readonly of: PlainSpan; readonly at: number }[] = [];
  const visit = (span: PlainSpan): void => {
    const isCaller = span.kind === 'server';
    if (isCaller) servers.push(span);
    span.children?.forEach((child, at) => {
      if (isCaller) calls.push({ of: span, at });
      visit(child);
    });
  };
  visit(tree);
  if (calls.length === 0) return undefined;
  const { of, at } = calls[pick(random, calls.length)]!;
  const rebuilt = (span: PlainSpan, change: (span: PlainSpan, children: PlainSpan[]) => PlainSpan[]): PlainSpan => ({
    ...span,
    children: change(
      span,
      (span.children ?? []).map((child) => rebuilt(child, change)),
    ),
  });
  if (kind === 'missing') return rebuilt(tree, (span, own) => (span === of ? own.toSpliced(at, 1) : own));
  if (kind === 'reorder') {
    const [first, second] = [of.children![at]!, of.children![at + 1]];
    if (second === undefined || second.operation === first.operation) return undefined;
    return rebuilt(tree, (span, own) => (span === of ? own.toSpliced(at, 2, own[at + 1]!, own[at]!) : own));
  }
  const call = of.children![at]!;
  const inside = new Set<PlainSpan>();
  const within = (span: PlainSpan): void => {
    inside.add(span);
    span.children?.forEach(within);
  };
  within(call);
  const hosts = servers.filter((server) => server !== of && !inside.has(server));
  const host = hosts[pick(random, hosts.length)];
  if (host === undefined) return undefined;
  const where = pick(random, (host.children?.length ?? 0) + 1);
  return rebuilt(tree, (span, own) => {
    const kept = span === of ? own.toSpliced(at, 1) : own;
    return span === host ? kept.toSpliced(where, 0, { ...call, service: host.service }) : kept;
  });
}
