/** Benign parameter values: what people and programs send. */
import type { Random } from '../load/random.ts';

const WORDS = (
  'lamp chair oak table red blue cotton shirt steel bottle phone case usb cable desk garden hose tent boots wool socks ' +
  'kitchen knife board glass jar coffee grinder filter paper pen note book light bulb travel bag leather belt watch strap ' +
  'winter jacket rain coat running shoes yoga mat bike pump helmet puzzle game card deck poster frame mirror shelf drawer'
).split(' ');
/** Benign, and close to what attacks are made of. */
const AWKWARD = [
  "o'brien shelf",
  'rock & roll poster',
  'select a chair',
  '50% off',
  'table or desk',
  'drop leaf table',
  'union jack mug',
  'café crème',
  'größe 42',
  'a/b switch',
  'c++ book',
  '<3 mug',
  'black "onyx" ring',
  'tea -green',
  '../',
  'where to buy',
];
const NAMES =
  'ana ben chloe dmitri eva femi greta hugo ines jonas kira luis maya nils olga pavel rosa sven tara umar'.split(' ');
const HEX = '0123456789abcdef';

export const integer =
  (most: number) =>
  (random: Random): string =>
    String(1 + random.below(most));
/** Objects of which a few are asked for much more often than the rest. */
export const popular =
  (most: number) =>
  (random: Random): string =>
    String(1 + random.zipf(most));
export const oneOf =
  (...values: readonly string[]) =>
  (random: Random): string =>
    values[random.zipf(values.length)]!;
export const amount = (random: Random): string => (Math.exp(3 + 1.1 * normal(random)) + 0.5).toFixed(2);
export const date = (random: Random): string =>
  `2026-${String(1 + random.below(12)).padStart(2, '0')}-${String(1 + random.below(28)).padStart(2, '0')}`;
export const flag = (random: Random): string => (random.chance(0.8) ? 'true' : 'false');

export function hex(random: Random, digits: number): string {
  let text = '';
  for (let i = 0; i < digits; i++) text += HEX[random.below(16)]!;
  return text;
}

export const uuid = (random: Random): string =>
  `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-${HEX[8 + random.below(4)]!}${hex(random, 3)}-${hex(random, 12)}`;

export function search(random: Random): string {
  if (random.chance(0.02)) return random.pick(AWKWARD);
  const words = 1 + random.zipf(4);
  let text = WORDS[random.zipf(WORDS.length)]!;
  for (let i = 1; i < words; i++) text += ` ${WORDS[random.zipf(WORDS.length)]!}`;
  return text;
}

export function sentence(random: Random): string {
  const words = 3 + random.below(25);
  let text = random.pick(NAMES);
  for (let i = 1; i < words; i++) text += `${random.chance(0.08) ? ',' : ''} ${random.pick(WORDS)}`;
  return `${text}${random.pick(['.', '!', '', '.'])}`;
}

export const email = (random: Random): string =>
  `${random.pick(NAMES)}.${random.pick(WORDS)}${random.below(1000)}@${random.pick(['mail', 'post', 'web'])}.example`;
export const fileName = (random: Random): string =>
  `${random.pick(WORDS)}-${random.below(10_000)}.${oneOf('pdf', 'png', 'jpg', 'csv')(random)}`;
export const link = (random: Random): string =>
  `https://${random.pick(['img', 'cdn', 'static'])}.partner.example/${random.pick(WORDS)}/${random.below(100_000)}.png`;

/** Standard normal (Box–Muller, one of the pair). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
