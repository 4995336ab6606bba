/** Many people behind one address: what one of them does is little, what all do looks like a lot of one client. */
import { createJourney } from '../load/journeys.ts';
import { BEHIND_NAT } from '../load/population.ts';
import type { Actor } from './actor.ts';
import { mustHold, type Scenario } from './scenario.ts';

const PEOPLE = 60;
const REQUESTS_EACH = 7;
/** Within which each of them begins. */
const SPREAD_MS = 18_000;
/** Beside the typing errors of every journey, every so many people mistype once more. */
const MISTYPES_EVERY = 8;

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15',
  'ShopApp/7.2 (Android 15)',
  'ShopApp/7.1 (iOS 18.5)',
] as const;

export const manyBehindOneAddress: Scenario = {
  name: 'many-behind-one-address',
  kind: 'oddity',
  title: `${PEOPLE} customers behind one address sign in and shop, some mistype`,
  expected: { kinds: [], services: [] },
  beside: true,
  async run(stage) {
    const first = stage.newcomer();
    let entered = 0;
    const visit = async (actor: Actor, i: number): Promise<void> => {
      const random = stage.random.fork(`person ${i}`);
      await stage.wait(random.below(SPREAD_MS));
      const account = BEHIND_NAT.from + i;
      const journey = createJourney(
        {
          role: 'buyer',
          address: actor.address,
          account,
          userAgent: random.pick(AGENTS),
          channel: 'web',
          forwardedFor: '',
          sendsTraceparent: false,
        },
        random,
      );
      if (i % MISTYPES_EVERY === 0) await actor.tryPassword(`customer${account}@mail.example`, 'pass-word');
      let signedIn = false;
      for (let turn = 0; turn < REQUESTS_EACH; turn++) {
        const intent = journey.next();
        const { name, signedIn: _signedIn, ...request } = intent;
        const answer = await actor.act({ ...request, headers: journey.headers(intent) });
        journey.answered(intent, answer.status, answer.body);
        if (name === 'login' && answer.status === 200) signedIn = true;
        await stage.wait(random.between(400, 1_800));
      }
      if (signedIn) entered++;
    };
    const actors = Array.from({ length: PEOPLE }, (_, i) => (i === 0 ? first : stage.at(first.address)));
    await Promise.all(actors.map(visit));
    mustHold(entered > PEOPLE * 0.8, 'hardly anybody could sign in');
    return { actors };
  },
};
