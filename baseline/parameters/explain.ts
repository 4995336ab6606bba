/**
 * Findings in words and counts (DETECTION §5): "`id` was an integer in 48,211 of 48,211 requests by 3,902 clients; now a
 * 14-character text with ‘'’, shape 9' a 9=9--". Never a raw value: marks, types, lengths and shapes only.
 */
import type { Finding } from '../../schemas/log/verdict.ts';
import { endMsOf, type Segment, spanIdHex } from '../../traces/segment.ts';
import { CLASS_COUNT, className, isMark } from './characters.ts';
import { KEY_MASK, kindOf } from './counts.ts';
import { encodingName } from './decode/chain.ts';
import { Kind, TYPES } from './features.ts';
import type { ValueJudgement } from './judge-value.ts';
import { familyById } from './patterns/matcher.ts';
import { inverseOf, kindCounts, type Profile, type ProfileData } from './profile.ts';
import type { ParameterReader } from './reader.ts';
import type { Shape } from './shape.ts';

export const grouped = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

export const article = (noun: string): string => (/^[aeiou]|^HTML/.test(noun) ? `an ${noun}` : `a ${noun}`);

/** Distinct clients are an estimate above a few dozen, and said to be one. */
export const clientsText = (n: number): string =>
  n === 0
    ? ''
    : n <= 30
      ? ` by ${n} client${n === 1 ? '' : 's'}`
      : ` by about ${grouped(Number(n.toPrecision(2)))} clients`;

/** What the profile holds of its values' type: the one or two commonest. */
export const typeText = (data: ProfileData): string => {
  const types = kindCounts(data, Kind.type);
  if (types === undefined || types.keys.length === 0) return 'had no value';
  const ranked = types.keys
    .map((key, i) => ({ name: TYPES[(key & KEY_MASK) - 1] ?? 'value', n: types.counts[i]! }))
    .sort((a, b) => b.n - a.n || (a.name < b.name ? -1 : 1));
  const first = ranked[0]!;
  const second = ranked[1];
  const noun = (name: string): string =>
    name === 'empty' || name === 'words' || name === 'binary' ? name : article(name);
  const main = `was ${noun(first.name)} in ${grouped(first.n)} of ${grouped(types.total)} requests`;
  return second === undefined ? main : `${main}, ${noun(second.name)} in ${grouped(second.n)}`;
};

/** Marks and other characters that the profile never or hardly saw. */
const strangeCharacters = (profile: Profile, shape: Shape): string[] => {
  const names: string[] = [];
  for (let i = 0; i < shape.count && names.length < 6; i++) {
    const key = shape.keys[i]!;
    if (kindOf(key) !== Kind.character) continue;
    const inverse = inverseOf(profile, key);
    const cls = (key & KEY_MASK) - 1;
    if (cls < CLASS_COUNT && (inverse < 0 || inverse > 100) && (isMark(cls) || cls > 2)) names.push(className(cls));
  }
  return names;
};

/** The value as it came, in words. */
export const valueText = (profile: Profile | null, shape: Shape, reader: ParameterReader): string => {
  const type = TYPES[shape.type - 1] ?? 'value';
  const { decoded } = reader;
  const strange = profile === null ? [] : strangeCharacters(profile, shape);
  const withMarks = strange.length === 0 ? '' : ` with ${strange.join(' ')}`;
  const encoded = decoded.signature === 0 ? '' : `, encoded as ${encodingName(decoded.signature)}`;
  const form = reader.shapes.describe(decoded.bytes, decoded.start, decoded.end);
  const what =
    type === 'empty' ? 'an empty value' : `a ${grouped(shape.length)}-character ${type === 'words' ? 'text' : type}`;
  return `${what}${withMarks}${encoded}${form === '' ? '' : `, shape ${form}`}`;
};

const KIND_TEXT: Readonly<Record<number, string>> = {
  [Kind.type]: 'type',
  [Kind.length]: 'length',
  [Kind.punctuation]: 'number of marks',
  [Kind.character]: 'characters',
  [Kind.bigram]: 'neighbouring characters',
  [Kind.template]: 'shape',
  [Kind.skeleton]: 'marks',
  [Kind.value]: 'value outside the known ones',
  [Kind.number]: 'magnitude',
  [Kind.encoding]: 'encoding',
  [Kind.elements]: 'size of the array',
  [Kind.total]: 'hint of an attack',
};

/** The features that deviate, worst first. */
export const deviations = (judgement: ValueJudgement, atLeast: number): string => {
  const kinds = Object.keys(KIND_TEXT)
    .map(Number)
    .filter((kind) => judgement.kinds[kind]! >= atLeast)
    .sort((a, b) => judgement.kinds[b]! - judgement.kinds[a]!);
  return kinds
    .slice(0, 4)
    .map((kind) => KIND_TEXT[kind])
    .join(', ');
};

/** Names of the families in `bits`, the first being the one the explanation key takes. */
export const familyNames = (bits: number): string[] => {
  const names: string[] = [];
  for (let id = 1; id < 32; id++) if (bits & (1 << id)) names.push(familyById(id)?.name ?? String(id));
  return names;
};

/** Known values of an enumeration, for "one of 4 known values". */
export const dictionarySize = (data: ProfileData): number => kindCounts(data, Kind.value)?.keys.length ?? 0;

export const formKeyText = (key: number): string => (key & KEY_MASK).toString(36);

export interface FindingFacts {
  readonly kind: Finding['kind'];
  readonly hard: boolean;
  readonly evidence?: Finding['evidence'];
  readonly explanationKey: string;
  /** Span whose service and operation the finding names. */
  readonly home: number;
  readonly parameter: string;
  readonly expected: string;
  readonly seen: string;
  readonly support: number;
  readonly severity: number;
  readonly p: number;
}

export const findingAt = (segment: Segment, span: number, facts: FindingFacts): Finding => {
  const startMs = segment.startMs + segment.startNs[span]! / 1e6;
  return {
    kind: facts.kind,
    group: 'parameters',
    hard: facts.hard,
    evidence: facts.evidence ?? 'presence',
    explanationKey: facts.explanationKey,
    service: segment.symbols.text(segment.service[facts.home]!),
    operation: segment.symbols.text(segment.operation[facts.home]!),
    spanId: spanIdHex(segment, span),
    parameter: facts.parameter,
    expected: facts.expected,
    seen: facts.seen,
    support: facts.support,
    severity: facts.severity,
    p: facts.p,
    share: 0,
    candidate: false,
    startMs,
    endMs: endMsOf(segment, span),
  };
};
