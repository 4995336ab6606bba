/** Many tries to sign in: stolen passwords from a whole network, and somebody who forgot hers. */
import { LEAKED } from '../load/population.ts';
import { accountEmail, accountPassword } from '../shop/database/schema.ts';
import type { Actor } from './actor.ts';
import { buyers, mustHold, type Scenario, type Stage } from './scenario.ts';

const ADDRESSES = 40;
/** Each address stays below what anybody would notice of it alone. */
const TRIES_EACH = 3;
/** Of the leaked passwords so many are still right. */
const STILL_RIGHT = 5;
/** One in four leaked names never had an account here. */
const UNKNOWN_EVERY = 4;
const PAUSE_MS = [100, 240] as const;
const FORGOTTEN = 5;

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:139.0) Gecko/20100101 Firefox/139.0',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15',
] as const;

export const distributedCredentialStuffing: Scenario = {
  name: 'credential-stuffing',
  kind: 'attack',
  title: `A list of leaked passwords tried from ${ADDRESSES} addresses of one network, ${TRIES_EACH} tries each`,
  expected: { kinds: ['actor'], services: ['gateway'] },
  beside: true,
  async run(stage) {
    const addresses = stage.network(ADDRESSES);
    const bots = addresses.map((address) => stage.at(address, stage.random.pick(AGENTS)));
    const list = leakedList(stage, ADDRESSES * TRIES_EACH);
    let entered = 0;
    for (const [turn, { email, password }] of list.entries()) {
      const bot = turn % ADDRESSES;
      if (await bots[bot]!.tryPassword(email, password)) {
        entered++;
        await bots[bot]!.act({ method: 'GET', path: '/account' });
      }
      await stage.wait(stage.random.between(...PAUSE_MS));
    }
    mustHold(entered >= STILL_RIGHT - 1, 'no leaked password was right');
    return { actors: bots, named: { by: 'network', key: `${addresses[0]!.split('.').slice(0, 3).join('.')}.0/24` } };
  },
};

interface Leaked {
  readonly email: string;
  readonly password: string;
}

function leakedList(stage: Stage, count: number): Leaked[] {
  const { random } = stage;
  const right = new Set<number>();
  while (right.size < STILL_RIGHT) right.add(1 + random.below(count - 1));
  return Array.from({ length: count }, (_, i) => {
    const account = LEAKED.from + ((i * 7) % (LEAKED.to - LEAKED.from + 1));
    if (right.has(i)) return { email: accountEmail(account), password: accountPassword(account) };
    const email =
      i % UNKNOWN_EVERY === 3 ? `customer${1_000 + random.below(9_000)}@mail.example` : accountEmail(account);
    return { email, password: `pass-${random.below(10_000_000)}` };
  });
}

export const forgottenPassword: Scenario = {
  name: 'forgotten-password',
  kind: 'oddity',
  title: `Somebody forgot a password: ${FORGOTTEN} failures, then success`,
  expected: { kinds: [], services: [] },
  beside: true,
  async run(stage) {
    const actors: Actor[] = [];
    for (const persona of buyers(stage, 2)) {
      const actor = stage.regular(persona);
      const email = accountEmail(persona.account);
      for (let i = 0; i < FORGOTTEN; i++) {
        await actor.tryPassword(email, `pass-${i}${stage.random.below(100_000)}`);
        await stage.wait(stage.random.between(400, 1_200));
      }
      const entered = await actor.tryPassword(email, accountPassword(persona.account));
      mustHold(entered, 'the right password was refused');
      await actor.act({ method: 'GET', path: '/account' });
      actors.push(actor);
    }
    return { actors };
  },
};
