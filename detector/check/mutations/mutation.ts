/** What a known anomaly is: a kind, and a function that plants it into a copy of a clean trace. */
import type { Corpus } from './corpus.ts';
import type { Random } from './random.ts';
import type { CopiedSpan, TraceCopy } from './trace-copy.ts';

/** The model group that should see it. */
export type MutationGroup = 'structure' | 'timing' | 'parameters' | 'status';

export interface Planted {
  readonly trace: TraceCopy;
  /** The span it was done at, as it is in the mutant or was in the original. */
  readonly at: CopiedSpan;
  /** In words, for an operator: `POST /checkout without payment server Charge`. Never a value that came with the traffic. */
  readonly words: string;
}

export interface MutationContext {
  readonly corpus: Corpus;
  readonly random: Random;
  /** Labels that a rule of the baseline requires under another: `parent\nchild`. */
  readonly required?: ReadonlySet<string>;
  /** Label of a span whose service or name was changed. */
  label(span: CopiedSpan): string;
}

/** Undefined where the kind cannot be planted: a trace of one span has no call to lose. `trace` is a clone, free to be changed. */
export type Plant = (trace: TraceCopy, context: MutationContext) => Planted | undefined;
