/**
 * Everything that turns a parameter's bytes into feature keys, in one place, so that learning and scoring cannot differ.
 * One reader a learner or model; it reuses its buffers.
 */
import { keyOf } from './counts.ts';
import { createDecodeChain, createDecoded, type Decoded } from './decode/chain.ts';
import { egressClass, registrableDomain } from './egress.ts';
import { Kind, logBin, NUMBER_ZERO } from './features.ts';
import { hashBytes, hashText } from './hash.ts';
import { createPatternMatcher, type PatternHits } from './patterns/matcher.ts';
import type { PatternFamily } from './patterns/pattern.ts';
import { createShapeReader, type Shape } from './shape.ts';
import { createSkeletonReader } from './statements/skeleton.ts';
import { createTokens } from './statements/tokens.ts';

/** Bins of response sizes, an octave. */
const SIZE_BINS_PER_OCTAVE = 4;

const UTF8 = new TextDecoder();

export const createParameterReader = (seed: number, families?: readonly PatternFamily[]) => {
  const chain = createDecodeChain();
  const shapes = createShapeReader(seed);
  const matcher = createPatternMatcher(families);
  const tokens = createTokens();
  const skeletons = createSkeletonReader(seed, tokens);
  const decoded: Decoded = createDecoded();
  const hits: PatternHits = { strong: 0, hints: 0, hintCount: 0 };

  return {
    decoded,
    hits,
    shapes,
    matcher,
    /** Shape of a request parameter's value; fills `decoded` and `hits` too. */
    shape(bytes: Uint8Array, start: number, end: number, source: number): Shape {
      chain.decode(bytes, start, end, source, decoded);
      // The value as it came, whole: enumerated values are short, a hash of the window is enough for the rest.
      const until = Math.min(end, start + 4_096);
      const shape = shapes.read(decoded, end - start, source, hashBytes(bytes, start, until, seed));
      matcher.match(decoded, shape, hits);
      return shape;
    },
    /** Form key of a statement. */
    statement(bytes: Uint8Array, start: number, end: number, peer: string): number {
      return keyOf(Kind.form, skeletons.read(bytes, start, end, peer === 'mysql' || peer === 'mariadb'));
    },
    /** Tables of the statement read last. */
    tables: (bytes: Uint8Array): string => skeletons.tables(bytes),
    egressText: (bytes: Uint8Array, start: number, end: number): string =>
      egressClass(UTF8.decode(bytes.subarray(start, end))),
    /** Form key of an egress class. */
    egress: (text: string): number => keyOf(Kind.form, hashText(text, seed)),
    /** Key of a public name's registrable domain; 0 when it has none of its own. */
    egressDomain(text: string): number {
      const domain = registrableDomain(text);
      return domain === '' ? 0 : keyOf(Kind.template, hashText(domain, seed));
    },
    /** Number key of a response size. */
    size(bytes: Uint8Array, start: number, end: number): number {
      let value = 0;
      for (let i = start; i < end; i++) {
        const digit = bytes[i]! - 0x30;
        if (digit < 0 || digit > 9) return 0;
        value = value * 10 + digit;
      }
      return keyOf(Kind.number, NUMBER_ZERO + Math.min(4_000, logBin(value, SIZE_BINS_PER_OCTAVE)));
    },
  };
};

export type ParameterReader = ReturnType<typeof createParameterReader>;

/** Hash of a parameter's name with its source, the same in every process of an installation. */
export const nameHash = (source: number, name: string, seed: number): number => hashText(name, seed ^ (source + 1));
