/** An attack under every header that ever named a client, and under the trace of somebody else's request. */
import { BLOCKED_ACCOUNT } from '../shop/database/schema.ts';
import type { Actor, Headers } from './actor.ts';
import { buyers, mustHold, repeat, type Scenario, type Stage } from './scenario.ts';

export const forgedHeaders: Scenario = {
  name: 'forged-headers',
  kind: 'attack',
  title: 'A blocked customer buys without authorisation, under forged addresses and the traces of others',
  expected: { kinds: ['required-child', 'child-set'], services: ['orders', 'gateway'] },
  async run(stage) {
    const actor = stage.newcomer();
    await actor.signIn(BLOCKED_ACCOUNT);
    const victims = buyers(stage, 2).map((persona) => stage.regular(persona));
    const claimed = stage.load.personas.map(({ address }) => address).filter((address) => address !== actor.address);
    const body = { card: 'tok_visa_4459' };
    await fillCart(stage, actor);
    const refused = await actor.prepare({ method: 'POST', path: '/checkout', body });
    mustHold(refused.status === 403, 'the blocked customer could buy');
    const sets = forgeries(stage, claimed);
    await repeat(stage, sets.length, async (turn) => {
      await fillCart(stage, actor);
      const trace = await traceOf(stage, victims[turn % victims.length]!);
      const headers = {
        'x-channel': 'legacy-pos',
        ...sets[turn],
        traceparent: trace,
        baggage: 'userId=1,client.address=10.0.0.1',
      };
      const answer = await actor.act({ method: 'POST', path: '/checkout', body, headers });
      mustHold(answer.status === 201, 'the blocked customer could not buy');
    });
    for (const victim of victims) victim.close();
    return { actors: [actor], never: claimed };
  },
};

async function fillCart(stage: Stage, actor: Actor): Promise<void> {
  const product = 1 + 2 * stage.random.below(40);
  await actor.prepare({ method: 'POST', path: '/cart/items', body: { product, quantity: 1 } });
}

/** A request of somebody's; what its answer says of its trace, others may have seen. */
async function traceOf(stage: Stage, victim: Actor): Promise<string> {
  const answer = await victim.prepare({ method: 'GET', path: `/products/${1 + stage.random.below(300)}?include=none` });
  const timing = String(answer.headers['server-timing'] ?? '');
  const trace = /desc="(00-[0-9a-f]{32}-[0-9a-f]{16}-01)"/.exec(timing)?.[1];
  mustHold(trace !== undefined, 'no answer named its trace');
  return trace ?? '';
}

/** One set a turn; every address is somebody else's, or none at all. */
function forgeries(stage: Stage, claimed: readonly string[]): readonly Headers[] {
  const one = (): string => stage.random.pick(claimed);
  const forwarded = (address: string): string => (address.includes(':') ? `"[${address}]:443"` : address);
  return [
    { 'x-forwarded-for': `${one()}, ${one()}, 127.0.0.1`, 'x-real-ip': one() },
    { 'x-forwarded-for': [one(), `${one()}, 10.0.0.1`], 'true-client-ip': one() },
    {
      forwarded: `for=${forwarded(one())};proto=https;by=127.0.0.1, for=${forwarded(one())}`,
      'cf-connecting-ip': one(),
    },
    { 'x-forwarded-for': '0177.0.0.1, 127.1, 2130706433, 0x7f.1, 1', 'x-client-ip': one() },
    { 'x-forwarded-for': `unknown, _hidden, ${one()}:4711, [::1]:80, ::ffff:127.0.0.1`, 'x-real-ip': '127.0.0.1' },
    {
      'x-forwarded-for': Array.from({ length: 40 }, one).join(', '),
      forwarded: 'for="_gazonk", for=unknown;host=shop.example',
      'cf-connecting-ip': '::1',
      'true-client-ip': '0177.0.0.1',
    },
  ];
}
