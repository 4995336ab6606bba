/**
 * Seeded traffic of a synthetic system: one OTLP record a trace, in order of time, each with its ground truth. Pure: the same
 * options give the same bytes. Every trace has randomness of its own, so that what is done to one changes no other.
 */
import { createRandom, type Random } from '../load/random.ts';
import { type AttackKind, attack, STRUCTURAL_ATTACKS } from './attacks.ts';
import { type Client, createPopulation, type Population, publicAddress } from './clients.ts';
import { createEncoder } from './encode.ts';
import { market } from './market.ts';
import { createPace } from './pace.ts';
import { type Plan, planRequest } from './plan.ts';
import { servicesOf } from './services.ts';
import type { Entry, System } from './system.ts';

export interface TrafficOptions {
  readonly seed: number;
  readonly traces: number;
  /** Milliseconds since the epoch of the first moment; 2026-03-02T08:00:00Z without. */
  readonly startMs?: number;
  /** Requests a second; 40 without. */
  readonly perSecond?: number;
  readonly system?: System;
  readonly clients?: number;
  /** Seed of the population, so that two runs may have the same people; 1 without. */
  readonly population?: number;
  /** Share of the requests that call anything whose client gives up half way; 0.005 without. */
  readonly aborts?: number;
  /** Milliseconds after the start at which `system.deploys` gets a new version. */
  readonly deployAtMs?: number;
  /** Milliseconds after the start from which twice as many requests come. */
  readonly doublesAtMs?: number;
  readonly contamination?: Contamination;
  /** Share of spans that never arrive. */
  readonly spanLoss?: number;
  /** Milliseconds by which each service's clock may be off, either way. */
  readonly clockSkewMs?: number;
}

export interface Contamination {
  readonly share: number;
  /** All over the time, or all within 3 % of it. */
  readonly shape: 'uniform' | 'bursty';
  readonly kinds?: readonly AttackKind[];
  /** Addresses the attacks come from, none of the population; 3 without. */
  readonly attackers?: number;
}

export interface Truth {
  readonly label: 'normal' | 'attack';
  /** Kind of attack, '' for normal traffic. */
  readonly kind: AttackKind | '';
  readonly client: string;
  readonly operation: string;
  /** The client gave up half way: benign. */
  readonly aborted: boolean;
}

export interface GeneratedTrace {
  readonly record: Uint8Array<ArrayBuffer>;
  readonly traceId: string;
  readonly startMs: number;
  /** End of its last span; what stream time may have reached when the record is complete. */
  readonly endMs: number;
  readonly spans: number;
  readonly truth: Truth;
}

const START_MS = Date.UTC(2026, 2, 2, 8);
const BURST = 0.03;
/** Some kinds need an operation that is asked for rarely. */
const MOST_TRIES = 2_000;

