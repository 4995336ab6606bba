/** What looks odd in the shop's traffic and is no attack: nothing of it may raise a security alert. */
import { createJourney } from '../load/journeys.ts';
import type { Persona } from '../load/population.ts';
import { SOLD_OUT_EVERY } from '../shop/database/schema.ts';
import type { Actor } from './actor.ts';
import { buyers, type Scenario, type Stage } from './scenario.ts';

const NOTHING = { kinds: [], services: [] } as const;
const PEAK_FACTOR = 3;
const PEAK_MS = 10_000;
const STORM_CLIENTS = 24;
const ABORTING_CLIENTS = 12;

async function withCart(stage: Stage, persona: Persona, product: number): Promise<Actor> {
  const actor = stage.regular(persona);
  await actor.signIn(persona.account);
  await actor.prepare({ method: 'POST', path: '/cart/items', body: { product, quantity: 1 } });
  return actor;
}

const retryStorm: Scenario = {
  name: 'retry-storm',
  kind: 'oddity',
  title: `A busy bank: ${STORM_CLIENTS} clients' payments are tried up to five times`,
  expected: NOTHING,
  run: async (stage) => ({
    actors: await Promise.all(
      buyers(stage, STORM_CLIENTS).map(async (persona, i) => {
        await stage.wait(stage.random.below(4_000));
        const actor = await withCart(stage, persona, 1 + 2 * i);
        const card = i % 3 === 0 ? 'tok_busy_9' : 'tok_busy_4';
        for (let attempt = 0; attempt < 3; attempt++) {
          const answer = await actor.act({ method: 'POST', path: '/checkout', body: { card } });
          if (answer.status < 500) break;
          await stage.wait(300);
          await actor.prepare({ method: 'POST', path: '/cart/items', body: { product: 2 + i, quantity: 1 } });
        }
        return actor;
      }),
    ),
  }),
};

const peak: Scenario = {
  name: 'traffic-peak',
  kind: 'oddity',
  title: `${PEAK_FACTOR} × the traffic for ${PEAK_MS / 1000} s`,
  expected: NOTHING,
  async run(stage) {
    stage.load.setMultiplier(PEAK_FACTOR);
    await stage.wait(PEAK_MS);
    stage.load.setMultiplier(1);
    return { actors: [] };
  },
};

const newcomer: Scenario = {
  name: 'new-client',
  kind: 'oddity',
  title: 'A client never seen before goes shopping',
  expected: NOTHING,
  async run(stage) {
    const actor = stage.stranger();
    const account = stage.customer();
    const journey = createJourney(
      {
        role: 'buyer',
        address: actor.address,
        account,
        userAgent: 'Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148',
        channel: 'web',
        forwardedFor: '',
        sendsTraceparent: false,
      },
      stage.random.fork('newcomer'),
    );
    for (let i = 0; i < 20; i++) {
      const intent = journey.next();
      const { name: _name, signedIn: _signedIn, ...request } = intent;
      const answer = await actor.act({ ...request, headers: journey.headers(intent) });
      journey.answered(intent, answer.status, answer.body);
      await stage.wait(stage.random.between(50, 250));
    }
    return { actors: [actor] };
  },
};

const rareRoute: Scenario = {
  name: 'rare-route',
  kind: 'oddity',
  title: 'A page that hardly anybody asks for',
  expected: NOTHING,
  async run(stage) {
    const actors: Actor[] = [];
    for (const persona of buyers(stage, 3)) {
      const actor = stage.regular(persona);
      await actor.act({ method: 'GET', path: '/gift-ideas' });
      actors.push(actor);
      await stage.wait(400);
    }
    return { actors };
  },
};

const abortedCheckouts: Scenario = {
  name: 'aborted-checkouts',
  kind: 'oddity',
  title: `${ABORTING_CLIENTS} checkouts that end early: empty cart, declined card, sold out, client gone`,
  expected: NOTHING,
  run: async (stage) => ({
    actors: await Promise.all(
      buyers(stage, ABORTING_CLIENTS).map(async (persona, i) => {
        await stage.wait(stage.random.below(3_000));
        const product = i % 4 === 2 ? SOLD_OUT_EVERY : 1 + 2 * i;
        const actor = await withCart(stage, persona, product);
        const body = { card: i % 4 === 1 ? 'tok_declined_1' : `tok_visa_${4000 + persona.account}` };
        if (i % 4 === 0) await actor.prepare({ method: 'POST', path: '/checkout', body }); // now the cart is empty
        await actor.act({ method: 'POST', path: '/checkout', body, ...(i % 4 === 3 ? { abortAfterMs: 4 } : {}) });
        return actor;
      }),
    ),
  }),
};

export const TRAFFIC_ODDITIES: readonly Scenario[] = [retryStorm, peak, newcomer, rareRoute, abortedCheckouts];
