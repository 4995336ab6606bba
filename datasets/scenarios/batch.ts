/** An attack through one of many jobs that are worked on together: who of those behind the batch it was, no span says. */

import { signedIn } from './attacks.ts';
import { buyers, mustHold, type Scenario } from './scenario.ts';

const ROUNDS = 3;
const COMPANIONS = 5;
/** Longer than the worker waits for a batch. */
const BETWEEN_MS = 2_500;

export const batchedSsrf: Scenario = {
  name: 'batched-ssrf',
  kind: 'attack',
  title: `The worker made to fetch from inside by one of the wish lists it takes together (SSRF in a batch)`,
  expected: { kinds: ['egress', 'attack-pattern', 'parameter'], services: ['worker', 'orders'] },
  async run(stage) {
    const account = stage.customer();
    const attacker = await signedIn(stage, account);
    const port = await stage.unusedPort();
    const others = buyers(stage, ROUNDS * COMPANIONS);
    for (let round = 0; round < ROUNDS; round++) {
      const people = others.slice(round * COMPANIONS, (round + 1) * COMPANIONS).map((persona) => ({
        persona,
        actor: stage.regular(persona),
      }));
      await Promise.all(people.map(({ actor, persona }) => actor.signIn(persona.account)));
      const send = (list: string) => ({ method: 'POST', path: '/account/wishlist', body: { url: list } }) as const;
      const [answer] = await Promise.all([
        attacker.act(send(`http://127.0.0.1:${port}/internal/${stage.random.pick(['keys', 'dump', 'users'])}`)),
        ...people.map(({ actor }, i) =>
          actor.prepare(send(`http://lists${1 + i}.shops.example/l/${stage.random.below(1_000_000)}`)),
        ),
      ]);
      mustHold(answer.status === 202, 'no job was queued');
      for (const { actor } of people) actor.close();
      await stage.wait(BETWEEN_MS);
    }
    const members = await stage.inBatchesOf('wishlists', account, ROUNDS);
    mustHold(members.includes(attacker.address), 'the job was in no batch');
    return { actors: [attacker], companions: members, named: { by: 'batch', key: attacker.address } };
  },
};