export function* generateTraffic(options: TrafficOptions): Generator<GeneratedTrace> {
  const { seed, traces, startMs = START_MS, perSecond = 40, system = market, contamination } = options;
  const services = servicesOf(system);
  const pace = createPace(createRandom(seed, 'pace'), {
    perSecond,
    services,
    ...(options.doublesAtMs !== undefined && { doublesAtMs: options.doublesAtMs }),
  });
  const people = createPopulation(options.population ?? 1, options.clients ?? 3_000);
  const attackers = createAttackers(seed, people, contamination?.attackers ?? 3);
  const encode = createEncoder();
  const skews = new Map(
    services.map((service) => [service, (2 * createRandom(seed, service).next() - 1) * (options.clockSkewMs ?? 0)]),
  );
  const skewOf = (service: string): number => skews.get(service) ?? 0;
  const before = pick(system.entries.filter((entry) => entry.deployed !== true));
  const after = pick(system.entries);
  const lengthMs = (traces / perSecond) * 1000;
  const burstFromMs = 0.45 * lengthMs;
  const { deployAtMs = Number.POSITIVE_INFINITY, spanLoss = 0, aborts = 0.005 } = options;

  for (let i = 0; i < traces; i++) {
    const { atMs, load, stalled, stallFactor } = pace.next();
    const random = streamOf(i, 'trace');
    const deployed = atMs >= deployAtMs;
    const entry = (deployed ? after : before)(random.next());
    let client = people.next(random);
    const evil = contamination !== undefined && isEvil(contamination, streamOf(i, 'evil').next(), atMs);
    let kind: AttackKind | '' = evil ? pickKind(contamination, i) : '';
    if (evil) client = attackers[i % attackers.length]!;
    const circumstances = { client, load, stalled, stallFactor, deployed };
    let plan = planRequest(system, entry, { random, ...circumstances });
    const given = evil ? undefined : giveUp(plan, i);
    if (given !== undefined) {
      const again = streamOf(i, 'trace');
      again.next();
      people.next(again);
      plan = planRequest(system, entry, { random: again, ...circumstances, patience: given });
    }
    if (kind !== '') {
      const attacked = attackedPlan(plan, kind, i);
      if (attacked === undefined) kind = '';
      else plan = attacked;
    }
    const { spans } = plan;
    const lossy = spanLoss > 0 ? streamOf(i, 'loss') : undefined;
    const lost = spans.map(() => lossy?.chance(spanLoss) === true);
    if (lost.every((gone) => gone)) lost[0] = false; // a trace of which nothing came is none
    const from = startMs + atMs;
    const { record, traceId } = encode(spans, {
      random: streamOf(i, 'ids'),
      startMs: from,
      versionOf: (service) => (deployed && service === system.deploys ? '2.0.0' : '1.8.2'),
      skewOf,
      isLost: (span) => lost[span]!,
    });
    let end = 0;
    for (const span of spans) end = Math.max(end, span.endMs);
    yield {
      record,
      traceId,
      startMs: from,
      endMs: from + end,
      spans: spans.length - lost.filter(Boolean).length,
      truth: {
        label: kind === '' ? 'normal' : 'attack',
        kind,
        client: plan.client.address,
        operation: `${plan.entry.method} ${plan.entry.route}`,
        aborted: plan.aborted,
      },
    };
  }

  function streamOf(i: number, name: string): Random {
    return createRandom(Math.imul(seed + 1, 0x9e3779b1) ^ i, name);
  }

  /** Steps after which the client of request `i` gives up, if it does. */
  function giveUp({ steps }: Plan, i: number): number | undefined {
    const random = streamOf(i, 'abort');
    return steps > 0 && random.chance(aborts) ? random.below(steps) : undefined;
  }

  function isEvil({ share, shape }: Contamination, drawn: number, atMs: number): boolean {
    if (shape === 'uniform') return drawn < share;
    return atMs >= burstFromMs && atMs < burstFromMs + BURST * lengthMs && drawn < share / BURST;
  }

  function pickKind({ kinds = STRUCTURAL_ATTACKS }: Contamination, i: number): AttackKind {
    return streamOf(i, 'kind').pick(kinds);
  }

  /** Requests that the kind cannot be done to are asked again, as attackers choose where they knock. */
  function attackedPlan(plan: Plan, kind: AttackKind, i: number): Plan | undefined {
    const random = streamOf(i, 'attack');
    let candidate = plan;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const done = attack(candidate, kind, random);
      if (done !== undefined) return done;
      const circumstances = {
        random,
        client: plan.client,
        load: 1,
        stalled: '',
        stallFactor: 1,
        deployed: false,
      };
      candidate = planRequest(system, before(random.next()), circumstances);
    }
    return undefined;
  }
}

/** Picks an entry by weight from a number in [0, 1). */
function pick(entries: readonly Entry[]): (drawn: number) => Entry {
  const total = entries.reduce((sum, { weight }) => sum + weight, 0);
  return (drawn) => {
    let at = drawn * total;
    for (const entry of entries) {
      at -= entry.weight;
      if (at < 0) return entry;
    }
    return entries[entries.length - 1]!;
  };
}

/** They look like other clients: nothing but what they do gives them away. */
function createAttackers(seed: number, people: Population, count: number): Client[] {
  const random = createRandom(seed, 'attackers');
  return Array.from({ length: count }, () => ({ ...people.next(random), address: publicAddress(random) }));
}
