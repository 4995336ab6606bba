/** The features of a parameter (DETECTION §3.3) and the keys they are counted under. */
import { createCaps } from './counts.ts';

export const Kind = {
  type: 1,
  /** Quarter octaves of the length. */
  length: 2,
  /** Half octaves of the number of punctuation marks. */
  punctuation: 3,
  /** A character class that occurs; each punctuation mark is a class. */
  character: 4,
  /** Two neighbouring character classes. */
  bigram: 5,
  /** Words, numbers and marks in order, repeats collapsed; of an egress class, the registrable domain. */
  template: 6,
  /** Only the marks in order, repeats collapsed. */
  skeleton: 7,
  /** Keyed hash of the whole value. */
  value: 8,
  /** Half octaves of a number's magnitude, sign kept. */
  number: 9,
  /** Which decoders applied, in order. */
  encoding: 10,
  /** Half octaves of the number of elements of an array or object. */
  elements: 11,
  depth: 12,
  /** Class of an attack pattern; hints are offset by HINT. */
  pattern: 13,
  /** A statement skeleton or an egress class. */
  form: 14,
  /** Observations of the parameter as a whole. */
  total: 15,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Patterns from here on are hints: they count as features, and never make a hard finding. */
export const HINT = 64;

/** Kinds whose keys lie on a scale: tails count, not rarity. */
export const ORDINAL: readonly Kind[] = [Kind.length, Kind.punctuation, Kind.number, Kind.elements, Kind.depth];

/** Kinds new values of which are admitted on diverse evidence only (DETECTION §7). */
export const ADMITTED: readonly Kind[] = [Kind.template, Kind.value, Kind.form];

/** DETECTION §3.3: of the collapsed templates the 256 most frequent are kept at publishing. */
export const TOP_TEMPLATES = 256;

export const PARAMETER_CAPS = createCaps({
  [Kind.template]: 1_024,
  [Kind.skeleton]: 512,
  [Kind.value]: 256,
  [Kind.encoding]: 256,
  [Kind.form]: 1_024,
});

/** What is counted of an operation itself. */
export const SchemaKind = {
  total: 1,
  /** Hash of the set of parameter names, with how often each came. */
  set: 2,
  /** Hash of their order. */
  order: 3,
  /** Hash of one name. */
  name: 4,
} as const;

export const SCHEMA_CAPS = createCaps({
  [SchemaKind.set]: 512,
  [SchemaKind.order]: 512,
  [SchemaKind.name]: 512,
});

export const TYPES = [
  'empty',
  'integer',
  'decimal',
  'boolean',
  'UUID',
  'hexadecimal',
  'date',
  'e-mail address',
  'IP address',
  'URL',
  'path',
  'word',
  'words',
  'identifier',
  'token',
  'JSON',
  'text',
  'binary',
] as const;

/** Index into TYPES, plus one (0 is no key). */
export const Type = {
  empty: 1,
  integer: 2,
  decimal: 3,
  boolean: 4,
  uuid: 5,
  hex: 6,
  date: 7,
  email: 8,
  ip: 9,
  url: 10,
  path: 11,
  word: 12,
  words: 13,
  identifier: 14,
  token: 15,
  json: 16,
  text: 17,
  binary: 18,
} as const;
export type Type = (typeof Type)[keyof typeof Type];

/** Bin of a non-negative quantity on a log2 scale with `perOctave` bins; 0 has bin 1. */
export const logBin = (value: number, perOctave: number): number =>
  value <= 0 ? 1 : 2 + Math.floor(perOctave * Math.log2(value) + 1e-9);

export const LENGTH_BINS_PER_OCTAVE = 4;
export const COARSE_BINS_PER_OCTAVE = 2;
/** Bin of zero on the signed scale of numbers. */
export const NUMBER_ZERO = 8_192;

export const binsPerOctave = (kind: number): number =>
  kind === Kind.length ? LENGTH_BINS_PER_OCTAVE : kind === Kind.depth ? 1 : COARSE_BINS_PER_OCTAVE;
