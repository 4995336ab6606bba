/**
 * What one client does next. Pure: a journey is told the answers it got and gives the next request; retries, errors,
 * aborts, typing errors and cache hits come from here, so that learning sees what is normal though not smooth.
 */
import {
  ACCOUNTS,
  accountEmail,
  accountPassword,
  CATEGORIES,
  COUPONS,
  firstOrderOf,
  PRODUCTS,
  SOLD_OUT_EVERY,
} from '../shop/database/schema.ts';
import type { Persona } from './population.ts';
import type { Random } from './random.ts';
import { listQuery, searchText } from './searches.ts';

/** A request as a client means it; the session's token is put in when it is sent. */
export interface Intent {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Sends the session's token. */
  readonly signedIn: boolean;
  readonly abortAfterMs?: number;
}

export interface Journey {
  next(): Intent;
  /** Tells the answer to an intent of next(); status 0 = none came. */
  answered(intent: Intent, status: number, body: unknown): void;
  /** Headers of a request now. */
  headers(intent: Intent): Record<string, string>;
  /** Whether a failed request is sent again; at most three times. */
  retries(intent: Intent, status: number, attempt: number): boolean;
}

export const MAX_RETRIES = 3;
export const MAX_CART = 4;
/** Asked for once in so many requests. */
export const RARE_ROUTE_EVERY = 2_000;
const ABORTS = 0.008;
/** Of sign-ins: a password, a name mistyped. Who mistyped tries again, and does so again a little more often. */
const TYPOS = 0.045;
const TYPOS_AGAIN = 0.2;
const NAME_TYPOS = 0.008;
const PICTURE_HOSTS = 40;
const LIST_HOSTS = 40;
/** What browsers ask every site for. */
const ASKED_EVERYWHERE = ['/favicon.ico', '/robots.txt', '/apple-touch-icon.png'] as const;

export function createJourney(persona: Persona, random: Random): Journey {
  let token = '';
  let cart = 0;
  let mistyped = false;
  const orders: number[] = persona.account === 0 ? [] : [firstOrderOf(persona.account)];
  /** Of the back office's work: any order of anybody. */
  const anyOrder = (): number => 1 + random.below(2 * ACCOUNTS);

  const product = (): number => (random.chance(0.012) ? 9_000 + random.below(500) : 1 + random.zipf(PRODUCTS));
  const buyable = (): number => {
    const id = 1 + random.zipf(PRODUCTS);
    return id % SOLD_OUT_EVERY === 0 && random.chance(0.7) ? id + 1 : id;
  };
  const get = (name: string, path: string, signedIn = false): Intent => ({ name, method: 'GET', path, signedIn });
  const post = (name: string, path: string, body: Readonly<Record<string, unknown>>): Intent => ({
    name,
    method: 'POST',
    path,
    body,
    signedIn: true,
  });

  const actions: Readonly<Record<string, () => Intent>> = {
    home: () => get('home', '/'),
    list: () => get('list', `/products${listQuery(random)}`),
    product: () =>
      get(
        'product',
        `/products/${product()}${random.weighted([
          ['', 60],
          ['?include=stock', 25],
          ['?include=none', 15],
        ])}`,
      ),
    search() {
      const page = random.zipf(6);
      const query = new URLSearchParams({ q: searchText(random), ...(page > 0 ? { page: String(page) } : {}) });
      return get('search', `/search?${query}`);
    },
    rare: () => get('rare', '/gift-ideas'),
    missing: () => get('missing', random.pick(ASKED_EVERYWHERE)),
    login: () => ({
      ...post('login', '/login', {
        email: random.chance(NAME_TYPOS)
          ? mistype(random, accountEmail(persona.account))
          : accountEmail(persona.account),
        password: random.chance(mistyped ? TYPOS_AGAIN : TYPOS)
          ? mistype(random, accountPassword(persona.account))
          : accountPassword(persona.account),
      }),
      signedIn: false,
    }),
    account: () => get('account', '/account', true),
    avatar: () => post('avatar', '/account/avatar', { url: random.chance(0.012) ? 'my cat.png' : pictureUrl(random) }),
    wishlist: () =>
      post('wishlist', '/account/wishlist', { url: random.chance(0.012) ? 'my wishes' : listUrl(random) }),
    coupon: () => get('coupon', `/cart/coupon?code=${couponCode(random)}`, true),
    cart: () => get('cart', '/cart', true),
    add: () => post('add', '/cart/items', { product: buyable(), quantity: random.between(1, 3) }),
    availability: () =>
      post('availability', '/cart/availability', {
        products: Array.from({ length: random.between(1, 8) }, () => 1 + random.zipf(PRODUCTS)),
      }),
    checkout: () => post('checkout', '/checkout', { card: card(random, persona.account) }),
    orders: () => get('orders', '/orders', true),
    order() {
      const own = random.pick(orders);
      return get('order', `/orders/${random.chance(0.012) ? own + 1 : own}`, true);
    },
    receipt: () => get('receipt', `/orders/${random.pick(orders)}/receipt`, true),
    foreignOrder: () => get('foreignOrder', `/orders/${anyOrder()}`, true),
    foreignReceipt: () => get('foreignReceipt', `/orders/${anyOrder()}/receipt`, true),
    sales: () =>
      get(
        'sales',
        `/admin/sales?days=${random.pick([7, 14, 30, 90, 365])}&pace=${random.pick([0, 5, 10, 20, 30])}`,
        true,
      ),
    salesOf: () => get('salesOf', `/admin/sales/${random.chance(0.01) ? 'boats' : random.pick(CATEGORIES)}`, true),
    restock: () =>
      post('restock', '/admin/restock', {
        products: Array.from({ length: random.between(1, 20) }, () => 1 + random.below(PRODUCTS)),
      }),
  };

  const choose = (): string => {
    if (random.chance(1 / RARE_ROUTE_EVERY)) return 'rare';
    if (random.chance(0.008)) return 'missing';
    if (persona.role === 'visitor') {
      return random.weighted([
        ['home', 16],
        ['list', 28],
        ['product', 33],
        ['search', 23],
      ]);
    }
    if (token === '') return random.chance(0.8) ? 'login' : 'home';
    if (persona.role === 'staff') {
      return random.weighted([
        ['sales', 46],
        ['salesOf', 13],
        ['restock', 10],
        ['foreignOrder', 13],
        ['foreignReceipt', 8],
        ['product', 6],
        ['login', 4],
      ]);
    }
    return random.weighted([
      ['home', 4],
      ['list', 9],
      ['product', 12],
      ['search', 8],
      ['account', 3],
      ['login', 6],
      ['avatar', 8],
      ['wishlist', 7],
      ['coupon', 7],
      ['cart', 6],
      ['add', cart < MAX_CART ? 18 : 0],
      ['availability', 10],
      ['checkout', cart > 0 ? 14 : 0.4],
      ['orders', 4],
      ['order', 8],
      ['receipt', 8],
    ]);
  };

  return {
    next() {
      const intent = actions[choose()]!();
      return random.chance(ABORTS) ? { ...intent, abortAfterMs: random.between(1, 12) } : intent;
    },
    answered(intent, status, body) {
      if (intent.name === 'login') {
        // signed in already, on another device as it were: a wrong password loses nothing
        if (status === 200) token = (body as { token?: string } | null)?.token ?? '';
        mistyped = status === 401;
      } else if (status === 401) token = '';
      else if (intent.name === 'add' && status === 201) cart++;
      else if (intent.name === 'checkout') {
        cart = 0;
        const order = (body as { order?: number } | null)?.order;
        if (status === 201 && order !== undefined) orders.push(order);
      }
    },
    headers(intent) {
      const headers: Record<string, string> = { 'user-agent': persona.userAgent, 'x-channel': persona.channel };
      if (persona.forwardedFor !== '') headers['x-forwarded-for'] = persona.forwardedFor;
      if (persona.sendsTraceparent) headers.traceparent = `00-${hex(random, 32)}-${hex(random, 16)}-01`;
      if (intent.signedIn) {
        // Sessions run out now and then.
        headers.authorization = `Bearer ${token === '' || random.chance(0.002) ? 'expired' : token}`;
      }
      return headers;
    },
    retries: (intent, status, attempt) =>
      attempt < MAX_RETRIES && intent.abortAfterMs === undefined && (status === 0 || status >= 500),
  };
}

