/** Runs the scenarios one after the other under continuing traffic, in an order the seed decides; gives the ground truth. */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from '../load/generator.ts';
import { publicAddress, SPARE_CUSTOMERS, SPARE_STAFF } from '../load/population.ts';
import { createRandom, type Random } from '../load/random.ts';
import type { Shop } from '../shop/supervisor.ts';
import { createActor } from './actor.ts';
import { ATTACKS } from './attacks.ts';
import { ODDITIES } from './oddities.ts';
import type { Scenario, Stage } from './scenario.ts';
import type { GroundTruth, TruthEvent } from './truth.ts';

export interface Progress {
  readonly scenario: Pick<Scenario, 'name' | 'kind' | 'title'>;
  readonly state: 'started' | 'done';
  /** Of how many. */
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
  /** Quiet time between two scenarios. */
  readonly gapMs?: number;
  readonly scenarios?: readonly Scenario[];
  readonly signal?: AbortSignal;
}

const GAP_MS = 3_000;

export async function runScenarios(options: ScenarioOptions): Promise<GroundTruth> {
  const { seed, signal } = options;
  const random = createRandom(seed, 'scenarios');
  const scenarios = shuffled(options.scenarios ?? [...ATTACKS, ...ODDITIES], random);
  const startMs = Date.now();
  const events: TruthEvent[] = [];
  const stage = createStage(options, random);
  for (const [i, scenario] of scenarios.entries()) {
    const { name, kind, title, expected } = scenario;
    const at = { scenario: { name, kind, title }, number: i + 1, total: scenarios.length };
    options.onProgress?.({ ...at, state: 'started' });
    const begunMs = Date.now();
    const actors = await scenario.run(stage);
    const times = actors.filter(({ firstMs }) => firstMs > 0);
    const event: TruthEvent = {
      name,
      kind,
      title,
      clients: actors.map(({ address }) => address),
      startMs: times.length === 0 ? begunMs : Math.min(...times.map(({ firstMs }) => firstMs)),
      endMs: times.length === 0 ? Date.now() : Math.max(...times.map(({ lastMs }) => lastMs)),
      requests: actors.reduce((sum, { requests }) => sum + requests, 0),
      traceIds: actors.flatMap(({ traceIds }) => traceIds),
      expected,
    };
    for (const actor of actors) actor.close();
    events.push(event);
    options.onProgress?.({ ...at, state: 'done', event });
    await delay(options.gapMs ?? GAP_MS, undefined, signal === undefined ? {} : { signal });
  }
  return { seed, startMs, endMs: Date.now(), events };
}

function createStage({ shop, load, signal }: ScenarioOptions, random: Random): Stage {
  const taken = new Set(load.personas.map(({ address }) => address));
  const edgePort = shop.ports.edge!;
  const nowMs = (): number => Date.now();
  const used = new Set(Object.values(shop.ports));
  let customer: number = SPARE_CUSTOMERS.from;
  let staff: number = SPARE_STAFF.from;
  return {
    random,
    load,
    stranger() {
      const address = publicAddress(random, taken);
      // Forged: it claims to be somebody of the population.
      const claimed = random.pick(load.personas).address;
      return createActor({ edgePort, address, headers: { 'x-forwarded-for': claimed }, nowMs });
    },
    regular: ({ address, userAgent, channel }) =>
      createActor({ edgePort, address, headers: { 'user-agent': userAgent, 'x-channel': channel }, nowMs }),
    customer: () => customer++,
    staff: () => staff++,
    async unusedPort() {
      for (;;) {
        const port = await freePort();
        if (!used.has(port)) return port;
      }
    },
    wait: (ms) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  };
}

/** A port the system just gave and took back: nothing listens there. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function shuffled(scenarios: readonly Scenario[], random: Random): Scenario[] {
  const order = [...scenarios];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
