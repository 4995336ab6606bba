/** Many things of others read: by somebody who may not, from ever new addresses, and by support staff who may. */
import { ACCOUNTS } from '../shop/database/schema.ts';
import type { Actor } from './actor.ts';
import { mustHold, type Scenario } from './scenario.ts';

const ADDRESSES = 12;
const READ_FROM_EACH = 3;
const READ_BY_STAFF = 30;
/** The first orders are those of the customers who come every day. */
const MOST_FIRST = 60;

export const objectEnumeration: Scenario = {
  name: 'object-enumeration',
  kind: 'attack',
  title: `One account reads the receipts of others by counting up, from ${ADDRESSES} addresses`,
  expected: { kinds: ['actor'], services: ['gateway', 'orders'] },
  beside: true,
  async run(stage) {
    const account = stage.customer();
    const first = stage.newcomer();
    await first.signIn(account);
    const actors: Actor[] = [first];
    let order = 1 + stage.random.below(MOST_FIRST);
    let foreign = 0;
    for (let i = 0; i < ADDRESSES; i++) {
      const actor = i === 0 ? first : stage.newcomer();
      if (i > 0) {
        actor.adopt(first.token); // the session goes from exit to exit of a proxy network
        actors.push(actor);
      }
      for (let turn = 0; turn < READ_FROM_EACH; turn++) {
        const answer = await actor.act({ method: 'GET', path: `/orders/${order++}/receipt` });
        const { email } = (answer.body ?? {}) as { email?: string };
        if (email !== undefined && !email.startsWith(`customer${account}@`)) foreign++;
        await stage.wait(stage.random.between(350, 800));
      }
    }
    mustHold(foreign >= ADDRESSES * READ_FROM_EACH - 2, 'no receipts of others were read');
    return { actors, named: { by: 'user', key: String(account) } };
  },
};

export const supportStaff: Scenario = {
  name: 'support-staff',
  kind: 'oddity',
  title: `Support staff, one of them new, read ${READ_BY_STAFF} orders and receipts of customers each`,
  expected: { kinds: [], services: [] },
  beside: true,
  async run(stage) {
    const staff = stage.load.personas.filter(({ role }) => role === 'staff');
    const from = stage.random.below(staff.length - 1);
    const known = staff.slice(from, from + 2).map((persona) => ({ actor: stage.regular(persona), ...persona }));
    const people = [...known, { actor: stage.newcomer(), account: stage.staff() }];
    await Promise.all(
      people.map(async ({ actor, account }) => {
        await actor.signIn(account);
        await actor.act({ method: 'GET', path: '/admin/sales?days=7&pace=0' });
        for (let turn = 0; turn < READ_BY_STAFF; turn++) {
          const order = 1 + stage.random.below(2 * ACCOUNTS);
          const path = stage.random.chance(0.6) ? `/orders/${order}` : `/orders/${order}/receipt`;
          const answer = await actor.act({ method: 'GET', path });
          mustHold(answer.status === 200, 'support staff could not read an order');
          await stage.wait(stage.random.between(300, 900));
        }
      }),
    );
    return { actors: people.map(({ actor }) => actor) };
  },
};