/** A picture somewhere on the internet; few are gone, some come slowly. */
export function pictureUrl(random: Random): string {
  const folder = random.weighted([
    ['u', 92],
    ['slow', 6],
    ['gone', 2],
  ]);
  return `http://img${1 + random.zipf(PICTURE_HOSTS)}.photos.example/${folder}/${random.below(1_000_000)}.png`;
}

/** Somebody's list at another shop; that one is gone or comes slowly, its address does not say. */
export function listUrl(random: Random): string {
  return `http://lists${1 + random.zipf(LIST_HOSTS)}.shops.example/l/${random.below(1_000_000)}`;
}

/** One in thirty has run out or is mistyped. */
const couponCode = (random: Random): string =>
  random.chance(0.033) ? `SAVE${100 + random.below(900)}` : `SAVE${1 + random.below(COUPONS)}`;

/** Two characters swapped, one left out or one twice: never two apostrophes, never what was there. */
export function mistype(random: Random, text: string): string {
  const at = random.below(text.length - 1);
  const swapped = `${text.slice(0, at)}${text[at + 1]}${text[at]}${text.slice(at + 2)}`;
  const shorter = text.slice(0, at) + text.slice(at + 1);
  const longer = text.slice(0, at + 1) + text.slice(at);
  const typed = random.pick([swapped, shorter, longer]);
  return typed === text ? longer : typed;
}

/** Cards as they come: most fine, a few declined, a few from a bank that answers only at the second or third attempt. */
function card(random: Random, account: number): string {
  return random.weighted([
    [`tok_visa_${4000 + account}`, 900],
    ['tok_declined_1', 25],
    ['tok_busy_1', 40],
    ['tok_busy_2', 20],
    ['tok_busy_9', 4],
  ]);
}

function hex(random: Random, digits: number): string {
  let text = '';
  for (let i = 0; i < digits; i += 4) text += random.between(1, 0xffff).toString(16).padStart(4, '0');
  return text;
}
