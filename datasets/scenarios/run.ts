/**
 * Runs the scenarios under continuing traffic, in an order the seed decides, and gives the ground truth. Those of one client
 * and a few requests come one after the other; those that take their time run beside them, in lanes of their own.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from '../load/generator.ts';
import { createRandom, type Random } from '../load/random.ts';
import type { Shop } from '../shop/supervisor.ts';
import { SCENARIOS } from './all.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { createStages } from './stage.ts';
import type { GroundTruth, TruthEvent } from './truth.ts';

export interface Progress {
  readonly scenario: Pick<Scenario, 'name' | 'kind' | 'title'>;
  readonly state: 'started' | 'done';
  /** As it started. */
  readonly number: number;
  readonly total: number;
  /** Once done. */
  readonly event?: TruthEvent;
}

export interface ScenarioOptions {
  readonly shop: Pick<Shop, 'ports'>;
  readonly load: Load;
  readonly seed: number;
  onProgress?(progress: Progress): void;
  /** Quiet time between two scenarios of a lane. */
  readonly gapMs?: number;
  readonly scenarios?: readonly Scenario[];
  /** By what the scenarios' own pauses are multiplied; 1 unless said otherwise. */
  readonly pace?: number;
  readonly signal?: AbortSignal;
}

const GAP_MS = 3_000;
/** Lanes for what runs beside the others. */
const LANES_BESIDE = 2;

export async function runScenarios(options: ScenarioOptions): Promise<GroundTruth> {
  const { seed, signal } = options;
  const random = createRandom(seed, 'scenarios');
  const scenarios = shuffled(options.scenarios ?? SCENARIOS, random);
  const stages = createStages(options);
  const startMs = Date.now();
  const events: TruthEvent[] = [];
  let started = 0;

  async function runOne(scenario: Scenario): Promise<void> {
    const { name, kind, title } = scenario;
    const at = { scenario: { name, kind, title }, number: ++started, total: scenarios.length };
    options.onProgress?.({ ...at, state: 'started' });
    const begunMs = Date.now();
    const outcome = await scenario.run(stages.stageOf(random.fork(name)));
    const event = eventOf(scenario, outcome, begunMs);
    for (const actor of outcome.actors) actor.close();
    events.push(event);
    options.onProgress?.({ ...at, state: 'done', event });
  }

  async function runLane(lane: readonly Scenario[]): Promise<void> {
    for (const scenario of lane) {
      await runOne(scenario);
      await delay(options.gapMs ?? GAP_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  const beside = scenarios.filter((scenario) => scenario.beside);
  await Promise.all([
    runLane(scenarios.filter((scenario) => !scenario.beside)),
    ...Array.from({ length: LANES_BESIDE }, (_, lane) => runLane(beside.filter((_s, i) => i % LANES_BESIDE === lane))),
  ]);
  return { seed, startMs, endMs: Date.now(), events };
}

function eventOf({ name, kind, title, expected }: Scenario, outcome: Outcome, begunMs: number): TruthEvent {
  const { actors, companions = [], never = [] } = outcome;
  const times = actors.filter(({ firstMs }) => firstMs > 0);
  const clients = [...new Set(actors.map(({ address }) => address))];
  return {
    name,
    kind,
    title,
    clients,
    named: outcome.named ?? { by: 'client', key: clients[0] ?? '' },
    companions: companions.filter((address) => !clients.includes(address)),
    never: never.filter((address) => !clients.includes(address)),
    startMs: times.length === 0 ? begunMs : Math.min(...times.map(({ firstMs }) => firstMs)),
    endMs: times.length === 0 ? Date.now() : Math.max(...times.map(({ lastMs }) => lastMs)),
    requests: actors.reduce((sum, { requests }) => sum + requests, 0),
    traceIds: [...new Set(actors.flatMap(({ traceIds }) => traceIds))],
    expected,
  };
}

function shuffled(scenarios: readonly Scenario[], random: Random): Scenario[] {
  const order = [...scenarios];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
