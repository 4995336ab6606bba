/** Tables and rows of the shop's two databases: the shop's own, and the one of the reports (see README: a slow query). */

export const PRODUCTS = 600;
export const ACCOUNTS = 500;
/** Accounts from this number on belong to the back office. */
export const STAFF_FROM = 460;
export const CATEGORIES = ['garden', 'kitchen', 'books', 'tools', 'toys', 'sports', 'music', 'gifts'] as const;
/** A customer whom the shop does not sell to any more. */
export const BLOCKED_ACCOUNT = 459;
/** Coupons SAVE1, SAVE2, … */
export const COUPONS = 60;
/** Every product with a number divisible by this one is sold out. */
export const SOLD_OUT_EVERY = 97;

export const accountEmail = (account: number): string => `customer${account}@mail.example`;
export const accountPassword = (account: number): string => `pass-${account * 7919}`;

const NOUNS = [
  'mug',
  'lamp',
  'kettle',
  'chair',
  'spade',
  'guitar',
  'puzzle',
  'drill',
  'novel',
  'ball',
  'table',
  'pillow',
  'flag',
  'crêpe pan',
  'rosé glass',
  'notebook',
] as const;
const WORDS = [
  'red',
  'blue',
  'oak',
  'steel',
  'union jack',
  'drop-leaf',
  "O'Neill",
  'café',
  'small',
  'large',
  'vintage',
  "children's",
] as const;

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Name of a product: known to the load generator, which searches for parts of it. */
export const productName = (product: number): string =>
  `${WORDS[product % WORDS.length]} ${NOUNS[(product * 7) % NOUNS.length]} ${product}`;

export const productCategory = (product: number): string => CATEGORIES[product % CATEGORIES.length]!;

function rows(count: number, row: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => `(${row(i + 1)})`).join(',');
}

/** SQL that makes the shop's database. */
export const shopSchema = (): string => `
create table products (id int primary key, name text not null, category text not null, cents int not null, visible boolean not null);
create index products_category on products (category, cents);
create table stock (product_id int primary key, quantity int not null);
create table accounts (id int primary key, email text unique not null, password text not null, role text not null, blocked boolean not null, card text not null, avatar text);
create table sessions (token text primary key, account_id int not null);
create table orders (id serial primary key, account_id int not null, cents int not null, state text not null, placed timestamptz not null default now());
create index orders_account on orders (account_id);
create table order_lines (order_id int not null, product_id int not null, quantity int not null);
create index order_lines_order on order_lines (order_id);
create table payments (id serial primary key, order_key text not null, account_id int not null, cents int not null, card text not null);
create index payments_account on payments (account_id);
create table mails (id serial primary key, order_id int not null, sent timestamptz not null default now());
create unique index mails_order on mails (order_id);
create table coupons (code text primary key, percent int not null);
create table wishes (id serial primary key, account_id int not null, url text not null);
create table batches (queue text not null, batch text not null, size int not null, account_id int not null);
create index batches_account on batches (account_id);
create table jobs (id serial primary key, queue text not null, payload jsonb not null, traceparent text not null, state text not null default 'ready');
create index jobs_ready on jobs (id) where state = 'ready';
insert into products values ${rows(PRODUCTS, (i) => `${i}, ${quoted(productName(i))}, '${productCategory(i)}', ${500 + ((i * 37) % 9000)}, ${i % 50 !== 49}`)};
insert into stock values ${rows(PRODUCTS, (i) => `${i}, ${i % SOLD_OUT_EVERY === 0 ? 0 : 1_000_000}`)};
insert into accounts values ${rows(ACCOUNTS, (i) => `${i}, '${accountEmail(i)}', '${accountPassword(i)}', '${i >= STAFF_FROM ? 'staff' : 'customer'}', ${i === BLOCKED_ACCOUNT}, 'tok_visa_${4000 + i}', null`)};
insert into orders (account_id, cents, state) select 1 + (n % ${ACCOUNTS}), 1000 + n, 'paid' from generate_series(1, 1000) n;
insert into coupons select 'SAVE' || n, 5 * (n % 8 + 1) from generate_series(1, ${COUPONS}) n;
insert into order_lines select n, 1 + (n * 13) % ${PRODUCTS}, 1 + n % 3 from generate_series(1, 1000) n;
analyze;
`;

/** Orders every account has from the start: the numbers congruent to it modulo ACCOUNTS, up to 1,000. */
export const firstOrderOf = (account: number): number => (account === 1 ? ACCOUNTS : account - 1);

/** SQL that makes the database of the reports. */
export const reportsSchema = (): string => `
create table sales (id serial primary key, day date not null, category text not null, cents int not null);
create index sales_day on sales (day);
insert into sales (day, category, cents)
  select current_date - (n % 365), (array['${CATEGORIES.join("','")}'])[1 + n % ${CATEGORIES.length}], 500 + (n * 37) % 9000
  from generate_series(1, 4000) n;
analyze;
`;
