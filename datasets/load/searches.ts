/** What people look for: parts of names, several words, accents, apostrophes, words that SQL uses too. Pure. */
import { CATEGORIES, PRODUCTS, productName } from '../shop/database/schema.ts';
import type { Random } from './random.ts';

const PHRASES = [
  "O'Neill",
  "o'neill guitar",
  "children's novel",
  "men's ball",
  'café table',
  'crêpe pan',
  'rosé glass',
  'Möbel für den Garten',
  'señorita flag',
  'union jack mug',
  'select oak chair',
  'drop-leaf table',
  'table from oak where small',
  'order by post',
  'insert for kettle & lamp',
  '6" nails (steel)',
  '100% cotton',
  'salt & pepper mill',
  'c++ for beginners',
  'usb-c to usb-a 2m',
  'size 42/43',
  '24.5 cm pan',
  'notebook A5, lined',
  'gift < 20 euro',
  'what is a crêpe pan?',
  '電気ケトル',
  'лампа',
  'rock and roll',
  'a',
  'TOYS',
] as const;

export function searchText(random: Random): string {
  const product = productName(1 + random.zipf(PRODUCTS));
  const words = product.split(' ');
  return random.weighted<() => string>([
    [() => words[words.length - 2] ?? product, 30],
    [() => words.slice(0, -1).join(' '), 22],
    [() => product, 6],
    [() => (words[0] ?? product).slice(0, random.between(2, 4)), 10],
    [() => String(random.between(1, PRODUCTS)), 4],
    [() => random.pick(PHRASES), 28],
  ])();
}

/** Filters of the product list. */
export function listQuery(random: Random): string {
  const query = new URLSearchParams();
  if (random.chance(0.65)) query.set('category', random.pick(CATEGORIES));
  else if (random.chance(0.7)) query.set('sort', random.pick(['name', 'price', 'newest']));
  const page = random.zipf(8);
  if (page > 0) query.set('page', String(page));
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
