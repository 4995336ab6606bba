/** Known anomalies planted into clean traces, as records to be judged: the kinds of `spanwarden check`, and whole-request attacks. */
import {
  type Corpus,
  copyOfRecords,
  createCorpus,
  createRandom,
  labelOf,
  type MutationKind,
  mutate,
  recordOf,
  type TraceCopy,
} from '../../../detector/check/mutations/index.ts';
import type { Detector } from './detector.ts';

export interface Planted {
  readonly kind: string;
  readonly records: readonly Uint8Array[];
  /** The traces they were planted into, as indices of `traces`; empty where they were generated. */
  readonly from: readonly number[];
  /** Mutants left out as they equal a learned or a clean trace, and traces that had no place for one. */
  readonly equal: number;
  readonly impossible: number;
}

export interface Nursery {
  readonly copies: readonly TraceCopy[];
  readonly corpus: Corpus;
  plant(kind: MutationKind, mutants: number): Planted;
}

/** `traces` are mutated, each with a chance that grows with its calls; `known` are the others that a mutant must not equal. */
export function createNursery(
  { kit }: Detector,
  traces: readonly Uint8Array[],
  known: readonly Uint8Array[],
  seed: number,
): Nursery {
  const { reader, symbols } = kit;
  const labelAt = (bytes: Uint8Array, ...places: [number, number, number, number]): string =>
    symbols.labelText(reader.labelAt(bytes, ...places));
  const corpus = createCorpus();
  const copies: TraceCopy[] = [];
  for (const record of known) {
    const copy = copyOfRecords([record], labelAt);
    if (copy !== undefined) corpus.add(copy);
  }
  for (const record of traces) {
    const copy = copyOfRecords([record], labelAt);
    if (copy === undefined) continue;
    corpus.add(copy);
    copies.push(copy);
  }
  // uniform over non-root spans: a trace by the number of its inner spans, then one of them alike
  const upTo = new Float64Array(copies.length);
  let inner = 0;
  for (const [i, copy] of copies.entries()) {
    inner += copy.spans.length - 1;
    upTo[i] = inner;
  }
  return {
    copies,
    corpus,
    plant(kind, mutants) {
      const random = createRandom(
        seed + kind.length * 7_919 + kind.charCodeAt(0) * 104_729 + kind.charCodeAt(kind.length - 1),
      );
      const records: Uint8Array[] = [];
      const from: number[] = [];
      let equal = 0;
      let impossible = 0;
      for (let tries = 0; tries < 30 * mutants && records.length < mutants; tries++) {
        const at = firstAbove(upTo, random.next() * inner);
        const result = mutate(kind, copies[at]!, { corpus, random, label: labelOf });
        if (result === 'equal') equal++;
        else if (result === 'impossible') impossible++;
        else {
          records.push(recordOf(result.trace));
          from.push(at);
        }
      }
      return { kind, records, from, equal, impossible };
    },
  };
}

function firstAbove(upTo: Float64Array, value: number): number {
  let low = 0;
  let high = upTo.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (upTo[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
