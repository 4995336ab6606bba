/** Makes the stage of a run: addresses and accounts nobody has, people of the population, and a look into the shop's database. */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Load } from '../load/generator.ts';
import { freeNetwork, publicAddress, SPARE_CUSTOMERS, SPARE_STAFF } from '../load/population.ts';
import type { Random } from '../load/random.ts';
import type { Queue } from '../shop/jobs/settings.ts';
import type { Shop } from '../shop/supervisor.ts';
import { type Actor, createActor, type Headers } from './actor.ts';
import type { Stage } from './scenario.ts';

export interface Stages {
  /** One for a scenario, with randomness of its own: what others do at the same time changes nothing of it. */
  stageOf(random: Random): Stage;
}

export interface StagesOptions {
  readonly shop: Pick<Shop, 'ports'>;
  readonly load: Load;
  readonly signal?: AbortSignal;
  /** By what pauses are multiplied: 1, below it for those in a hurry. */
  readonly pace?: number;
}

/** Work that was queued is done by then. */
const BATCH_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 300;

export function createStages({ shop, load, signal, pace = 1 }: StagesOptions): Stages {
  const taken = new Set(load.personas.map(({ address }) => address));
  const edgePort = shop.ports.edge!;
  const nowMs = (): number => Date.now();
  const used = new Set(Object.values(shop.ports));
  const wait = (ms: number): Promise<void> => delay(ms * pace, undefined, signal === undefined ? {} : { signal });
  const addressesOf = new Map<number, Set<string>>();
  const signedIn = (account: number, address: string): void => {
    const known = addressesOf.get(account) ?? new Set();
    addressesOf.set(account, known.add(address));
  };
  for (const { account, address } of load.personas) if (account > 0) signedIn(account, address);
  const actorAt = (address: string, headers?: Headers): Actor =>
    createActor({
      edgePort,
      address,
      nowMs,
      onSignIn: (account) => signedIn(account, address),
      ...(headers && { headers }),
    });
  let customer: number = SPARE_CUSTOMERS.from;
  let staff: number = SPARE_STAFF.from;

  /** Accounts of every batch of the queue that held a job of this one; none before so many of its jobs, and all beside them, were taken. */
  async function companionsOf(queue: Queue, account: number, jobs: number, whole: boolean): Promise<readonly number[]> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: shop.ports['database.shop']!,
      database: 'shop',
      user: 'shop',
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<{ account: number }>(
        `with own as (select batch, size from batches where queue = $1 and account_id = $2),
           together as (select batch, account_id from batches where queue = $1 and batch in (select batch from own))
         select distinct account_id as account from together
         where $3 <= (select count(*) from own)
           and ($4 or (select count(*) from together) = (select sum(size) from (select distinct batch, size from own) as taken))`,
        [queue, account, jobs, !whole],
      );
      return rows.map((row) => row.account);
    } finally {
      await client.end();
    }
  }

  return {
    stageOf: (random) => ({
      random,
      load,
      // Forged: it claims to be somebody of the population.
      stranger: () => actorAt(publicAddress(random, taken), { 'x-forwarded-for': random.pick(load.personas).address }),
      newcomer: () => actorAt(publicAddress(random, taken)),
      at: (address, userAgent) => actorAt(address, userAgent === undefined ? undefined : { 'user-agent': userAgent }),
      network: (count) => freeNetwork(random, taken, count),
      regular: ({ address, userAgent, channel }) => actorAt(address, { 'user-agent': userAgent, 'x-channel': channel }),
      customer: () => customer++,
      staff: () => staff++,
      async unusedPort() {
        for (;;) {
          const port = await freePort();
          if (!used.has(port)) return port;
        }
      },
      async inBatchesOf(queue, account, jobs) {
        const endMs = Date.now() + BATCH_WITHIN_MS;
        for (;;) {
          // a batch that was handed over twice is never whole
          const isLate = Date.now() > endMs;
          const accounts = await companionsOf(queue, account, jobs, !isLate);
          if (accounts.length > 0 || isLate) return accounts.flatMap((one) => [...(addressesOf.get(one) ?? [])]);
          await wait(LOOK_EVERY_MS);
        }
      },
      wait,
    }),
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
